"""tinygrad: whole steps under TinyJit, compiled by clang."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Callable
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np

from pynet.bench import nets
from pynet.bench.peers.base import Model, Peer, Unsupported, Weights
from pynet.bench.rows import Step


def find_clang() -> None:
    """Tell tinygrad (CC) of the clang inside the package ziglang where there is no other."""
    zig = find_spec("ziglang")
    if shutil.which("clang") or "CC" in os.environ or zig is None or zig.origin is None:
        return
    script = Path(tempfile.mkdtemp()) / "clang"
    script.write_text(f'#!/bin/sh\nexec "{Path(zig.origin).parent / "zig"}" clang "$@"\n')
    script.chmod(0o755)
    os.environ["CC"] = str(script)


class Tinygrad(Peer):
    """Steps and inference under TinyJit."""

    def __init__(self, threads: int) -> None:
        super().__init__(threads)
        os.environ.setdefault("DEV", "CPU")
        find_clang()
        self.tinygrad: Any = import_module("tinygrad")
        self.helpers: Any = import_module("tinygrad.helpers")

    def _forward(self, layers: tuple[Any, ...], params: list[Any], x: Any, train: bool) -> Any:
        pairs = iter(params)
        for layer in layers:
            if isinstance(layer, nets.Affine):
                W, b = next(pairs)
                x = x.flatten(1).dot(W) + b
            elif isinstance(layer, nets.Conv):
                W, b = next(pairs)
                x = x.conv2d(W, b, stride=layer.stride, padding=layer.pad)
            elif isinstance(layer, nets.BatchNorm) and train:
                gamma, beta = next(pairs)
                axes = (0,) if x.ndim == 2 else (0, 2, 3)
                mean = x.mean(axes)
                var = ((x - mean.reshape(1, -1, *[1] * (x.ndim - 2))) ** 2).mean(axes)
                x = x.batchnorm(gamma, beta, mean, (var + 1e-6).rsqrt())
            elif isinstance(layer, nets.MaxPool):
                x = x.max_pool2d((layer.F, layer.F))
            elif isinstance(layer, nets.Relu):
                x = x.relu()
            elif isinstance(layer, nets.Dropout):
                x = x.dropout(layer.ratio) if train else x
            else:
                raise Unsupported
        return x

    def model(self, net: nets.Net, weights: Weights, work: Step) -> Model:
        tg = self.tinygrad
        params = [tuple(None if a is None else tg.Tensor(a.copy()) for a in p) for p in weights]
        flat = [a for pair in params for a in pair if a is not None]
        for a in flat:
            a.requires_grad = True
        moments = [[tg.Tensor(np.zeros(a.shape, np.float32)) for _ in range(2)] for a in flat]
        rate = tg.Tensor(
            np.array([work.lr, 0], np.float32)
        )  # the learning rate, and the steps until now
        tg.Tensor.realize(*flat, *[m for pair in moments for m in pair], rate)
        self._forward(net.layers, params, tg.Tensor(np.zeros((2, *net.shape), np.float32)), True)

        @tg.TinyJit
        def train(x: Any, t: Any) -> Any:
            with self.helpers.Context(TRAINING=1):
                loss = self._forward(net.layers, params, x, True).sparse_categorical_crossentropy(t)
                for a in flat:
                    a.grad = None
                loss.backward()
                changed = _updated(work.optimizer, flat, moments, rate)
                return loss.realize(*changed)

        @tg.TinyJit
        def scores(x: Any) -> Any:
            return self._forward(net.layers, params, x, False).realize()

        def step(x: Any, t: Any) -> float:
            return float(
                train(tg.Tensor(x).realize(), tg.Tensor(t.astype(np.int32)).realize()).item()
            )

        def set_rate(lr: float) -> None:
            rate.assign(tg.Tensor(np.array([lr, rate.numpy()[1]], np.float32))).realize()

        return Model(step, lambda x: scores(tg.Tensor(x).realize()).numpy(), set_rate)

    def infer(self, net: nets.Net, weights: Weights) -> Callable[[Any], Any]:
        return self.model(net, weights, Step("", 1, "SGD", 0.0)).predict


def _updated(rule: str, params: list[Any], moments: list[Any], rate: Any) -> list[Any]:
    """The assignments of one step, as the other peers update."""
    lr, iter_ = rate[0], rate[1] + 1
    changed = []
    for p, (v, h) in zip(params, moments):
        g = p.grad
        if rule == "SGD":
            changed.append(p.assign(p - lr * g))
        elif rule == "Momentum":
            new = 0.9 * v - lr * g
            changed += [v.assign(new), p.assign(p + new)]
        else:
            new, square = v + 0.1 * (g - v), h + 0.001 * (g * g - h)
            at = lr * (1 - 0.999**iter_).sqrt() / (1 - 0.9**iter_)
            changed += [v.assign(new), h.assign(square)]
            changed.append(p.assign(p - at * new / (square.sqrt() + 1e-7)))
    one = type(rate)(np.array([0, 1], np.float32))
    return [*changed, rate.assign(rate + one)]
