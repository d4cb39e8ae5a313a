"""Networks and data to train with in tests."""

from __future__ import annotations

import numpy as np

from pynet import optimizers
from pynet.layers import Affine, BatchNormalization, Dropout, Relu, SoftmaxWithLoss
from pynet.trainer import Trainer

OPTIMIZERS = list(optimizers.OPTIMIZERS)


def samples(N, seed=0):
    rng = np.random.default_rng(seed)
    x = rng.standard_normal((N, 6))
    return x, (x[:, 0] > x[:, 1]).astype(np.uint8) + (x[:, 2] > 1)


class Bare:
    """Only what a Trainer asks for, and a record of what it was asked."""

    def __init__(self):
        self.params = {"W": np.zeros(3)}
        self.batches, self.evaluated = [], []

    def gradient(self, x, t):
        self.batches.append((x.copy(), t.copy()))
        return {"W": np.ones(3)}

    def loss(self, x, t):
        return float(self.params["W"].sum())

    def accuracy(self, x, t):
        self.evaluated.append((x.copy(), t.copy()))
        return 0.5


def numbered(N):
    """Samples that tell which one they are."""
    return np.arange(N, dtype=np.float64)[:, None], np.arange(N) % 3


def bare(N=10, **kwargs):
    net = Bare()
    trainer = Trainer(net, *numbered(N), *numbered(7), verbose=False, **kwargs)
    return net, trainer


class Own:
    """A reader's class in the book's style: params and layers that share arrays."""

    def __init__(self):
        W = [np.random.randn(6, 5), np.random.randn(5, 3)]
        self.params = {"W1": W[0], "b1": np.zeros(5), "W2": W[1], "b2": np.zeros(3)}
        self.params |= {"gamma": np.ones(5), "beta": np.zeros(5)}
        p = self.params
        self.layers = {
            "Affine1": Affine(p["W1"], p["b1"]),
            "Norm": BatchNormalization(p["gamma"], p["beta"]),
            "Relu": Relu(),
            "Dropout": Dropout(0.2),
            "Affine2": Affine(p["W2"], p["b2"]),
        }
        self.last = SoftmaxWithLoss()

    def predict(self, x, train_flg=False):
        for layer in self.layers.values():
            x = layer(x, train_flg)
        return x

    def loss(self, x, t):
        return self.last.forward(self.predict(x), t)

    def accuracy(self, x, t):
        return float(np.mean(self.predict(x).argmax(axis=1) == t))

    def gradient(self, x, t):
        self.last.forward(self.predict(x, True), t)
        dout = self.last.backward()
        for layer in reversed(list(self.layers.values())):
            dout = layer.backward(dout)
        first, norm, _, _, last = self.layers.values()
        weights = {"W1": first.dW, "b1": first.db, "W2": last.dW, "b2": last.db}
        return weights | {"gamma": norm.dgamma, "beta": norm.dbeta}


class Scripted(Bare):
    """A net whose validation metric is a given list, epoch by epoch; W counts the steps."""

    def __init__(self, values):
        super().__init__()
        self.values = iter(values)

    def predict(self, x):
        return np.zeros((len(x), 1))


def scripted(values, callbacks, **kwargs):
    net = Scripted(values)
    metrics = {"score": lambda t, y: next(net.values)}
    trainer = Trainer(
        *(net, *numbered(4), *numbered(3), 9, 2, "sgd", {"lr": 1.0}),
        verbose=False,
        sampling="epoch",
        validation=numbered(5),
        metrics=metrics,
        callbacks=callbacks,
        **kwargs,
    )
    return net, trainer
