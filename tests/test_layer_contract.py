"""What holds for every layer."""

from __future__ import annotations

import copy
import pickle

import numpy as np
import pytest
from layer_cases import F32, F64, LAYERS, close, draw

import pynet
from pynet.layers import (
    Affine,
    AveragePooling,
    BatchNormalization,
    Convolution,
    Dropout,
    Flatten,
    IdentityWithLoss,
    MulLayer,
    Pooling,
    Relu,
    Reshape,
    SigmoidWithLoss,
    SoftmaxWithLoss,
)

every_layer = pytest.mark.parametrize(("make", "shape"), LAYERS.values(), ids=LAYERS)


@every_layer
def test_backward_before_forward(make, shape):
    layer = make(F64)
    name = type(layer).__name__
    with pytest.raises(ValueError) as error:
        layer.backward(np.ones((3, 4)))
    assert str(error.value) == (
        f"[{name}.backward] x: expected forward() before backward(), got no saved input"
    )
    layer.backward(np.ones_like(layer.forward(draw(*shape))))


@pytest.mark.parametrize("loss", [SoftmaxWithLoss, SigmoidWithLoss, IdentityWithLoss, MulLayer])
def test_backward_before_forward_of_a_loss(loss):
    with pytest.raises(ValueError, match=r"\.backward\] x: expected forward\(\) before backward"):
        loss().backward(1)


@every_layer
@pytest.mark.parametrize("dtype", [F32, F64])
def test_dtype_and_inputs_are_kept(make, shape, dtype):
    layer = make(dtype)
    x = draw(*shape, dtype=dtype)
    y = layer.forward(x)
    dout = draw(*y.shape, dtype=F64, seed=1)  # dout does not decide
    x_before, dout_before = x.copy(), dout.copy()
    dx = layer.backward(dout)
    np.testing.assert_array_equal(x, x_before)
    np.testing.assert_array_equal(dout, dout_before)
    assert y.dtype == dtype and dx.shape == x.shape
    for name in layer.param_names:
        grad = getattr(layer, "d" + name)
        assert grad.dtype == dtype and grad.shape == getattr(layer, name).shape


@every_layer
def test_any_memory_layout(make, shape):
    x = draw(*shape)
    pynet.seed(0)
    plain = make(F64)
    y = plain.forward(x)
    dout = draw(*y.shape, seed=1)
    dx = plain.backward(dout)
    wide = np.zeros((*shape, 2))
    wide[..., 0] = x
    for odd_x in (np.asfortranarray(x), wide[..., 0], x[::-1].copy()[::-1]):
        pynet.seed(0)
        layer = make(F64)
        close(layer.forward(odd_x), y)
        close(layer.backward(np.asfortranarray(dout)), dx)


@every_layer
@pytest.mark.parametrize("dtype", [np.float16, np.uint8, np.int64, bool])
def test_other_numbers_count_as_float32(make, shape, dtype):
    x = (draw(*shape) > 0).astype(dtype)
    pynet.seed(0)
    layer = make(F32)
    y = layer.forward(x)
    pynet.seed(0)
    same = make(F32)
    np.testing.assert_array_equal(y, same.forward(x.astype(F32)))
    if not isinstance(layer, Reshape):
        assert y.dtype == F32
    dout = draw(*y.shape, dtype=F32, seed=1)
    np.testing.assert_array_equal(layer.backward(dout), same.backward(dout))


@every_layer
@pytest.mark.parametrize("duplicate", [copy.deepcopy, lambda x: pickle.loads(pickle.dumps(x))])
def test_layers_can_be_copied_and_pickled(make, shape, duplicate):
    layer = make(F64)
    x = draw(*shape)
    layer.forward(x)
    twin = duplicate(layer)
    y = layer.forward(x)
    np.testing.assert_array_equal(twin.forward(x), y)
    for name in layer.param_names:
        assert not np.shares_memory(getattr(twin, name), getattr(layer, name))
    np.testing.assert_array_equal(twin.backward(y), layer.backward(y))


@every_layer
def test_describe_tells_the_output_shape_and_the_parameters(make, shape):
    layer = make(F64)
    info = layer.describe(shape)
    assert layer.forward(draw(*shape)).shape == info.out_shape
    assert info.params == sum(getattr(layer, name).size for name in layer.param_names)
    assert [row.layer for row in layer.trace(shape)] == [layer]


def test_multiply_adds():
    assert Affine(draw(6, 4), draw(4)).describe((5, 6)).macs == 5 * 6 * 4
    conv = Convolution(draw(4, 2, 3, 3), draw(4), stride=2, pad=1)
    assert conv.describe((3, 2, 5, 6)).macs == 3 * 4 * (3 * 3) * (2 * 3 * 3)


@pytest.mark.parametrize(
    ("layer", "x"),
    [
        (Affine(draw(6, 4), draw(4)), np.ones((5, 7))),
        (Affine(draw(6, 4), draw(4)), np.ones((5, 6, 2))),
        (Affine(draw(6, 4), draw(4)), np.float64(3)),
        (Flatten(), np.float64(3)),
    ],
)
def test_inputs_that_do_not_fit(layer, x):
    name = type(layer).__name__
    with pytest.raises(ValueError, match=rf"^\[{name}.forward\] x: expected .*, got "):
        layer.forward(x)


def test_a_layer_works_on_after_an_error():
    layer = Affine(draw(6, 4), draw(4))
    x = draw(5, 6)
    y = layer.forward(x)
    with pytest.raises(ValueError):
        layer.forward(np.ones((5, 7)))
    with pytest.raises(ValueError, match=r"\[Affine.backward\] dout: expected shape \(5, 4\), got"):
        layer.backward(np.ones((5, 3)))
    close(layer.backward(y), y @ layer.W.T)
    close(layer.dW, x.T @ y)


def test_repr_shows_sizes():
    texts = [
        Affine(draw(6, 4), draw(4)),
        Affine.sized(10),
        Convolution(draw(4, 2, 3, 3), draw(4), pad=1),
        Convolution.sized(30, 5, stride=2),
        Pooling(2, 2),
        AveragePooling(3, 2, 1, 1),
        BatchNormalization(np.ones(3), np.zeros(3)),
        BatchNormalization.sized(),
        Dropout(0.3),
        Dropout(0.3, inverted=True),
        Relu(),
        SoftmaxWithLoss(),
    ]
    assert [repr(layer) for layer in texts] == [
        "Affine(6 -> 4)",
        "Affine(? -> 10)",
        "Convolution(2 -> 4, 3x3, pad=1)",
        "Convolution(? -> 30, 5x5, stride=2)",
        "Pooling(2x2, stride=2)",
        "AveragePooling(3x2, stride=1, pad=1)",
        "BatchNormalization(3)",
        "BatchNormalization(?)",
        "Dropout(0.3)",
        "Dropout(0.3, inverted=True)",
        "Relu()",
        "SoftmaxWithLoss()",
    ]
