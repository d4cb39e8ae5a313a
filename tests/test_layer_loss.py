"""The loss layers, and the two layers of the book's chapter 5."""

from __future__ import annotations

import numpy as np
import pytest
from layer_cases import F32, F64, close, draw

from pynet.layers import (
    AddLayer,
    IdentityWithLoss,
    MulLayer,
    SigmoidWithLoss,
    SoftmaxWithLoss,
)


@pytest.mark.parametrize("dtype", [F32, F64])
def test_softmax_with_loss(dtype):
    x = draw(4, 3, dtype=dtype)
    t = np.array([2, 0, 1, 1])
    layer = SoftmaxWithLoss()
    assert layer.loss is layer.y is layer.t is None
    y = np.exp(x.astype(F64)) / np.exp(x.astype(F64)).sum(axis=1, keepdims=True)
    want = -np.log(y[np.arange(4), t]).mean()
    rows = np.eye(3)[t]
    for labels in (t, t.astype(np.uint8), rows, rows.astype(F32), rows.astype(np.uint8)):
        loss = layer.forward(x, labels)
        assert isinstance(loss, float) and layer.loss == loss
        assert loss == pytest.approx(want, rel=1e-6)
        close(layer.y, y, dtype)
        np.testing.assert_array_equal(layer.t, labels)
        dx = layer.backward()
        assert dx.dtype == dtype
        close(dx, (y - rows) / 4, dtype)
        close(layer.backward(3.0), 3 * dx, dtype)


def test_softmax_with_loss_takes_soft_rows_as_they_are():
    x, t = draw(2, 3), np.array([[0.2, 0.3, 0.5], [1.0, 0.0, 0.0]])
    layer = SoftmaxWithLoss()
    y = np.exp(x) / np.exp(x).sum(axis=1, keepdims=True)
    assert layer.forward(x, t) == pytest.approx(-(t * np.log(y)).sum() / 2, rel=1e-12)
    close(layer.backward(), (y - t) / 2)


def test_softmax_with_loss_is_exact_far_out():
    layer = SoftmaxWithLoss()
    assert layer.forward(np.array([[1e4, -1e4]]), np.array([1])) == 2e4
    assert layer.forward(np.array([[0.0, -np.inf]]), np.array([1])) == np.inf


def test_sigmoid_with_loss():
    x, t = 3 * draw(4, 3), np.random.default_rng(1).integers(0, 2, (4, 3))
    layer = SigmoidWithLoss()
    y = 1 / (1 + np.exp(-x))
    want = -(t * np.log(y) + (1 - t) * np.log(1 - y)).sum() / 4
    assert layer.forward(x, t) == pytest.approx(want, rel=1e-12)
    close(layer.y, y)
    close(layer.backward(), (y - t) / 4)


def test_identity_with_loss():
    x, t = draw(4, 3), draw(4, 3, seed=1)
    layer = IdentityWithLoss()
    assert layer.forward(x, t) == pytest.approx(((x - t) ** 2).sum() / 8, rel=1e-12)
    np.testing.assert_array_equal(layer.y, x)
    close(layer.backward(), (x - t) / 4)


def test_buying_apples_and_oranges():
    apples, oranges, total, taxed = MulLayer(), MulLayer(), AddLayer(), MulLayer()
    price = taxed.forward(total.forward(apples.forward(100, 2), oranges.forward(150, 3)), 1.1)
    assert price == pytest.approx(715)
    dtotal, dtax = taxed.backward(1)
    dapple_price, dorange_price = total.backward(dtotal)
    assert apples.backward(dapple_price) == pytest.approx((2.2, 110))
    assert oranges.backward(dorange_price) == pytest.approx((3.3, 165))
    assert dtax == 650
