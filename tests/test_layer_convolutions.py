"""Convolutions: the arithmetic that the book shows, 1-D, grouped, depthwise and transposed ones."""

from __future__ import annotations

import numpy as np
import pytest
from gradcheck import gradient_error, numerical_gradient
from layer_cases import F32, F64, close, draw

from pynet import ops, reference
from pynet.layers import (
    Convolution,
    Convolution1D,
    DepthwiseConvolution,
    Flatten,
    Padding,
    Reshape,
    Sequential,
    Tanh,
    TransposedConvolution,
)
from pynet.networks import Network
from pynet.util import conv_output_size


def whole(*shape, seed=0):
    """Data in {-1, 0, 1}: no sum is rounded."""
    return np.random.default_rng(seed).integers(-1, 2, shape).astype(F32)


# ---- the book's arithmetic ---------------------------------------------------------------------


def test_a_4x4_image_and_a_3x3_filter_give_2x2():
    x = np.array([[1, 2, 3, 0], [0, 1, 2, 3], [3, 0, 1, 2], [2, 3, 0, 1]], F32)[None, None]
    W = np.array([[2, 0, 1], [0, 1, 2], [1, 0, 2]], F32)[None, None]
    assert Convolution(W, None).forward(x).tolist() == [[[[15, 16], [6, 15]]]]
    assert Convolution(W, np.array([3], F32)).forward(x).tolist() == [[[[18, 19], [9, 18]]]]


def test_padding_by_1_makes_6x6_of_4x4_and_keeps_its_size():
    x, W = draw(1, 1, 4, 4), draw(1, 1, 3, 3)
    padded = Padding(1).forward(x)
    assert padded.shape == (1, 1, 6, 6)
    y = Convolution(W, None, pad=1).forward(x)
    assert y.shape == (1, 1, 4, 4)
    np.testing.assert_array_equal(y, Convolution(W, None).forward(padded))


@pytest.mark.parametrize("stride", [1, 2, 3])
@pytest.mark.parametrize("pad", [0, 1, 2])
@pytest.mark.parametrize("F", [1, 2, 3, 5])
@pytest.mark.parametrize("H", [5, 7, 8])
def test_output_size(H, F, pad, stride):
    """OH = (H + 2P - F)/S + 1, rounded down, in the formula, the layer and its description."""
    OH = (H + 2 * pad - F) // stride + 1
    layer = Convolution(draw(2, 1, F, F), None, stride, pad)
    assert layer.forward(draw(1, 1, H, H)).shape == (1, 2, OH, OH)
    assert layer.describe((1, 1, H, H)).out_shape == (1, 2, OH, OH)
    assert int(np.floor(conv_output_size(H, F, stride, pad))) == OH


def test_a_larger_stride_gives_a_smaller_output():
    x = draw(1, 1, 7, 7)
    sizes = [
        Convolution(draw(1, 1, 3, 3), None, stride).forward(x).shape[2] for stride in (1, 2, 3)
    ]
    assert sizes == [5, 3, 2]


def test_ten_images_of_750_values_become_ten_rows_of_75_columns():
    x = draw(10, 3, 5, 5)
    assert x.size == 750
    layer = Convolution(draw(4, 3, 5, 5), draw(4))
    y = layer.forward(x)
    assert layer.col.shape == (10, 75) and layer.col_W.shape == (75, 4) and y.shape == (10, 4, 1, 1)


@pytest.mark.parametrize("size", [1, 2, 3, 5])
def test_channels_must_agree(size):
    for C in (1, 2, 4):
        with pytest.raises(ValueError, match=r"W: expected 3 input channels like x, got \(4, "):
            Convolution(draw(4, C, size, size), None).forward(draw(2, 3, 6, 6))
    y = Convolution(draw(4, 3, size, size), None).forward(draw(2, 3, 6, 6))
    assert y.shape == (2, 4, 7 - size, 7 - size)


def test_a_1x1_convolution_is_a_matrix_product_over_the_channels():
    x, W = whole(2, 8, 5, 4), whole(3, 8, 1, 1, seed=1)
    layer = Convolution(W, None)
    np.testing.assert_array_equal(layer.forward(x), np.einsum("nchw,fc->nfhw", x, W[:, :, 0, 0]))
    info = layer.describe(x.shape)
    assert info.params == 3 * 8 and info.macs == 2 * 5 * 4 * 3 * 8


def test_a_1x1_bottleneck_needs_fewer_weights_and_multiplications():
    x_shape = (1, 256, 28, 28)
    plain = Convolution.sized(256, 3, pad=1, bias=False)
    bottleneck = Sequential(
        Convolution.sized(64, 1, bias=False),
        Convolution.sized(64, 3, pad=1, bias=False),
        Convolution.sized(256, 1, bias=False),
    )
    bottleneck.build(x_shape)
    rows = bottleneck.trace(x_shape)
    params = sum(row.description.params for row in rows)
    macs = sum(row.description.macs for row in rows)
    assert plain.describe(x_shape).params == 256 * 256 * 9 == 589_824
    assert params == 256 * 64 + 64 * 64 * 9 + 64 * 256 == 69_632
    assert plain.describe(x_shape).macs == 28 * 28 * 589_824 and macs == 28 * 28 * 69_632


def test_two_3x3_see_what_one_5x5_sees_with_18_weights_for_25():
    one = Convolution(np.ones((1, 1, 5, 5), F32), None)
    two = Sequential(*(Convolution(np.ones((1, 1, 3, 3), F32), None) for _ in range(2)))
    x = np.zeros((1, 1, 9, 9), F32)
    weights = [sum(row.description.params for row in net.trace(x.shape)) for net in (one, two)]
    assert weights == [25, 18]
    for net in (one, two):
        assert net.forward(x).shape == (1, 1, 5, 5)
        seen = net.backward(np.pad(np.ones((1, 1, 1, 1), F32), [(0, 0)] * 2 + [(2, 2)] * 2)) != 0
        assert seen[0, 0, 2:7, 2:7].all() and seen.sum() == 25


# ---- groups and channels -----------------------------------------------------------------------


def test_groups_are_convolutions_side_by_side():
    x, W = whole(2, 6, 7, 5), whole(9, 2, 3, 2, seed=1)
    y = Convolution(W, None, 2, 1, groups=3).forward(x)
    parts = [
        Convolution(W[3 * g : 3 * g + 3], None, 2, 1).forward(x[:, 2 * g : 2 * g + 2])
        for g in range(3)
    ]
    np.testing.assert_array_equal(y, np.concatenate(parts, axis=1))


@pytest.mark.parametrize("multiplier", [1, 2])
def test_depthwise_convolution(multiplier):
    x, W = whole(2, 3, 7, 6), whole(3 * multiplier, 1, 3, 3, seed=1)
    layer = DepthwiseConvolution(W, None, pad=1, multiplier=multiplier)
    y = layer.forward(x)
    assert y.shape == (2, 3 * multiplier, 7, 6)
    for f in range(3 * multiplier):
        own = slice(f // multiplier, f // multiplier + 1)
        alone = Convolution(W[f : f + 1], None, pad=1).forward(x[:, own])
        np.testing.assert_array_equal(y[:, f : f + 1], alone)
    assert layer.describe(x.shape).params == 9 * 3 * multiplier
    assert layer.describe(x.shape).macs == 2 * 7 * 6 * 9 * 3 * multiplier


def test_a_depthwise_layer_takes_its_channels_from_its_first_input():
    layer = DepthwiseConvolution.sized((3, 2), multiplier=2)
    assert repr(layer) == "DepthwiseConvolution(? -> 2, 3x2)"
    assert layer.describe((1, 5, 4, 4)).params == 5 * 2 * 6 + 10
    assert layer.forward(draw(1, 5, 4, 4)).shape == (1, 10, 2, 3)
    assert layer.W.shape == (10, 1, 3, 2) and layer.groups == 5 and layer.b.shape == (10,)
    assert repr(layer) == "DepthwiseConvolution(5 -> 10, 3x2, groups=5)"


@pytest.mark.parametrize("multiplier", [0, -1, 4])
def test_a_multiplier_that_fits_nothing(multiplier):
    with pytest.raises(ValueError, match=r"\[DepthwiseConvolution\] multiplier: expected .*, got"):
        DepthwiseConvolution(draw(6, 1, 3, 3), None, multiplier=multiplier)


# ---- sequences ---------------------------------------------------------------------------------


def test_convolution_along_a_sequence():
    x, W, b = whole(2, 3, 11), whole(4, 3, 3, seed=1), whole(4, seed=2)
    layer = Convolution1D(W, b, stride=2, pad=1, dilation=2)
    y = layer.forward(x)
    assert y.shape == (2, 4, 5) == layer.describe(x.shape).out_shape
    padded = np.pad(x, [(0, 0), (0, 0), (1, 1)])
    for i in range(5):
        window = padded[:, :, 2 * i : 2 * i + 5 : 2]
        np.testing.assert_array_equal(y[:, :, i], np.einsum("ncp,fcp->nf", window, W) + b)
    assert layer.describe(x.shape).macs == 2 * 5 * 4 * 3 * 3
    assert repr(layer) == "Convolution1D(3 -> 4, 3, stride=2, pad=1, dilation=2)"


def test_a_sequence_layer_takes_its_channels_from_its_first_input():
    layer = Convolution1D.sized(6, 3, groups=2)
    assert repr(layer) == "Convolution1D(? -> 6, 3, groups=2)"
    assert layer.forward(draw(1, 4, 7)).shape == (1, 6, 5)
    assert layer.W.shape == (6, 2, 3) and layer.W.std() == pytest.approx(np.sqrt(2 / 6), rel=0.4)


def test_sequences_refuse_images():
    layer = Convolution1D(draw(4, 3, 3), None)
    for bad in (draw(2, 3), draw(2, 3, 5, 5)):
        with pytest.raises(ValueError, match=r"\[Convolution1D.forward\] x: expected shape"):
            layer.forward(bad)
    with pytest.raises(TypeError, match=r"\[Convolution1D.sized\] filter_size: expected an int"):
        Convolution1D.sized(4, (3, 3))


# ---- transposed --------------------------------------------------------------------------------

TRANSPOSED = [
    {},
    {"stride": 2},
    {"stride": 2, "pad": 1, "output_pad": 1},
    {"stride": (3, 2), "pad": (1, 0), "output_pad": (2, 0)},
    {"dilation": 2, "pad": 1},
    {"groups": 2, "stride": 2},
]


@pytest.mark.parametrize("options", TRANSPOSED, ids=str)
def test_the_transposed_convolution_is_the_adjoint_of_the_convolution(options):
    """<conv(u), x> = <u, transposed(x)> for the same filters, exactly."""
    x, W = whole(2, 4, 3, 5), whole(4, 3, 3, 2, seed=1)
    layer = TransposedConvolution(W, None, **options)
    y = layer.forward(x)
    assert y.shape == layer.describe(x.shape).out_shape
    assert y.shape[1] == 3 * options.get("groups", 1)
    u = whole(*y.shape, seed=2)
    kept = {k: v for k, v in options.items() if k != "output_pad"}
    conv = Convolution(W, None, **kept).forward(u)
    assert conv.shape == x.shape
    assert float(np.sum(conv * x)) == float(np.sum(u * y))
    np.testing.assert_array_equal(layer.backward(u), conv)


def test_a_pixel_stamps_its_filter():
    x = np.zeros((1, 1, 2, 2), F32)
    x[0, 0, 0, 1] = 2
    W = np.array([[1, 2], [3, 4]], F32)[None, None]
    y = TransposedConvolution(W, np.array([10], F32), stride=2).forward(x)
    assert y[0, 0].tolist() == [[10, 10, 12, 14], [10, 10, 16, 18], [10] * 4, [10] * 4]


def test_a_transposed_layer_takes_its_channels_from_its_first_input():
    layer = TransposedConvolution.sized(6, 4, stride=2, pad=1, groups=2)
    assert repr(layer) == "TransposedConvolution(? -> 6, 4x4, stride=2, pad=1, groups=2)"
    y = layer.forward(draw(2, 100, 5, 7).astype(F32))
    assert y.shape == (2, 6, 10, 14) and y.dtype == F32
    assert layer.W.shape == (100, 3, 4, 4) and layer.b.shape == (6,)
    assert layer.W.std() == pytest.approx(np.sqrt(2 / (50 * 16)), rel=0.05)
    assert repr(layer) == "TransposedConvolution(100 -> 6, 4x4, stride=2, pad=1, groups=2)"
    assert layer.describe((2, 100, 5, 7)).macs == 2 * 5 * 7 * 100 * 3 * 16


def test_a_transposed_layer_refuses_what_does_not_fit():
    W = draw(4, 3, 3, 3)
    for layer, x in [
        (TransposedConvolution(W, None), draw(2, 3, 5, 5)),
        (TransposedConvolution(W, None), draw(2, 4, 5)),
        (TransposedConvolution(W, draw(2)), draw(2, 4, 5, 5)),
        (TransposedConvolution(W, None, stride=2, output_pad=2), draw(2, 4, 5, 5)),
        (TransposedConvolution(W, None, pad=5), draw(2, 4, 5, 5)),
        (TransposedConvolution(None, None), draw(2, 4, 5, 5)),
    ]:
        with pytest.raises(ValueError, match=r"^\[TransposedConvolution.*\] \w+: expected .*, got"):
            layer.forward(x)
    with pytest.raises(
        ValueError, match=r"^\[TransposedConvolution\] output_pad: expected at least 0"
    ):
        TransposedConvolution(W, None, output_pad=-1)


def test_the_result_is_double_where_any_argument_is():
    for dtypes in [(F64, F32, F32), (F32, F64, F32), (F32, F32, F64), (F32, F32, F32)]:
        x, W, b = (draw(*s, dtype=d) for s, d in zip([(1, 2, 3, 3), (2, 3, 2, 2), (3,)], dtypes))
        layer = TransposedConvolution(W, b)
        wanted = F64 if F64 in dtypes else F32
        y = layer.forward(x)
        assert y.dtype == layer.backward(y).dtype == layer.dW.dtype == layer.db.dtype == wanted


# ---- in a network ------------------------------------------------------------------------------


def test_all_of_them_in_one_network():
    net = Network(
        Sequential(
            DepthwiseConvolution.sized(3, pad=1, multiplier=2),
            Tanh(),
            TransposedConvolution.sized(2, 2, stride=2),
            Flatten(),
            Reshape(2, -1),
            Convolution1D.sized(3, 5, stride=4),
            Flatten(),
        ),
        input_dim=(3, 3, 2),
        dtype=F64,
    )
    x, t = draw(2, 3, 3, 2), np.array([4, 7])
    assert list(net.params) == ["W1", "b1", "W2", "b2", "W3", "b3"]
    grads, numerical = net.gradient(x, t), net.numerical_gradient(x, t)
    for key in net.params:
        assert gradient_error(grads[key], numerical[key]) < 1e-6, key


def test_gradients_are_written_where_a_network_wants_them():
    layer, x = Convolution1D(draw(4, 3, 3), draw(4)), draw(2, 3, 6)
    views = {"W": np.zeros((4, 3, 3)), "b": np.zeros(4)}
    y = layer.forward(x)
    layer.bind_grads(views)
    layer.backward(y)
    assert layer.dW is views["W"] and layer.db is views["b"]
    numerical = numerical_gradient(lambda: float((layer.forward(x) * y).sum()), layer.W)
    assert gradient_error(views["W"], numerical) < 1e-7


def test_naive_loops_im2col_and_the_kernel_agree():
    x, W = draw(2, 3, 6, 5), draw(4, 3, 3, 2)
    naive = reference.conv2d_naive(x, W, stride=2, pad=1)
    close(ops.conv2d(x, W, stride=2, pad=1), naive)
    close(reference.conv2d(x, W, stride=2, pad=1), naive)
