"""DeZero, the framework that the book's third volume builds, as it is on PyPI."""

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module
from typing import Any

import numpy as np

from pynet.bench import nets
from pynet.bench.peers.base import Model, Peer, Unsupported, Weights
from pynet.bench.rows import Step


class DeZero(Peer):
    """DeZero's layers, functions and optimizers."""

    def __init__(self, threads: int) -> None:
        super().__init__(threads)
        vars(np)["int"] = int  # a name that DeZero 0.0.13 uses and NumPy no longer has
        self.dezero: Any = import_module("dezero")
        self.functions: Any = import_module("dezero.functions")

    def _layers(self, layers: tuple[Any, ...], weights: Weights) -> tuple[Any, Any]:
        """The layers with parameters in one object, and the function of a batch."""
        L, F = self.dezero.layers, self.functions
        holder, calls, pairs = L.Layer(), list[Any](), iter(weights)
        for i, layer in enumerate(layers):
            if isinstance(layer, nets.Affine):
                W, b = next(pairs)
                made = L.Linear(layer.n, in_size=len(W))
                made.W.data, made.b.data = W.copy(), b.copy()
                setattr(holder, f"l{i}", made)
                calls.append(lambda x, made=made: made(F.reshape(x, (len(x), -1))))
            elif isinstance(layer, nets.Conv):
                W, b = next(pairs)
                made = L.Conv2d(*W.shape[:1], layer.F, layer.stride, layer.pad, b is None)
                made.W.data = W.copy()
                if b is not None:
                    made.b.data = b.copy()
                setattr(holder, f"l{i}", made)
                calls.append(made)
            elif isinstance(layer, nets.BatchNorm):
                gamma, beta = (self.dezero.Parameter(a.copy()) for a in next(pairs))
                setattr(holder, f"gamma{i}", gamma)
                setattr(holder, f"beta{i}", beta)
                state = [gamma, beta, np.zeros_like(gamma.data), np.ones_like(gamma.data)]
                calls.append(lambda x, state=state: F.batch_nrom(x, *state, 0.9, 1e-6))
            elif isinstance(layer, nets.MaxPool):
                calls.append(lambda x, size=layer.F: F.pooling(x, size, size))
            elif isinstance(layer, nets.Relu):
                calls.append(F.relu)
            elif isinstance(layer, nets.Dropout):
                calls.append(lambda x, ratio=layer.ratio: F.dropout(x, ratio))
            else:
                raise Unsupported

        def forward(x: Any) -> Any:
            for call in calls:
                x = call(x)
            return x

        return holder, forward

    def model(self, net: nets.Net, weights: Weights, work: Step) -> Model:
        holder, forward = self._layers(net.layers, weights)
        rules = self.dezero.optimizers
        optimizer = {
            "SGD": lambda: rules.SGD(work.lr),
            "Momentum": lambda: rules.MomentumSGD(work.lr, 0.9),
            "Adam": lambda: rules.Adam(work.lr, eps=1e-7),
        }[work.optimizer]()
        optimizer.setup(holder)

        def step(x: Any, t: Any) -> float:
            loss = self.functions.softmax_cross_entropy(forward(self.dezero.as_variable(x)), t)
            holder.cleargrads()
            loss.backward()
            optimizer.update()
            return float(loss.data)

        def predict(x: Any) -> Any:
            with self.dezero.no_grad(), self.dezero.test_mode():
                return forward(self.dezero.as_variable(x)).data

        def set_rate(rate: float) -> None:
            setattr(optimizer, "alpha" if work.optimizer == "Adam" else "lr", rate)

        return Model(step, predict, set_rate)

    def infer(self, net: nets.Net, weights: Weights) -> Callable[[Any], Any]:
        return self.model(net, weights, Step("", 1, "SGD", 0.0)).predict
