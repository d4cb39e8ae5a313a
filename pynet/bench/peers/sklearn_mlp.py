"""scikit-learn's MLPClassifier: fully connected nets, steps by partial_fit."""

from __future__ import annotations

from typing import Any

import numpy as np
from sklearn.neural_network import MLPClassifier

from pynet.bench.nets import Affine, Net, Relu
from pynet.bench.peers.base import Model, Peer, Unsupported, Weights
from pynet.bench.rows import Step


class Sklearn(Peer):
    """An MLPClassifier with the given weights."""

    def model(self, net: Net, weights: Weights, work: Step) -> Model:
        if not all(isinstance(layer, Affine | Relu) for layer in net.layers):
            raise Unsupported
        if work.optimizer != "SGD":
            raise Unsupported
        hidden = tuple(len(b) for _, b in weights[:-1])
        model = MLPClassifier(
            hidden,
            solver="sgd",
            alpha=0.0,
            batch_size=work.batch,
            learning_rate_init=work.lr,
            momentum=0.0,
            nesterovs_momentum=False,
        )
        x = np.zeros((work.batch, *net.shape), np.float32)
        model.partial_fit(x, [0] * work.batch, classes=range(10))
        for i, (W, b) in enumerate(weights):
            model.coefs_[i][...], model.intercepts_[i][...] = W, b

        def step(x: Any, t: Any) -> float:
            model.partial_fit(x, t)
            return float(model.loss_)

        def set_rate(rate: float) -> None:
            model._optimizer.learning_rate = rate

        return Model(step, model.predict_proba, set_rate)
