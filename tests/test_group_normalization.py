"""Layer, group and local response normalisation; where batch normalisation is placed."""

from __future__ import annotations

import numpy as np
import pytest
from layer_cases import F32, F64, close, draw

from pynet.layers import (
    Affine,
    BatchNormalization,
    Dropout,
    GroupNormalization,
    LayerNormalization,
    LocalResponseNormalization,
    Relu,
    Sequential,
)
from pynet.networks import MultiLayerNetExtend, Network

# ---- layer and group normalisation -------------------------------------------------------------


@pytest.mark.parametrize("dtype", [F32, F64])
@pytest.mark.parametrize(("x_shape", "axes"), [((8, 20), 1), ((3, 4, 7), 1), ((3, 4, 5, 6), 3)])
def test_layer_normalization(x_shape, axes, dtype):
    x = (3 * draw(*x_shape) + 5).astype(dtype)
    shape, last = x_shape[-axes:], tuple(range(len(x_shape) - axes, len(x_shape)))
    gamma, beta = draw(*shape, dtype=dtype), draw(*shape, dtype=dtype, seed=1)
    layer = LayerNormalization(gamma, beta)
    assert layer.gamma is gamma and layer.beta is beta
    y = layer.forward(x)
    wide = x.astype(F64)
    xn = (wide - wide.mean(axis=last, keepdims=True)) / np.sqrt(
        wide.var(axis=last, keepdims=True) + 1e-5
    )
    close(y, gamma * xn + beta, dtype)
    assert y.dtype == dtype
    dout = draw(*x_shape, dtype=dtype, seed=2)
    layer.backward(dout)
    outer = tuple(range(len(x_shape) - axes))
    close(layer.dgamma, (dout * xn).sum(axis=outer), dtype)
    close(layer.dbeta, dout.sum(axis=outer, dtype=F64), dtype)


@pytest.mark.parametrize("groups", [1, 2, 3, 6])
def test_group_normalization(groups):
    x = 3 * draw(4, 6, 5, 3) + 5
    layer = GroupNormalization(np.ones(6), np.zeros(6), groups)
    y = layer.forward(x)
    parts = y.reshape(4, groups, -1)
    np.testing.assert_allclose(parts.mean(axis=2), 0, atol=1e-12)
    np.testing.assert_allclose(parts.var(axis=2), 1, atol=1e-5)
    assert layer.std.shape == (4, groups)
    gamma, beta = draw(6), draw(6, seed=1)
    scaled = GroupNormalization(gamma, beta, groups).forward(x)
    close(scaled, gamma[:, None, None] * y + beta[:, None, None])


def test_samples_do_not_see_each_other_and_training_is_like_test():
    x = draw(5, 6, 4, 4)
    layers = [GroupNormalization.sized(2), LayerNormalization.sized(), LayerNormalization.sized(1)]
    for layer in layers:
        y = layer(x, True)
        np.testing.assert_array_equal(layer(x, False), y)
        alone = np.concatenate([layer.forward(x[n : n + 1]) for n in range(5)])
        np.testing.assert_array_equal(alone, y)


def test_a_mean_far_from_0_costs_no_digits():
    x = (draw(4, 6, 5, 5) + 10_000).astype(F32)
    exact = x.astype(F64).reshape(4, 2, -1)
    exact = (exact - exact.mean(axis=2, keepdims=True)) / exact.std(axis=2, keepdims=True)
    y = GroupNormalization.sized(2).forward(x)
    np.testing.assert_allclose(y, exact.reshape(x.shape), atol=2e-4)


def test_sizes_come_from_the_first_input():
    for layer, x_shape, shape in [
        (LayerNormalization.sized(), (2, 3, 4, 5), (3, 4, 5)),
        (LayerNormalization.sized(1), (2, 3, 4, 5), (5,)),
        (LayerNormalization.sized(2, dtype=F64), (2, 3, 4), (3, 4)),
        (GroupNormalization.sized(3), (2, 6, 4, 5), (6,)),
    ]:
        assert not layer.built and "?" in repr(layer)
        params = layer.describe(x_shape).params
        layer.build(x_shape)
        assert layer.gamma.shape == layer.beta.shape == shape
        assert (layer.gamma == 1).all() and not layer.beta.any(), "gamma = 1, beta = 0 at first"
        assert params == layer.describe(x_shape).params == 2 * layer.gamma.size
    assert repr(LayerNormalization(np.ones((3, 4)), np.zeros((3, 4)))) == "LayerNormalization(3x4)"
    assert repr(layer) == "GroupNormalization(6, groups=3)"


def test_what_does_not_fit_is_refused():
    ones = np.ones
    for make, x in [
        (lambda: GroupNormalization(ones(6), ones(6), 4), None),
        (lambda: GroupNormalization(ones(6), ones(6), 0), None),
        (lambda: GroupNormalization(ones(6), ones(6), 2, eps=-1), None),
        (lambda: LayerNormalization(ones(6), ones(6), np.nan), None),
        (lambda: LayerNormalization.sized(0), None),
        (lambda: LayerNormalization(ones(6), ones(5)), ones((2, 6))),
        (lambda: LayerNormalization(ones(6), ones(6)), ones(6)),
        (lambda: LayerNormalization(ones(6), ones(6)), ones((2, 5))),
        (lambda: LayerNormalization(None, None), ones((2, 5))),
        (lambda: LayerNormalization.sized(3), ones((2, 5))),
        (lambda: GroupNormalization.sized(3), ones((2, 5))),
        (lambda: GroupNormalization.sized(3), ones(6)),
        (lambda: GroupNormalization(ones(6), ones(6), 2), ones((2, 5))),
        (lambda: GroupNormalization(ones(6), ones(5), 2), ones((2, 6))),
    ]:
        form = r"^\[\w+(\.\w+)?\] \w+: expected .*, got .*"
        with pytest.raises(ValueError, match=form):
            layer = make()
            layer.forward(x)


def test_a_network_packs_them():
    net = Network(
        Sequential(Affine.sized(8), LayerNormalization.sized(), Relu(), Affine.sized(3)),
        input_dim=(5,),
    )
    assert list(net.params) == ["W1", "b1", "gamma1", "beta1", "W2", "b2"]
    x, t = draw(6, 5).astype(F32), np.arange(6) % 3
    grads = net.gradient(x, t)
    layer = next(layer for _, _, layer in net._root.walk() if hasattr(layer, "gamma"))
    assert np.shares_memory(grads["gamma1"], layer.dgamma)


# ---- local response ----------------------------------------------------------------------------


@pytest.mark.parametrize("n", [1, 2, 3, 4, 5, 20])
@pytest.mark.parametrize("dtype", [F32, F64])
def test_local_response_normalization(n, dtype):
    x = (3 * draw(2, 7, 3, 4)).astype(dtype)
    layer = LocalResponseNormalization(n, 1.5, 0.2, 0.6)
    y = layer.forward(x)
    scale = np.empty(x.shape)
    for c in range(7):
        around = x[:, max(0, c - n // 2) : c + (n - 1) // 2 + 1].astype(F64)
        scale[:, c] = 1.5 + 0.2 * (around**2).sum(axis=1)
    close(layer.scale, scale, dtype)
    close(y, x / scale**0.6, dtype)
    assert y.dtype == dtype


def test_alexnets_settings_are_the_defaults():
    layer = LocalResponseNormalization()
    assert (layer.n, layer.k, layer.alpha, layer.beta) == (5, 2.0, 1e-4, 0.75)
    assert repr(layer) == "LocalResponseNormalization(n=5)"


@pytest.mark.parametrize(
    "wrong", [{"n": 0}, {"k": 0}, {"k": np.nan}, {"alpha": -1}, {"beta": np.inf}], ids=str
)
def test_local_response_refuses_other_numbers(wrong):
    (name,) = wrong
    with pytest.raises(ValueError, match=rf"\[LocalResponseNormalization\] {name}: expected"):
        LocalResponseNormalization(**wrong)


# ---- batch normalisation -----------------------------------------------------------------------


def test_outputs_of_batch_normalization_have_mean_0_and_variance_1():
    for shape, axes in [((100, 20), 0), ((10, 5, 6, 6), (0, 2, 3))]:
        y = BatchNormalization.sized().forward((4 * draw(*shape) + 3).astype(F32))
        np.testing.assert_allclose(y.mean(axis=axes), 0, atol=1e-6)
        np.testing.assert_allclose(y.var(axis=axes), 1, atol=1e-5)


def test_gamma_is_1_and_beta_0_at_first():
    net = MultiLayerNetExtend(6, [5, 4], 3, use_batchnorm=True)
    for i, size in ((1, 5), (2, 4)):
        assert net.params[f"gamma{i}"].tolist() == [1] * size
        assert net.params[f"beta{i}"].tolist() == [0] * size


@pytest.mark.parametrize("before", [True, False], ids=["before", "after"])
def test_batch_normalization_before_and_after_the_activation(before):
    """Both placements: what comes out is normalised, or cut off at 0."""
    steps = [BatchNormalization.sized(), Relu()] if before else [Relu(), BatchNormalization.sized()]
    net = Sequential(Affine.sized(50), *steps)
    y = net.forward(draw(200, 10).astype(F32))
    if before:
        assert y.min() == 0 and 0.3 < (y > 0).mean() < 0.7
    else:
        np.testing.assert_allclose(y.mean(axis=0), 0, atol=1e-6)
        np.testing.assert_allclose(y.std(axis=0), 1, atol=1e-4)


# ---- dropout on inputs -------------------------------------------------------------------------


def test_dropout_on_the_inputs_leaves_1_minus_p_of_them():
    net = Sequential(Dropout(0.2), Affine(np.eye(1000, dtype=F32), None))
    x = np.ones((500, 1000), F32)
    kept = net(x, True)
    assert set(np.unique(kept)) == {0, 1}
    assert kept.mean() == pytest.approx(0.8, abs=5 * np.sqrt(0.16 / 500_000))
    assert (net(x, False) == F32(0.8)).all(), "what remains on average"
