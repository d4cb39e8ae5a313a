"""The way of the book in plain NumPy: float64, a dict of arrays for each thing, im2col for windows.

Written anew after chapters 4 to 8 of 'Deep Learning from Scratch' (Saito, 2016), with what a reader
who types it in would have: windows copied to rows by a loop over the filter, `np.dot`, masks,
`argmax` for pooling, an optimizer that goes over the parameters one by one, and the gradient of the
images too, which nobody needs. The book's 1e-7 inside the logarithm of the loss is left out: with
it losses above 10 could not be compared.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from pynet.bench import nets
from pynet.bench.peers.base import Model, Peer, Unsupported, Weights
from pynet.bench.rows import Step


def rows_of(x: Any, F: int, stride: int, pad: int) -> Any:
    """Windows as rows: (N, C, H, W) -> (N*OH*OW, C*F*F)."""
    N, C, H, W = x.shape
    OH, OW = (H + 2 * pad - F) // stride + 1, (W + 2 * pad - F) // stride + 1
    image = np.pad(x, [(0, 0), (0, 0), (pad, pad), (pad, pad)], "constant")
    windows = np.zeros((N, C, F, F, OH, OW))
    for y in range(F):
        for x_ in range(F):
            windows[:, :, y, x_] = image[
                :, :, y : y + stride * OH : stride, x_ : x_ + stride * OW : stride
            ]
    return windows.transpose(0, 4, 5, 1, 2, 3).reshape(N * OH * OW, -1)


def image_of(rows: Any, shape: tuple[int, ...], F: int, stride: int, pad: int) -> Any:
    """The way back: overlapping windows add up."""
    N, C, H, W = shape
    OH, OW = (H + 2 * pad - F) // stride + 1, (W + 2 * pad - F) // stride + 1
    windows = rows.reshape(N, OH, OW, C, F, F).transpose(0, 3, 4, 5, 1, 2)
    image = np.zeros((N, C, H + 2 * pad + stride - 1, W + 2 * pad + stride - 1))
    for y in range(F):
        for x_ in range(F):
            image[:, :, y : y + stride * OH : stride, x_ : x_ + stride * OW : stride] += windows[
                :, :, y, x_
            ]
    return image[:, :, pad : H + pad, pad : W + pad]


class Layer:
    """Parameters and their gradients by name."""

    def __init__(self, **params: Any) -> None:
        self.params = {name: a.astype(np.float64) for name, a in params.items() if a is not None}
        self.grads: dict[str, Any] = {}

    def forward(self, x: Any, train: bool) -> Any:
        """The output for the batch x."""
        raise NotImplementedError

    def backward(self, dout: Any) -> Any:
        """The gradient of the input, those of the parameters into `grads`."""
        raise NotImplementedError


class Affine(Layer):
    """x W + b."""

    def forward(self, x: Any, train: bool) -> Any:
        self.shape = x.shape
        self.x = x.reshape(x.shape[0], -1)
        return np.dot(self.x, self.params["W"]) + self.params["b"]

    def backward(self, dout: Any) -> Any:
        dx = np.dot(dout, self.params["W"].T)
        self.grads["W"] = np.dot(self.x.T, dout)
        self.grads["b"] = np.sum(dout, axis=0)
        return dx.reshape(*self.shape)


class Convolution(Layer):
    """Windows to rows, one product."""

    def __init__(self, spec: nets.Conv, W: Any, b: Any) -> None:
        super().__init__(W=W, b=b)
        self.spec = spec

    def forward(self, x: Any, train: bool) -> Any:
        spec = self.spec
        OH = (x.shape[2] + 2 * spec.pad - spec.F) // spec.stride + 1
        OW = (x.shape[3] + 2 * spec.pad - spec.F) // spec.stride + 1
        self.shape = x.shape
        self.rows = rows_of(x, spec.F, spec.stride, spec.pad)
        self.columns = self.params["W"].reshape(spec.FN, -1).T
        y = np.dot(self.rows, self.columns) + self.params["b"]
        return y.reshape(x.shape[0], OH, OW, -1).transpose(0, 3, 1, 2)

    def backward(self, dout: Any) -> Any:
        spec = self.spec
        dout = dout.transpose(0, 2, 3, 1).reshape(-1, spec.FN)
        self.grads["b"] = np.sum(dout, axis=0)
        dW = np.dot(self.rows.T, dout)
        self.grads["W"] = dW.transpose(1, 0).reshape(self.params["W"].shape)
        drows = np.dot(dout, self.columns.T)
        return image_of(drows, self.shape, spec.F, spec.stride, spec.pad)


class Pooling(Layer):
    """Windows to rows, the largest of each."""

    def __init__(self, F: int) -> None:
        super().__init__()
        self.F = F

    def forward(self, x: Any, train: bool) -> Any:
        F, (N, C, H, W) = self.F, x.shape
        rows = rows_of(x, F, F, 0).reshape(-1, F * F)
        self.shape, self.arg = x.shape, np.argmax(rows, axis=1)
        return np.max(rows, axis=1).reshape(N, H // F, W // F, C).transpose(0, 3, 1, 2)

    def backward(self, dout: Any) -> Any:
        F, size = self.F, self.F**2
        dout = dout.transpose(0, 2, 3, 1)
        dmax = np.zeros((dout.size, size))
        dmax[np.arange(dout.size), self.arg.flatten()] = dout.flatten()
        rows = dmax.reshape(dout.shape[0] * dout.shape[1] * dout.shape[2], -1)
        return image_of(rows, self.shape, F, F, 0)


class Relu(Layer):
    """A mask of what is not positive."""

    def forward(self, x: Any, train: bool) -> Any:
        self.mask = x <= 0
        out = x.copy()
        out[self.mask] = 0
        return out

    def backward(self, dout: Any) -> Any:
        dout[self.mask] = 0
        return dout


class Dropout(Layer):
    """A mask in training, a factor outside."""

    def __init__(self, ratio: float) -> None:
        super().__init__()
        self.ratio = ratio

    def forward(self, x: Any, train: bool) -> Any:
        if not train:
            return x * (1.0 - self.ratio)
        self.mask = np.random.rand(*x.shape) > self.ratio
        return x * self.mask

    def backward(self, dout: Any) -> Any:
        return dout * self.mask


class BatchNormalization(Layer):
    """Of vectors; the book has no other."""

    def __init__(self, gamma: Any, beta: Any) -> None:
        super().__init__(gamma=gamma, beta=beta)
        self.mean, self.var = np.zeros(len(gamma)), np.zeros(len(gamma))

    def forward(self, x: Any, train: bool) -> Any:
        gamma, beta = self.params["gamma"], self.params["beta"]
        if not train:
            return gamma * (x - self.mean) / np.sqrt(self.var + 1e-6) + beta
        mean = x.mean(axis=0)
        self.xc = x - mean
        var = np.mean(self.xc**2, axis=0)
        self.std = np.sqrt(var + 1e-6)
        self.xn = self.xc / self.std
        self.mean = 0.9 * self.mean + 0.1 * mean
        self.var = 0.9 * self.var + 0.1 * var
        return gamma * self.xn + beta

    def backward(self, dout: Any) -> Any:
        N = len(dout)
        self.grads["beta"] = dout.sum(axis=0)
        self.grads["gamma"] = np.sum(self.xn * dout, axis=0)
        dxn = self.params["gamma"] * dout
        dxc = dxn / self.std
        dstd = -np.sum((dxn * self.xc) / (self.std * self.std), axis=0)
        dxc += (2.0 / N) * self.xc * (0.5 * dstd / self.std)
        return dxc - np.sum(dxc, axis=0) / N


class SoftmaxWithLoss:
    """Softmax and cross-entropy."""

    def forward(self, x: Any, t: Any) -> float:
        self.t = t
        exp = np.exp(x - np.max(x, axis=1, keepdims=True))
        self.y = exp / np.sum(exp, axis=1, keepdims=True)
        return float(-np.sum(np.log(self.y[np.arange(len(t)), t])) / len(t))

    def backward(self) -> Any:
        dx = self.y.copy()
        dx[np.arange(len(self.t)), self.t] -= 1
        return dx / len(self.t)


# ---- the optimizers: params and grads are dicts -------------------------------------------------


def sgd(lr: float, params: Any, grads: Any, state: Any, iter_: int) -> None:
    """P -= lr g."""
    for key in params:
        params[key] -= lr * grads[key]


def momentum(lr: float, params: Any, grads: Any, state: Any, iter_: int) -> None:
    """V = 0.9 v - lr g; p += v."""
    for key in params:
        (v,) = state.setdefault(key, [np.zeros_like(params[key])])
        v[...] = 0.9 * v - lr * grads[key]
        params[key] += v


def adam(lr: float, params: Any, grads: Any, state: Any, iter_: int) -> None:
    """Running means of g and g^2."""
    rate = lr * np.sqrt(1.0 - 0.999**iter_) / (1.0 - 0.9**iter_)
    for key in params:
        if key not in state:
            state[key] = [np.zeros_like(params[key]) for _ in range(2)]
        m, v = state[key]
        m += 0.1 * (grads[key] - m)
        v += 0.001 * (grads[key] ** 2 - v)
        params[key] -= rate * m / (np.sqrt(v) + 1e-7)


RULES: dict[str, Callable[..., None]] = {"SGD": sgd, "Momentum": momentum, "Adam": adam}


def build(layers: tuple[Any, ...], weights: Weights) -> list[Any]:
    """The layers by the names of the nets."""
    made: list[Any] = []
    pairs = iter(weights)
    for layer in layers:
        if isinstance(layer, nets.Affine):
            W, b = next(pairs)
            made.append(Affine(W=W, b=b))
        elif isinstance(layer, nets.Conv):
            made.append(Convolution(layer, *next(pairs)))
        elif isinstance(layer, nets.BatchNorm):
            made.append(BatchNormalization(*next(pairs)))
        elif isinstance(layer, nets.MaxPool):
            made.append(Pooling(layer.F))
        elif isinstance(layer, nets.Relu):
            made.append(Relu())
        elif isinstance(layer, nets.Dropout):
            made.append(Dropout(layer.ratio))
        else:
            raise Unsupported  # the book has no residual networks
    return made


class Book(Peer):
    """A step as the book writes it: forward, backward, update."""

    def model(self, net: nets.Net, weights: Weights, work: Step) -> Model:
        layers, last = build(net.layers, weights), SoftmaxWithLoss()
        params = {(i, key): a for i, layer in enumerate(layers) for key, a in layer.params.items()}
        update, state = RULES[work.optimizer], dict[Any, Any]()
        lr, iter_ = work.lr, 0

        def predict(x: Any, train: bool = False) -> Any:
            for layer in layers:
                x = layer.forward(x, train)
            return x

        def step(x: Any, t: Any) -> float:
            nonlocal iter_
            loss = last.forward(predict(x, True), t)
            dout = last.backward()
            for layer in reversed(layers):
                dout = layer.backward(dout)
            grads = {(i, key): layers[i].grads[key] for i, key in params}
            iter_ += 1
            update(lr, params, grads, state, iter_)
            return loss

        def set_rate(rate: float) -> None:
            nonlocal lr
            lr = rate

        return Model(step, predict, set_rate)

    def infer(self, net: nets.Net, weights: Weights) -> Callable[[Any], Any]:
        return self.model(net, weights, Step("", 1, "SGD", 0.0)).predict
