"""The nets of the steps: layers in words that every peer can follow, weights for all of them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

import numpy as np

Shape = tuple[int, ...]


class Affine(NamedTuple):
    """x W + b, with n outputs."""

    n: int


class Conv(NamedTuple):
    """FN square filters of side F."""

    FN: int
    F: int
    pad: int = 0
    stride: int = 1
    bias: bool = True


class MaxPool(NamedTuple):
    """Windows of side F, one beside the other."""

    F: int = 2


class Relu(NamedTuple):
    """max(x, 0)."""


class BatchNorm(NamedTuple):
    """Over the batch, and over the pixels of images."""


class GlobalPool(NamedTuple):
    """The mean over the pixels."""


class Dropout(NamedTuple):
    """With this share dropped."""

    ratio: float = 0.5


class Residual(NamedTuple):
    """body(x) + shortcut(x), the input itself without a shortcut."""

    body: tuple[Any, ...]
    shortcut: tuple[Any, ...] = ()


class Net(NamedTuple):
    """Layers and the shape of what goes in."""

    layers: tuple[Any, ...]
    shape: Shape  # of one sample


def trace(layers: Sequence[Any], shape: Shape) -> Iterator[tuple[Any, Shape, Shape]]:
    """Each layer with the shapes of its input and output; a residual's body, then its shortcut."""
    for layer in layers:
        before = shape
        if isinstance(layer, Residual):
            inner = list(trace(layer.body, shape))
            yield from inner
            yield from trace(layer.shortcut, shape)
            shape = inner[-1][2]
            continue
        if isinstance(layer, Affine):
            shape = (layer.n,)
        elif isinstance(layer, Conv):
            side = (shape[1] + 2 * layer.pad - layer.F) // layer.stride + 1
            shape = (layer.FN, side, side)
        elif isinstance(layer, MaxPool):
            shape = (shape[0], shape[1] // layer.F, shape[2] // layer.F)
        elif isinstance(layer, GlobalPool):
            shape = shape[:1]
        yield layer, before, shape


def weights(net: Net, seed: int = 0) -> list[tuple[Any, Any]]:
    """Two float32 arrays for each layer that has parameters, as `trace` goes: W by He, b = 0."""
    rng = np.random.default_rng(seed)
    found: list[tuple[Any, Any]] = []
    for layer, before, after in trace(net.layers, net.shape):
        if isinstance(layer, BatchNorm):
            C = after[0]
            found.append((np.ones(C, np.float32), np.zeros(C, np.float32)))
        if not isinstance(layer, Affine | Conv):
            continue
        if isinstance(layer, Affine):
            shape: Shape = (int(np.prod(before)), layer.n)
            fan, bias = shape[0], True
        else:
            shape = (layer.FN, before[0], layer.F, layer.F)
            fan, bias = int(np.prod(shape[1:])), layer.bias
        W = rng.normal(0, np.sqrt(2 / fan), shape).astype(np.float32)
        found.append((W, np.zeros(after[0], np.float32) if bias else None))
    return found


def flops(net: Net, batch: int, train: bool) -> float:
    """Of the products alone: forward, and in training dW and, but for the first layer, dx."""
    total, first = 0.0, True
    for layer, before, after in trace(net.layers, net.shape):
        if isinstance(layer, Affine | Conv):
            inner = before[0] * layer.F**2 if isinstance(layer, Conv) else int(np.prod(before))
            passes = 1 if not train else 2 if first else 3
            total += 2.0 * passes * batch * inner * int(np.prod(after))
            first = False
    return total


def without_dropout(net: Net) -> Net:
    """Each peer draws its own masks: without them all must come to the same losses."""
    return Net(tuple(x for x in net.layers if not isinstance(x, Dropout)), net.shape)


def _two_layer() -> Net:
    return Net((Affine(50), Relu(), Affine(10)), (784,))


def _mlp() -> Net:
    hidden = (Affine(100), BatchNorm(), Relu(), Dropout(0.2)) * 6
    return Net((*hidden, Affine(10)), (784,))


def _simple_conv() -> Net:
    layers = (Conv(30, 5), Relu(), MaxPool(), Affine(100), Relu(), Affine(10))
    return Net(layers, (1, 28, 28))


def _lenet5() -> Net:
    """LeCun et al. (1998) with ReLU, max pooling and all connections, as it is used today."""
    features = (Conv(6, 5, pad=2), Relu(), MaxPool(), Conv(16, 5), Relu(), MaxPool())
    return Net((*features, Affine(120), Relu(), Affine(84), Relu(), Affine(10)), (1, 28, 28))


def _deep_conv() -> Net:
    layers: list[Any] = []
    for i, (FN, pad) in enumerate([(16, 1), (16, 1), (32, 1), (32, 2), (64, 1), (64, 1)]):
        layers += [Conv(FN, 3, pad), Relu()] + [MaxPool()] * (i % 2)
    layers += [Affine(50), Relu(), Dropout(), Affine(10), Dropout()]
    return Net(tuple(layers), (1, 28, 28))


def _resnet20() -> Net:
    """He et al. (2015), section 4.2, with 1x1 convolutions where the shape changes."""
    layers: list[Any] = [Conv(16, 3, 1, bias=False), BatchNorm(), Relu()]
    C = 16
    for FN in (16, 32, 64):
        for block in range(3):
            stride = 2 if block == 0 and FN != C else 1
            body = (
                *(Conv(FN, 3, 1, stride, False), BatchNorm(), Relu()),
                *(Conv(FN, 3, 1, 1, False), BatchNorm()),
            )
            shortcut = (Conv(FN, 1, 0, stride, False), BatchNorm()) if FN != C else ()
            layers += [Residual(body, shortcut), Relu()]
            C = FN
    return Net((*layers, GlobalPool(), Affine(10)), (3, 32, 32))


NETS = {
    "two-layer": _two_layer(),
    "mlp6": _mlp(),
    "simple-conv": _simple_conv(),
    "lenet5": _lenet5(),
    "deep-conv": _deep_conv(),
    "resnet20": _resnet20(),
}
