"""Layers that take their sizes from the first batch, and what a layer says of its own size."""

from __future__ import annotations

import numpy as np
import pytest
from layer_cases import draw, nested

from pynet.layers import (
    Affine,
    BatchNormalization,
    Convolution,
)


def test_sizes_come_from_the_first_batch():
    net = nested()
    assert not net.built
    with pytest.raises(ValueError, match=r"\[Convolution\] W: expected the input size to be known"):
        list(net.named_parameters())
    x = draw(3, 1, 5, 5).astype(np.float32)
    y = net.forward(x)
    assert y.shape == (3, 10) and y.dtype == np.float32 and net.built
    assert net[0].W.shape == (4, 1, 3, 3) and net[0].b is None
    assert net[10].W.shape == (5 * 5 * 5, 10)
    assert net.backward(np.ones_like(y)).shape == x.shape


def test_build_draws_what_forward_would_have_drawn():
    built, run = nested(), nested()
    np.random.seed(0)
    built.build((1, 1, 5, 5))
    np.random.seed(0)
    run.forward(draw(3, 1, 5, 5).astype(np.float32))
    for a, b in zip(built.named_parameters(), run.named_parameters()):
        np.testing.assert_array_equal(a.value, b.value)
    before = built[0].W
    built.build((1, 1, 5, 5))
    assert built[0].W is before, "a second build changes nothing"


def test_build_in_another_dtype():
    net = nested()
    net.build((1, 1, 5, 5), np.float64)
    assert {slot.value.dtype for slot in net.named_parameters()} == {np.dtype(np.float64)}


@pytest.mark.parametrize(
    ("init", "std"),
    [("he", np.sqrt(2 / 500)), ("xavier", np.sqrt(1 / 500)), (0.3, 0.3)],
)
def test_initial_weights_are_randn_times_the_standard_deviation(init, std):
    np.random.seed(4)
    draws = np.random.randn(500, 20)
    for layer, shape, values in [
        (Affine.sized(20, init=init), (1, 500), draws),
        (Convolution.sized(20, 5, init=init), (1, 20, 9, 9), draws.reshape(20, 20, 5, 5)),
    ]:
        np.random.seed(4)
        layer.build(shape)
        np.testing.assert_array_equal(layer.W, (std * values).astype(np.float32))
        assert layer.W.dtype == layer.b.dtype == np.float32
        assert layer.b.shape == (20,) and not layer.b.any()


def test_initial_weights_by_a_function():
    layer = Affine.sized(3, init=lambda shape: np.full(shape, 0.5), dtype=np.float64)
    layer.build((1, 2))
    assert layer.W.tolist() == [[0.5] * 3] * 2 and layer.W.dtype == np.float64
    with pytest.raises(ValueError, match=r"init: expected it to return shape \(2, 3\), got \(\)"):
        Affine.sized(3, init=lambda shape: 0.5).build((1, 2))


def test_batch_normalization_starts_as_the_identity():
    layer = BatchNormalization.sized()
    layer.build((1, 3, 4, 4))
    assert layer.gamma.tolist() == [1, 1, 1] and layer.beta.tolist() == [0, 0, 0]


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: Affine.sized(0), r"\[Affine.sized\] out: expected at least 1, got 0"),
        (lambda: Convolution.sized(0, 3), r"\[Convolution.sized\] (FN|filter_size): expected"),
        (lambda: Convolution.sized(3, (3, 0)), r"\[Convolution.sized\] (FN|filter_size): expected"),
        (lambda: Affine.sized(2, init="best").build((1, 2)), r"init: expected .*, got 'best'"),
        (lambda: Affine.sized(2, init=-1.0).build((1, 2)), r"init: expected a finite number >= 0"),
        (lambda: Affine(None, None).forward(draw(2, 2)), r"\[Affine\] W: expected an array, got N"),
        (lambda: Convolution(None, None).forward(draw(1, 1, 2, 2)), r"\[Convolution\] W: expected"),
        (lambda: BatchNormalization(None, None).forward(draw(2, 2)), r"gamma: expected an array"),
        (lambda: BatchNormalization.sized().forward(draw(3)), r"x: expected shape \(N, D\) or"),
        (lambda: Convolution.sized(4, 3).forward(draw(2, 9)), r"x: expected shape \(N, C, H, W\)"),
        (
            lambda: Convolution.sized(4, 3, groups=3).build((1, 3, 5, 5)),
            r"\[Convolution\] groups: expected a divisor of 3 channels and 4 filters, got 3",
        ),
        (
            lambda: Convolution.sized(4, 3).describe((1, 3, 2, 2)),
            r"\[Convolution\] x: expected an image that the \(3, 3\) window fits into, got",
        ),
    ],
)
def test_refusals_of_sizes(make, message):
    with pytest.raises(ValueError, match=message):
        make()


def test_describe_and_trace_before_and_after_building():
    net = nested()
    shape = (3, 1, 5, 5)
    before = net.describe(shape)
    rows = net.trace(shape)
    net.build(shape)
    assert net.describe(shape) == before
    assert before.out_shape == net.forward(draw(*shape)).shape
    assert before.params == sum(slot.value.size for slot in net.named_parameters())
    assert sum(row.description.params for row in rows) == before.params
    assert sum(row.description.macs for row in rows) == before.macs
    assert [row.path for row in rows][:5] == ["", "", "", "residual1.body.", "residual1.body."]
    assert rows[-3].x_shape == (3, 5, 5, 5) and rows[-3].description.out_shape == (3, 10)
    shortcut = next(row for row in rows if row.path == "residual2.shortcut.")
    assert shortcut.x_shape == (3, 4, 5, 5), "the shortcut sees the block's input"
