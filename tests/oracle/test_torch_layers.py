"""Every layer of windows, channels and statistics against torch's, on random shapes and options.

All in float64: outputs, dx and the gradients of the parameters agree to 1e-9.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import numpy as np
import pytest

from pynet import layers

torch = pytest.importorskip("torch")
functional = torch.nn.functional
torch.set_num_threads(1)

CASES_EACH = 8


class Case(NamedTuple):
    """A layer, the same in torch, and an input; params are the names both share, in order."""

    layer: Any
    theirs: Callable[..., Any]  # of x and the parameters
    x: np.ndarray
    train: bool = True

    def __str__(self) -> str:
        return f"{self.layer!r} of {'x'.join(map(str, self.x.shape))}"


class Draw:
    """Random sizes and arrays of one case."""

    def __init__(self, seed: int) -> None:
        self.rng = np.random.default_rng(seed)

    def int(self, low: int, high: int) -> int:
        return int(self.rng.integers(low, high + 1))

    def pair(self, low: int, high: int) -> tuple[int, int]:
        return self.int(low, high), self.int(low, high)

    def flag(self) -> bool:
        return bool(self.rng.integers(2))

    def normal(self, *shape: int) -> np.ndarray:
        return self.rng.standard_normal(shape)

    def one_of(self, *values: Any) -> Any:
        return values[self.int(0, len(values) - 1)]

    def image(self, C: int | None = None, least: int = 4) -> np.ndarray:
        channels = self.int(1, 7) if C is None else C
        return self.normal(self.int(1, 4), channels, self.int(least, 11), self.int(least, 13))


def bias(d: Draw, FN: int) -> np.ndarray | None:
    return d.normal(FN) if d.flag() else None


# ---- convolutions ------------------------------------------------------------------------------


def convolution(d: Draw) -> Case:
    groups = d.one_of(1, 1, 2, 3)
    C, FN = groups * d.int(1, 4), groups * d.int(1, 4)
    dilation, stride, pad = d.pair(1, 2), d.pair(1, 3), d.pair(0, 2)
    W = d.normal(FN, C // groups, *d.pair(1, 3))
    layer = layers.Convolution(W, bias(d, FN), stride, pad, dilation, groups)
    return Case(
        layer,
        lambda x, W, b=None: functional.conv2d(x, W, b, stride, pad, dilation, groups),
        d.image(C, 5),
    )


def depthwise_convolution(d: Draw) -> Case:
    C, multiplier, stride, pad = d.int(1, 6), d.int(1, 3), d.pair(1, 2), d.pair(0, 2)
    W = d.normal(C * multiplier, 1, *d.pair(1, 4))
    layer = layers.DepthwiseConvolution(
        W, bias(d, C * multiplier), stride, pad, multiplier=multiplier
    )
    return Case(
        layer, lambda x, W, b=None: functional.conv2d(x, W, b, stride, pad, 1, C), d.image(C)
    )


def convolution_1d(d: Draw) -> Case:
    groups = d.one_of(1, 2)
    C, FN, F = groups * d.int(1, 4), groups * d.int(1, 4), d.int(1, 4)
    stride, pad, dilation = d.int(1, 3), d.int(0, 3), d.int(1, 2)
    W = d.normal(FN, C // groups, F)
    layer = layers.Convolution1D(W, bias(d, FN), stride, pad, dilation, groups)
    return Case(
        layer,
        lambda x, W, b=None: functional.conv1d(x, W, b, stride, pad, dilation, groups),
        d.normal(d.int(1, 4), C, d.int(8, 20)),
    )


def transposed_convolution(d: Draw) -> Case:
    groups = d.one_of(1, 1, 2)
    C, FN = groups * d.int(1, 4), groups * d.int(1, 4)
    stride, dilation, (FH, FW) = d.pair(1, 3), d.pair(1, 2), d.pair(1, 4)
    pad, output_pad = d.pair(0, 1), tuple(d.int(0, s - 1) for s in stride)
    W = d.normal(C, FN // groups, FH, FW)
    layer = layers.TransposedConvolution(W, bias(d, FN), stride, pad, dilation, groups, output_pad)
    return Case(
        layer,
        lambda x, W, b=None: functional.conv_transpose2d(
            x, W, b, stride, pad, output_pad, groups, dilation
        ),
        d.image(C, 3),
    )


# ---- pooling -----------------------------------------------------------------------------------


def window(d: Draw) -> tuple[tuple[int, int], tuple[int, int], tuple[int, int]]:
    kernel = d.pair(1, 4)
    return kernel, d.pair(1, 3), (d.int(0, kernel[0] // 2), d.int(0, kernel[1] // 2))


def max_pooling(d: Draw) -> Case:
    kernel, stride, pad = window(d)
    layer = layers.Pooling(*kernel, stride, pad)
    return Case(layer, lambda x: functional.max_pool2d(x, kernel, stride, pad), d.image())


def average_pooling(d: Draw) -> Case:
    kernel, stride, pad = window(d)
    count = d.flag()
    layer = layers.AveragePooling(*kernel, stride, pad, count)
    return Case(
        layer,
        lambda x: functional.avg_pool2d(x, kernel, stride, pad, count_include_pad=count),
        d.image(),
    )


def pooling_1d(d: Draw) -> Case:
    (kernel, _), (stride, _), (pad, _) = window(d)
    x = d.normal(d.int(1, 3), d.int(1, 5), d.int(5, 17))
    if d.flag():
        layer = layers.Pooling1D(kernel, stride, pad)
        return Case(layer, lambda x: functional.max_pool1d(x, kernel, stride, pad), x)
    layer = layers.AveragePooling1D(kernel, stride, pad)
    return Case(layer, lambda x: functional.avg_pool1d(x, kernel, stride, pad), x)


def global_pooling(d: Draw) -> Case:
    if d.flag():
        return Case(layers.GlobalMaxPooling(), lambda x: x.amax(dim=(2, 3)), d.image())
    return Case(layers.GlobalAveragePooling(), lambda x: x.mean(dim=(2, 3)), d.image())


def adaptive_pooling(d: Draw) -> Case:
    size = d.pair(1, 9)
    if d.flag():
        layer = layers.AdaptiveMaxPooling(size)
        return Case(layer, lambda x: functional.adaptive_max_pool2d(x, size), d.image())
    layer = layers.AdaptiveAveragePooling(size)
    return Case(layer, lambda x: functional.adaptive_avg_pool2d(x, size), d.image())


# ---- normalisation -----------------------------------------------------------------------------


def batch_normalization(d: Draw) -> Case:
    C, eps, train = d.int(1, 6), d.one_of(1e-6, 1e-2), d.flag()
    mean, var = d.normal(C), np.abs(d.normal(C)) + 0.5
    layer = layers.BatchNormalization(
        d.normal(C), d.normal(C), running_mean=mean, running_var=var, eps=eps
    )
    x = d.image(C) if d.flag() else d.normal(d.int(3, 9), C)
    running = torch.tensor(mean), torch.tensor(var)
    return Case(
        layer,
        lambda x, g, b: functional.batch_norm(
            x, *(r.clone() for r in running), g, b, train, 0.1, eps
        ),
        x,
        train,
    )


def layer_normalization(d: Draw) -> Case:
    x, axes, eps = d.image(), d.int(1, 3), d.one_of(1e-5, 1e-2)
    shape = x.shape[-axes:]
    layer = layers.LayerNormalization(d.normal(*shape), d.normal(*shape), eps)
    return Case(layer, lambda x, g, b: functional.layer_norm(x, shape, g, b, eps), x)


def group_normalization(d: Draw) -> Case:
    groups = d.int(1, 4)
    C, eps = groups * d.int(1, 3), d.one_of(1e-5, 1e-2)
    layer = layers.GroupNormalization(d.normal(C), d.normal(C), groups, eps)
    return Case(layer, lambda x, g, b: functional.group_norm(x, groups, g, b, eps), d.image(C))


def local_response_normalization(d: Draw) -> Case:
    n, k = d.int(1, 6), float(d.rng.uniform(0.5, 2))
    alpha, beta = float(d.rng.uniform(0, 0.5)), float(d.rng.uniform(0.2, 1.2))
    layer = layers.LocalResponseNormalization(n, k, alpha, beta)
    # torch divides alpha by n
    return Case(
        layer, lambda x: functional.local_response_norm(x, n, alpha * n, beta, k), d.image()
    )


# ---- images of another size --------------------------------------------------------------------


def padding(d: Draw) -> Case:
    top, bottom, left, right = (d.int(0, 3) for _ in range(4))
    mode = d.one_of("constant", "edge", "reflect")
    value = float(d.normal(1)[0]) if mode == "constant" else 0.0
    layer = layers.Padding((top, bottom, left, right), mode, value)
    options = {"value": value} if mode == "constant" else {}
    name = "replicate" if mode == "edge" else mode
    sides = (left, right, top, bottom)
    return Case(layer, lambda x: functional.pad(x, sides, name, **options), d.image())


def upsampling(d: Draw) -> Case:
    scale, mode = d.pair(1, 4), d.one_of("nearest", "bilinear")
    layer = layers.Upsampling(scale, mode)
    scales = tuple(float(s) for s in scale)
    return Case(
        layer,
        lambda x: functional.interpolate(x, scale_factor=scales, mode=mode),
        d.image(least=1),
    )


KINDS = [
    *(convolution, convolution, depthwise_convolution, convolution_1d, transposed_convolution),
    *(max_pooling, average_pooling, pooling_1d, global_pooling, adaptive_pooling),
    *(batch_normalization, layer_normalization, group_normalization),
    *(local_response_normalization, padding, upsampling),
]


def cases() -> Iterator[Any]:
    for number, kind in enumerate(KINDS):
        for i in range(CASES_EACH):
            yield pytest.param(kind, 100 * number + i, id=f"{kind.__name__}-{number}-{i}")


def close(ours: np.ndarray, theirs: Any, what: str) -> None:
    theirs = theirs.detach().numpy()
    assert ours.shape == theirs.shape, what
    np.testing.assert_allclose(ours, theirs, rtol=1e-9, atol=1e-10, err_msg=what)


@pytest.mark.parametrize(("kind", "seed"), list(cases()))
def test_equals_torch(kind: Callable[[Draw], Case], seed: int) -> None:
    draw = Draw(seed)
    case = kind(draw)
    layer = case.layer
    names = [name for name in layer.param_names if getattr(layer, name) is not None]
    params = [torch.tensor(getattr(layer, name), requires_grad=True) for name in names]
    x = torch.tensor(case.x, requires_grad=True)
    y = case.theirs(x, *params)
    close(layer(case.x, case.train), y, f"y, {case}")
    dout = draw.normal(*y.shape)
    y.backward(torch.tensor(dout))
    close(layer.backward(dout), x.grad, f"dx, {case}")
    for name, param in zip(names, params):
        close(getattr(layer, "d" + name), param.grad, f"d{name}, {case}")
