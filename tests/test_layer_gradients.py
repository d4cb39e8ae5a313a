"""Every layer's, loss's and container's gradients against differences, in float64."""

from __future__ import annotations

import numpy as np
import pytest
from gradcheck import gradient_error, numerical_gradient
from layer_cases import LAYERS, draw

from pynet.layers import (
    AdaptiveAveragePooling,
    AdaptiveMaxPooling,
    Affine,
    AveragePooling,
    AveragePooling1D,
    BatchNormalization,
    ChannelDropout,
    Concat,
    Convolution,
    Convolution1D,
    DepthwiseConvolution,
    Dropout,
    GroupNormalization,
    IdentityWithLoss,
    LayerNormalization,
    LocalResponseNormalization,
    Pooling,
    Relu,
    Residual,
    Sequential,
    Sigmoid,
    SigmoidWithLoss,
    SoftmaxWithLoss,
    Tanh,
    TransposedConvolution,
    Upsampling,
)

LIMIT = 1e-7


def spread(*shape, seed=0):
    """Values apart from another and from 0: no ReLU and no maximum changes sides."""
    size = int(np.prod(shape))
    values = 0.2 * (np.arange(size) - size // 2) + 0.1
    return np.random.default_rng(seed).permutation(values).reshape(shape)


def conv(FN, C, FH, FW, *args, bias=True, **options):
    b = draw(FN, seed=1) if bias else None  # None before a norm: there db is exactly 0
    return Convolution(0.3 * draw(FN, C, FH, FW), b, *args, **options)


def affine(n, out):
    return Affine(0.3 * draw(n, out), draw(out, seed=1))


def norm(size, **options):
    return BatchNormalization(draw(size), draw(size, seed=1), **options)


CASES = {
    **{name: (make(np.float64), spread(*shape)) for name, (make, shape) in LAYERS.items()},
    "Affine of one sample": (affine(3, 2), draw(1, 3)),
    "Affine without bias": (Affine(draw(3, 4), None), draw(5, 3)),
    "Convolution, stride and pad": (conv(3, 2, 3, 2, 2, 1), draw(2, 2, 7, 6)),
    "Convolution by axis": (
        conv(3, 2, 2, 3, (1, 2), (2, 0), dilation=(2, 1)),
        draw(2, 2, 5, 7),
    ),
    "Convolution in groups": (conv(4, 1, 3, 3, 1, 1, groups=2), draw(2, 2, 5, 5)),
    "Convolution depthwise": (conv(3, 1, 3, 3, groups=3), draw(2, 3, 5, 5)),
    "Convolution 1x1": (conv(4, 3, 1, 1), draw(2, 3, 3, 3)),
    "Pooling, windows overlap": (Pooling(3, 2, stride=1, pad=1), spread(2, 2, 5, 4)),
    "Pooling, gaps": (Pooling(2, 2, stride=3), spread(1, 2, 7, 8)),
    "AveragePooling, overlap and pad": (
        AveragePooling(3, 2, stride=(1, 2), pad=1),
        draw(2, 2, 5, 4),
    ),
    "AveragePooling of what is inside": (
        AveragePooling(3, 3, stride=2, pad=1, count_pad=False),
        draw(2, 2, 5, 4),
    ),
    "AveragePooling1D, everything": (AveragePooling1D(3, 1, 1), draw(2, 2, 6)),
    "AdaptiveAveragePooling to more": (AdaptiveAveragePooling((5, 4)), draw(2, 2, 3, 3)),
    "AdaptiveMaxPooling to more": (AdaptiveMaxPooling((5, 4)), spread(2, 2, 3, 3)),
    "Convolution1D in groups": (
        Convolution1D(draw(4, 2, 2), draw(4), 1, 2, 3, groups=2),
        draw(2, 4, 5),
    ),
    "DepthwiseConvolution, dilated": (
        DepthwiseConvolution(draw(3, 1, 2, 3), None, 1, 2, dilation=2),
        draw(2, 3, 4, 5),
    ),
    "TransposedConvolution, dilated": (
        TransposedConvolution(draw(3, 2, 2, 3), draw(2), (1, 2), (1, 2), (2, 1)),
        draw(2, 3, 4, 5),
    ),
    "TransposedConvolution without bias": (
        TransposedConvolution(draw(4, 1, 3, 3), None, 3, groups=4, output_pad=2),
        draw(2, 4, 2, 3),
    ),
    "LayerNormalization of the last axis": (
        LayerNormalization(draw(5), draw(5, seed=1)),
        draw(2, 3, 4, 5),
    ),
    "GroupNormalization, one group": (
        GroupNormalization(draw(3), draw(3, seed=1), 1, eps=0.1),
        draw(3, 3, 4),
    ),
    "GroupNormalization, each channel": (
        GroupNormalization(draw(3), draw(3, seed=1), 3),
        draw(2, 3, 3, 2),
    ),
    "GroupNormalization of rows": (
        GroupNormalization(draw(12), draw(12, seed=1), 3),
        draw(3, 12),
    ),
    "LocalResponseNormalization, even n": (
        LocalResponseNormalization(4, 0.5, 0.3, 1.2),
        draw(2, 6, 2, 2),
    ),
    "Upsampling of one pixel": (Upsampling(3, "bilinear"), draw(2, 2, 1, 1)),
    "ChannelDropout, inverted": (ChannelDropout(0.4, inverted=True), draw(3, 4, 2, 2)),
    "Dropout, inverted": (Dropout(0.4, inverted=True), draw(4, 5)),
    "BatchNormalization per element": (norm(12), draw(6, 3, 2, 2)),
    "BatchNormalization, eps": (norm(3, eps=0.1), draw(6, 3)),
    "Sequential": (
        Sequential(
            conv(3, 1, 3, 3, 1, 1, bias=False),
            norm(3),
            Sigmoid(),
            AveragePooling(2, 2),
            affine(27, 4),
        ),
        draw(4, 1, 6, 6),
    ),
    "Residual": (Residual(Sequential(conv(2, 2, 3, 3, 1, 1), Tanh())), draw(3, 2, 4, 4)),
    "Residual that begins with Relu": (
        Residual(Sequential(Relu(), conv(2, 2, 1, 1), Relu(), conv(2, 2, 3, 3, 1, 1))),
        spread(2, 2, 3, 3),
    ),
    "Residual with shortcut": (
        Residual(
            Sequential(conv(4, 2, 3, 3, 2, 1, bias=False), norm(4), Tanh()),
            Sequential(conv(4, 2, 1, 1, 2, bias=False), norm(4)),
        ),
        draw(3, 2, 5, 5),
    ),
    "Concat": (
        Concat(
            conv(2, 3, 1, 1),
            Sequential(conv(2, 3, 1, 1), Sigmoid(), conv(3, 2, 3, 3, 1, 1)),
            Pooling(3, 3, 1, 1),
        ),
        spread(2, 3, 4, 4),
    ),
    "a residual inside a branch inside a concat": (
        Sequential(
            conv(3, 2, 3, 3),
            Concat(Sequential(Residual(Sequential(Tanh(), conv(3, 3, 1, 1)))), conv(1, 3, 1, 1)),
            Residual(Concat(conv(2, 4, 1, 1), conv(2, 4, 1, 1))),
            affine(36, 2),
        ),
        draw(2, 2, 5, 5),
    ),
}


def restart_dropout(layer):
    """The same masks again: else f would be another function at each call."""
    for slot in layer.named_state():
        if slot.name == "dropout_step":
            slot.layer.dropout_step = 0


def check(layer, x, train_flg):
    x = np.array(x)
    weights = draw(*layer(x, train_flg).shape, seed=5)

    def f():
        restart_dropout(layer)
        return float((weights * layer(x, train_flg)).sum())

    slots = list(layer.named_parameters())
    f()
    dx = layer.backpropagate(weights)
    grads = {slot.key: slot.grad.copy() for slot in slots}
    assert dx.shape == x.shape
    errors = {"x": gradient_error(dx, numerical_gradient(f, x))}
    for slot in slots:
        errors[slot.key] = gradient_error(grads[slot.key], numerical_gradient(f, slot.value))
    return errors


@pytest.mark.parametrize(("layer", "x"), CASES.values(), ids=CASES)
def test_gradient(layer, x):
    errors = check(layer, x, True)
    assert max(errors.values()) < LIMIT, errors


@pytest.mark.parametrize("name", ["Dropout", "Dropout, inverted", "Sequential"])
def test_gradient_in_test_mode(name):
    layer, x = CASES[name]
    layer(x, True)
    errors = check(layer, x, False)
    assert max(errors.values()) < LIMIT, errors


@pytest.mark.parametrize("name", ["BatchNormalization", "BatchNormalization of 4-D"])
def test_gradient_of_batch_normalization_in_test_mode(name):
    layer, x = CASES[name]
    layer(x, True)
    errors = check(layer, x, False)
    assert max(errors.values()) < LIMIT, errors


SOFT = np.random.default_rng(2).dirichlet(np.ones(4), 5)
LOSSES = {
    "softmax, class numbers": (SoftmaxWithLoss, np.array([0, 3, 1, 1, 2])),
    "softmax, one-hot": (SoftmaxWithLoss, np.eye(4)[[0, 3, 1, 1, 2]]),
    "softmax, soft": (SoftmaxWithLoss, SOFT),
    "softmax, soft rows that do not add up to 1": (SoftmaxWithLoss, 3 * SOFT),
    "sigmoid": (SigmoidWithLoss, np.random.default_rng(2).integers(0, 2, (5, 4))),
    "sigmoid, soft": (SigmoidWithLoss, SOFT),
    "identity": (IdentityWithLoss, draw(5, 4, seed=3)),
}


@pytest.mark.parametrize(("cls", "t"), LOSSES.values(), ids=LOSSES)
@pytest.mark.parametrize("scale", [1.0, 2.5])
def test_gradient_of_a_loss(cls, t, scale):
    layer, x = cls(), 2 * draw(5, 4)
    layer.forward(x, t)
    dx = layer.backward(scale)
    assert gradient_error(dx, numerical_gradient(lambda: scale * layer.forward(x, t), x)) < LIMIT


def test_the_check_finds_a_wrong_gradient():
    class Wrong(Affine):
        def backward(self, dout, need_dx=True):
            dx = super().backward(dout, need_dx)
            self.db = self.db * (1 + 1e-6)
            return dx

    errors = check(Wrong(draw(3, 4), draw(4)), draw(5, 3), True)
    assert errors["x"] < LIMIT and errors["W1"] < LIMIT and errors["b1"] > LIMIT
