"""What each layer of the book computes and keeps; see also the other test_layer_*.py."""

from __future__ import annotations

import numpy as np
import pytest
from layer_cases import F32, F64, close, draw

from pynet.layers import (
    Affine,
    AveragePooling,
    Convolution,
    Flatten,
    GlobalAveragePooling,
    Pooling,
    Relu,
    Sigmoid,
    Tanh,
)


def windows(x, FH, FW, stride, pad, fill=0.0):
    """(N, C, OH, OW, FH, FW): what each window sees."""
    x = np.pad(x, ((0, 0), (0, 0), (pad, pad), (pad, pad)), constant_values=fill)
    seen = np.lib.stride_tricks.sliding_window_view(x, (FH, FW), axis=(2, 3))
    return seen[:, :, ::stride, ::stride]


@pytest.mark.parametrize("dtype", [F32, F64])
def test_relu(dtype):
    x = np.array([[-1, 0, 2], [np.nan, -0.0, np.inf]], dtype)
    kept = x.copy()
    layer = Relu()
    assert layer.mask is None
    y = layer.forward(x)
    assert y.dtype == dtype
    np.testing.assert_array_equal(y, [[0, 0, 2], [np.nan, 0, np.inf]])
    np.testing.assert_array_equal(layer.mask, [[True, True, False], [False, True, False]])
    dout = np.array([[1, 2, 3], [4, 5, 6]], dtype)
    dx = layer.backward(dout)
    assert dx[0].tolist() == [0, 0, 3] and dx[1, 1:].tolist() == [0, 6]
    np.testing.assert_array_equal(x, kept)
    assert dout.tolist() == [[1, 2, 3], [4, 5, 6]], "backward leaves dout alone"


@pytest.mark.parametrize("dtype", [F32, F64])
def test_sigmoid_and_tanh(dtype):
    x, dout = draw(4, 3, dtype=dtype), draw(4, 3, dtype=dtype, seed=1)
    s = 1 / (1 + np.exp(-x.astype(F64)))
    for layer, y, slope in [
        (Sigmoid(), s, s * (1 - s)),
        (Tanh(), np.tanh(x.astype(F64)), 1 - np.tanh(x.astype(F64)) ** 2),
    ]:
        assert layer.out is None
        got = layer.forward(x)
        assert layer.out is got and got.dtype == dtype
        close(got, y, dtype)
        close(layer.backward(dout), dout * slope, dtype)


@pytest.mark.parametrize("dtype", [F32, F64])
def test_affine(dtype):
    x, W, b = draw(5, 3, dtype=dtype), draw(3, 4, dtype=dtype), draw(4, dtype=dtype)
    layer = Affine(W, b)
    assert layer.W is W and layer.b is b, "by reference"
    assert layer.x is layer.dW is layer.db is layer.original_x_shape is None
    y = layer.forward(x)
    assert y.dtype == dtype and y.shape == (5, 4)
    close(y, x @ W + b, dtype)
    dout = draw(5, 4, dtype=dtype, seed=1)
    close(layer.backward(dout), dout @ W.T, dtype)
    close(layer.dW, x.T @ dout, dtype)
    close(layer.db, dout.sum(axis=0), dtype)
    assert layer.dW.dtype == layer.db.dtype == dtype
    assert layer.original_x_shape == (5, 3)


def test_affine_flattens_its_input_and_gives_dx_back_in_its_shape():
    x, W, b = draw(5, 2, 3, 4), draw(24, 6), draw(6)
    layer = Affine(W, b)
    close(layer.forward(x), x.reshape(5, 24) @ W + b)
    assert layer.x.shape == (5, 24) and layer.original_x_shape == (5, 2, 3, 4)
    dout = draw(5, 6, seed=1)
    dx = layer.backward(dout)
    assert dx.shape == x.shape
    close(dx, (dout @ W.T).reshape(x.shape))


def test_affine_without_bias():
    layer = Affine(draw(3, 4), None)
    close(layer.forward(draw(2, 3)), draw(2, 3) @ layer.W)
    layer.backward(draw(2, 4))
    assert layer.db is None
    assert [slot.key for slot in layer.named_parameters()] == ["W1"]


def test_affine_skips_dx_when_it_is_not_needed():
    layer = Affine(draw(3, 4), draw(4))
    layer.forward(draw(2, 3))
    assert layer.backward(draw(2, 4), need_dx=False) is None
    close(layer.dW, draw(2, 3).T @ draw(2, 4))


def test_flatten():
    x = draw(2, 3, 4, 5)
    layer = Flatten()
    y = layer.forward(x)
    assert y.shape == (2, 60)
    np.testing.assert_array_equal(layer.backward(y), x)


CONVS = [(1, 0), (1, 1), (2, 0), (2, 3), (3, 2)]


@pytest.mark.parametrize(("stride", "pad"), CONVS)
@pytest.mark.parametrize("dtype", [F32, F64])
def test_convolution(stride, pad, dtype):
    x, W, b = draw(2, 3, 7, 6, dtype=dtype), draw(4, 3, 3, 2, dtype=dtype), draw(4, dtype=dtype)
    layer = Convolution(W, b, stride, pad)
    assert layer.W is W and layer.b is b
    assert layer.x is layer.col is layer.col_W is layer.dW is layer.db is None
    y = layer.forward(x)
    seen = windows(x.astype(F64), 3, 2, stride, pad)
    close(y, np.einsum("ncijpq,fcpq->nfij", seen, W) + b[:, None, None], dtype)
    assert y.dtype == dtype and y.flags.c_contiguous
    assert y.shape[2:] == (1 + (7 + 2 * pad - 3) // stride, 1 + (6 + 2 * pad - 2) // stride)

    dout = draw(*y.shape, dtype=dtype, seed=1)
    dx = layer.backward(dout)
    close(layer.dW, np.einsum("ncijpq,nfij->fcpq", seen, dout), dtype)
    close(layer.db, dout.sum(axis=(0, 2, 3)), dtype)
    assert dx.shape == x.shape and dx.dtype == layer.dW.dtype == layer.db.dtype == dtype
    # dx is the adjoint of the (linear) forward pass
    without_b = y.astype(F64) - b[:, None, None]
    assert np.vdot(dx, x) == pytest.approx(np.vdot(dout, without_b), rel=1e-4)


def test_convolution_shows_the_books_matrices():
    x, W, b = draw(2, 3, 7, 6), draw(4, 3, 3, 2), draw(4)
    layer = Convolution(W, b, stride=2, pad=1)
    y = layer.forward(x)
    OH, OW = y.shape[2:]
    assert layer.col.shape == (2 * OH * OW, 18) and layer.col_W.shape == (18, 4)
    product = (layer.col @ layer.col_W + b).reshape(2, OH, OW, 4).transpose(0, 3, 1, 2)
    close(y, product)


def test_convolution_by_axis_dilation_and_groups():
    x, W = draw(2, 4, 9, 8), draw(6, 2, 3, 2)
    layer = Convolution(W, draw(6), stride=(2, 1), pad=(1, 2), dilation=(2, 3), groups=2)
    y = layer.forward(x)
    spread = np.zeros((6, 2, 5, 4))
    spread[:, :, ::2, ::3] = W
    padded = np.pad(x, ((0, 0), (0, 0), (1, 1), (2, 2)))
    seen = np.lib.stride_tricks.sliding_window_view(padded, (5, 4), axis=(2, 3))[:, :, ::2]
    for group in range(2):
        filters = slice(3 * group, 3 * group + 3)
        part = np.einsum("ncijpq,fcpq->nfij", seen[:, 2 * group : 2 * group + 2], spread[filters])
        close(y[:, filters], part + draw(6)[filters, None, None])
    assert layer.describe(x.shape).out_shape == y.shape
    assert repr(layer) == (
        "Convolution(4 -> 6, 3x2, stride=(2, 1), pad=(1, 2), dilation=(2, 3), groups=2)"
    )


def test_convolution_with_a_scalar_bias_as_apply_filter_uses_it():
    x, W = draw(1, 1, 8, 8, dtype=F32), draw(1, 1, 3, 3)
    layer = Convolution(W, 0)
    y = layer.forward(x)
    assert y.dtype == F64, "a float64 filter on a float32 image"
    close(y, np.einsum("ncijpq,fcpq->nfij", windows(x, 3, 3, 1, 0), W))
    layer.backward(np.ones_like(y))
    assert layer.db.shape == (1,)
    assert [slot.key for slot in layer.named_parameters()] == ["W1"], "0 is a constant"
    close(Convolution(W, 1.5).forward(x), y + 1.5)


def test_convolution_without_bias_and_without_dx():
    layer = Convolution(draw(4, 3, 3, 2), None)
    y = layer.forward(draw(2, 3, 7, 6))
    assert layer.backward(np.ones_like(y), need_dx=False) is None
    assert layer.db is None and layer.dW.shape == layer.W.shape


@pytest.mark.parametrize(("kernel", "stride", "pad"), [((2, 2), 2, 0), ((3, 2), 1, 1)])
@pytest.mark.parametrize("dtype", [F32, F64])
def test_pooling(kernel, stride, pad, dtype):
    x = draw(2, 3, 6, 7, dtype=dtype)
    layer = Pooling(*kernel, stride=stride, pad=pad)
    assert layer.x is layer.arg_max is None
    y = layer.forward(x)
    seen = windows(x, *kernel, stride, pad, fill=-np.inf)
    flat = seen.reshape(*seen.shape[:4], -1)
    np.testing.assert_array_equal(y, flat.max(axis=-1))
    assert y.dtype == dtype and layer.x is x

    # the book's order: n, y, x, c
    want = flat.argmax(axis=-1).transpose(0, 2, 3, 1).ravel()
    np.testing.assert_array_equal(layer.arg_max, want)

    dout = draw(*y.shape, dtype=dtype, seed=1)
    dx = layer.backward(dout)
    assert dx.shape == x.shape and dx.dtype == dtype
    assert dx.sum() == pytest.approx(dout.sum(), rel=1e-4)
    assert np.vdot(dx, x) == pytest.approx(np.vdot(dout, y), rel=1e-4)


def test_pooling_stride_is_2_by_default():
    assert Pooling(2, 2).stride == 2
    assert Pooling(3, 3).forward(draw(1, 1, 7, 7)).shape == (1, 1, 3, 3)


def test_pooling_takes_the_first_of_equal_values_and_overlaps_add_up():
    layer = Pooling(2, 2, stride=1)
    layer.forward(np.ones((1, 1, 2, 3)))
    assert layer.arg_max.tolist() == [0, 0]
    assert layer.backward(np.array([[[[1.0, 2.0]]]])).tolist() == [[[[1, 2, 0], [0, 0, 0]]]]
    x = np.zeros((1, 1, 3, 3))
    x[0, 0, 1, 1] = 1
    layer.forward(x)
    assert layer.backward(np.ones((1, 1, 2, 2)))[0, 0, 1, 1] == 4


def test_padding_never_wins():
    layer = Pooling(2, 2, stride=2, pad=1)
    y = layer.forward(np.full((1, 1, 2, 2), -5.0))
    assert y.tolist() == [[[[-5, -5], [-5, -5]]]]


@pytest.mark.parametrize("count_pad", [True, False])
def test_average_pooling(count_pad):
    x = draw(2, 3, 6, 7)
    layer = AveragePooling(3, 2, stride=2, pad=1, count_pad=count_pad)
    y = layer.forward(x)
    total = windows(x, 3, 2, 2, 1).sum(axis=(-1, -2))
    inside = windows(np.ones_like(x), 3, 2, 2, 1).sum(axis=(-1, -2))
    close(y, total / (6 if count_pad else inside))
    dout = draw(*y.shape, seed=1)
    assert np.vdot(layer.backward(dout), x) == pytest.approx(np.vdot(dout, y), rel=1e-12)


def test_global_average_pooling():
    x = draw(2, 3, 4, 5)
    layer = GlobalAveragePooling()
    close(layer.forward(x), x.mean(axis=(2, 3)))
    dx = layer.backward(np.ones((2, 3)))
    close(dx, np.full(x.shape, 1 / 20))
