"""Pooling of all kinds, padding, upsampling and reshaping."""

from __future__ import annotations

import numpy as np
import pytest
from layer_cases import F32, F64, close, draw

from pynet.layers import (
    AdaptiveAveragePooling,
    AdaptiveMaxPooling,
    AveragePooling,
    AveragePooling1D,
    Flatten,
    GlobalAveragePooling,
    GlobalMaxPooling,
    Padding,
    Pooling,
    Pooling1D,
    Reshape,
    Upsampling,
    ZeroPadding,
)

# ---- pooling -----------------------------------------------------------------------------------


def test_max_and_average_of_2x2():
    x = np.array([[1, 2, 1, 0], [0, 1, 2, 3], [3, 0, 1, 2], [2, 4, 0, 1]], F32)[None, None]
    assert Pooling(2, 2).forward(x).tolist() == [[[[2, 3], [4, 2]]]]
    assert AveragePooling(2, 2).forward(x).tolist() == [[[[1, 1.5], [2.25, 1]]]]


def test_pooling_has_no_parameters_and_keeps_the_channels():
    for layer in (Pooling(2, 2), AveragePooling(2, 2), GlobalMaxPooling()):
        info = layer.describe((5, 7, 8, 6))
        assert info.params == info.macs == 0 and info.out_shape[:2] == (5, 7)
        assert not layer.has_params


def test_pooling_hardly_notices_a_shift_by_one_pixel():
    """A maximum that stays in its window stays in the output."""
    x = np.array(
        [
            [[1, 2, 0, 7, 1, 0], [0, 9, 2, 3, 2, 3], [3, 0, 1, 2, 1, 2]],
            [[1, 1, 2, 0, 7, 1], [3, 0, 9, 2, 3, 2], [2, 3, 0, 1, 2, 1]],  # one to the right
        ],
        F32,
    )[:, None]
    y, shifted = Pooling(3, 3, stride=3).forward(x)
    np.testing.assert_array_equal(y, shifted)
    rng = np.random.default_rng(0)
    sparse = (rng.random((50, 1, 24, 24)) < 0.05) * rng.random((50, 1, 24, 24))
    moved = np.roll(sparse, 1, axis=3)
    pooled, pooled_moved = (Pooling(4, 4, stride=4).forward(a) for a in (sparse, moved))
    assert np.mean(sparse != moved) / np.mean(sparse != 0) > 1.8, "nearly every mark has moved"
    assert np.mean(pooled == pooled_moved) > 0.6


def test_global_max_pooling():
    x = draw(2, 3, 4, 5)
    layer = GlobalMaxPooling()
    np.testing.assert_array_equal(layer.forward(x), x.max(axis=(2, 3)))
    dx = layer.backward(np.ones((2, 3)))
    np.testing.assert_array_equal(dx, x == x.max(axis=(2, 3), keepdims=True))
    with pytest.raises(ValueError, match=r"\[GlobalMaxPooling.backward\] dout: expected shape"):
        layer.backward(np.ones((2, 3, 1, 1)))
    with pytest.raises(ValueError, match=r"\[GlobalMaxPooling.forward\] x: expected shape"):
        layer.forward(x[0])


def test_pooling_along_a_sequence():
    x = draw(2, 3, 9)
    windows = np.lib.stride_tricks.sliding_window_view(x, 3, axis=2)[:, :, ::2]
    np.testing.assert_array_equal(Pooling1D(3).forward(x), windows.max(axis=3))
    close(AveragePooling1D(3).forward(x), windows.mean(axis=3))
    assert Pooling1D(3, 2, 1).describe(x.shape).out_shape == (2, 3, 5)
    assert repr(Pooling1D(3, 1, 1)) == "Pooling1D(3, stride=1, pad=1)"
    layer = AveragePooling1D(2)
    layer.forward(x)
    dx = layer.backward(np.ones((2, 3, 4)))
    assert dx.shape == x.shape and dx[0, 0].tolist() == [0.5] * 8 + [0]
    for bad in (draw(2, 3), draw(2, 3, 4, 4)):
        with pytest.raises(ValueError, match=r"\[AveragePooling1D.forward\] x: expected shape"):
            layer.forward(bad)


@pytest.mark.parametrize("size", [1, 2, (3, 2), (7, 5), (4, 9), 10])
def test_adaptive_pooling(size):
    x = draw(2, 3, 7, 5)
    OH, OW = (size, size) if isinstance(size, int) else size
    mean, largest = np.empty((2, 3, OH, OW)), np.empty((2, 3, OH, OW))
    for i in range(OH):
        rows = slice(i * 7 // OH, -(-(i + 1) * 7 // OH))
        for j in range(OW):
            window = x[:, :, rows, j * 5 // OW : -(-(j + 1) * 5 // OW)]
            mean[:, :, i, j] = window.mean(axis=(2, 3))
            largest[:, :, i, j] = window.max(axis=(2, 3))
    average, maximum = AdaptiveAveragePooling(size), AdaptiveMaxPooling(size)
    close(average.forward(x), mean)
    np.testing.assert_array_equal(maximum.forward(x), largest)
    dout = draw(2, 3, OH, OW, seed=1)
    for layer, y in ((average, mean), (maximum, largest)):
        assert layer.describe(x.shape).out_shape == y.shape
        dx = layer.backward(dout)
        assert np.vdot(dx, x) == pytest.approx(np.vdot(dout, y), rel=1e-12)
        assert dx.sum() == pytest.approx(dout.sum(), rel=1e-12)


def test_adaptive_pooling_that_divides_is_pooling_and_to_one_pixel_is_global():
    x = draw(2, 3, 6, 8)
    close(AdaptiveAveragePooling((3, 4)).forward(x), AveragePooling(2, 2).forward(x))
    np.testing.assert_array_equal(AdaptiveMaxPooling((3, 4)).forward(x), Pooling(2, 2).forward(x))
    close(AdaptiveAveragePooling(1).forward(x)[:, :, 0, 0], GlobalAveragePooling().forward(x))
    largest = AdaptiveMaxPooling(1).forward(x)[:, :, 0, 0]
    np.testing.assert_array_equal(largest, GlobalMaxPooling().forward(x))


def test_an_infinite_pixel_stays_in_its_window():
    x = np.zeros((1, 1, 5, 5))
    x[0, 0, 4, 4] = np.inf
    y = AdaptiveAveragePooling(3).forward(x)
    assert np.isinf(y[0, 0, 2, 2]) and np.isfinite(y).sum() == 8
    padded = Padding(1).forward(x)
    assert np.isinf(padded).sum() == 1 and not np.isnan(padded).any()


@pytest.mark.parametrize("layer", [AdaptiveAveragePooling, AdaptiveMaxPooling])
def test_adaptive_pooling_refuses_other_sizes(layer):
    for size in (0, -1, (2, 0)):
        with pytest.raises(ValueError, match=r"\[Adaptive\w+\] size: expected at least 1, got"):
            layer(size)
    with pytest.raises(ValueError, match=r"\[Adaptive\w+.forward\] x: expected shape \(N, C, H, W"):
        layer(2).forward(draw(2, 3, 4))
    assert repr(layer((3, 2))).endswith("Pooling(3x2)")


# ---- padding and upsampling --------------------------------------------------------------------

PADS = [(1, ((1, 1), (1, 1))), ((2, 0), ((2, 2), (0, 0))), ((0, 1, 2, 3), ((0, 1), (2, 3)))]


@pytest.mark.parametrize("mode", ["constant", "edge", "reflect"])
@pytest.mark.parametrize(("pad", "sides"), PADS)
@pytest.mark.parametrize("dtype", [F32, F64])
def test_padding(pad, sides, mode, dtype):
    x = draw(2, 3, 4, 5, dtype=dtype)
    layer = Padding(pad, mode)
    y = layer.forward(x)
    np.testing.assert_array_equal(y, np.pad(x, [(0, 0), (0, 0), *sides], mode))
    assert y.dtype == dtype and layer.describe(x.shape).out_shape == y.shape
    dout = np.random.default_rng(1).integers(-1, 2, y.shape).astype(dtype)
    dx = layer.backward(dout)
    whole = np.random.default_rng(2).integers(-3, 4, x.shape).astype(dtype)
    assert np.sum(dx * whole) == np.sum(dout * layer.forward(whole)), "the adjoint"


def test_padding_with_a_value():
    x = draw(1, 2, 2, 2)
    y = Padding(1, value=-2.5).forward(x)
    np.testing.assert_array_equal(y, np.pad(x, [(0, 0)] * 2 + [(1, 1)] * 2, constant_values=-2.5))
    np.testing.assert_array_equal(ZeroPadding(2).forward(x), Padding(2).forward(x))
    names = [Padding(1, value=-2.5), Padding((1, 2), "edge"), ZeroPadding(1)]
    texts = ["Padding(1, value=-2.5)", "Padding((1, 2), 'edge')", "ZeroPadding(1)"]
    assert list(map(repr, names)) == texts


def test_padding_refuses_what_is_none():
    for pad in (-1, (1,), (1, 2, 3), (1, -1), 1.5, (1.0, 1)):
        with pytest.raises((ValueError, TypeError)):
            Padding(pad)
    with pytest.raises(
        ValueError, match=r"\[Padding\] mode: expected one of constant, reflect, ed"
    ):
        Padding(1, "wrap")
    with pytest.raises(ValueError, match=r"\[Padding\] value: expected a finite number, got nan"):
        Padding(1, value=np.nan)
    with pytest.raises(
        ValueError, match=r"\[Padding.forward\] x: expected sides above the padding"
    ):
        Padding(4, "reflect").forward(draw(1, 1, 4, 9))
    assert Padding(3, "reflect").forward(draw(1, 1, 4, 9)).shape == (1, 1, 10, 15)


@pytest.mark.parametrize("scale", [1, 2, (3, 2)])
def test_nearest_upsampling_repeats_pixels(scale):
    x = draw(2, 3, 4, 5)
    sh, sw = (scale, scale) if isinstance(scale, int) else scale
    layer = Upsampling(scale)
    np.testing.assert_array_equal(layer.forward(x), x.repeat(sh, axis=2).repeat(sw, axis=3))
    dx = layer.backward(np.ones((2, 3, 4 * sh, 5 * sw)))
    assert (dx == sh * sw).all()


def test_bilinear_upsampling():
    x = np.array([[0.0, 4.0]])[None, None]
    y = Upsampling((1, 2), "bilinear").forward(x)
    assert y.tolist() == [[[[0, 1, 3, 4]]]]
    flat = Upsampling(3, "bilinear").forward(np.full((1, 1, 1, 4), 0.25))
    assert (flat == 0.25).all() and flat.shape == (1, 1, 3, 12)
    slope = np.arange(6.0)[None, None, :, None] * np.ones(3)
    inner = Upsampling(2, "bilinear").forward(slope)[0, 0, 1:-1, 0]
    close(np.diff(inner), np.full(9, 0.5))  # a straight line stays one


def test_upsampling_refuses_what_is_none():
    for scale in (0, -1, (2, 0)):
        with pytest.raises(ValueError, match=r"\[Upsampling\] scale: expected at least 1, got"):
            Upsampling(scale)
    with pytest.raises(ValueError, match=r"\[Upsampling\] mode: expected one of nearest, bilinear"):
        Upsampling(2, "cubic")
    with pytest.raises(
        ValueError, match=r"\[Upsampling.forward\] x: expected shape \(N, C, H, W\)"
    ):
        Upsampling().forward(draw(3, 4))
    assert repr(Upsampling((2, 1), "bilinear")) == "Upsampling((2, 1), 'bilinear')"


# ---- reshaping ---------------------------------------------------------------------------------


def test_flatten_makes_784_of_1_x_28_x_28():
    assert Flatten().forward(np.zeros((5, 1, 28, 28), F32)).shape == (5, 784)
    assert Flatten().describe((5, 1, 28, 28)).out_shape == (5, 784)
    assert repr(Flatten()) == "Flatten()"


def test_reshape():
    x = draw(4, 6, 2)
    layer = Reshape(2, -1, 3)
    y = layer.forward(x)
    assert y.shape == (4, 2, 2, 3) == layer.describe(x.shape).out_shape
    np.testing.assert_array_equal(layer.backward(y), x)
    assert repr(layer) == "Reshape(2, -1, 3)"
    assert Reshape(1, 28, 28).forward(np.zeros((3, 784), F32)).shape == (3, 1, 28, 28)


def test_reshape_refuses_what_does_not_fit():
    for shape in ((0,), (-2,), (-1, -1), (1.5,), (True,), ("2",)):
        with pytest.raises(ValueError, match=r"\[Reshape\] shape: expected sizes of at least 1"):
            Reshape(*shape)
    for layer in (Reshape(5), Reshape(5, -1)):
        with pytest.raises(ValueError, match=r"\[Reshape.forward\] x: expected samples that fill"):
            layer.forward(draw(2, 6))
    with pytest.raises(ValueError, match=r"\[Reshape.forward\] x: expected shape \(N, ...\), got"):
        Reshape(1).forward(F64(3))
