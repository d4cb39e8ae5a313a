"""The batch normalisation layer."""

from __future__ import annotations

import numpy as np
import pytest
from layer_cases import F32, F64, close, draw

from pynet.layers import (
    BatchNormalization,
)


def statistics(x, axes):
    mean = x.mean(axis=axes)
    return mean, ((x - np.expand_dims(mean, axes)) ** 2).mean(axis=axes)


@pytest.mark.parametrize("dtype", [F32, F64])
def test_batch_normalization_in_training(dtype):
    x = (2 * draw(8, 3) + 1).astype(dtype)
    gamma, beta = draw(3, dtype=dtype), draw(3, dtype=dtype, seed=1)
    layer = BatchNormalization(gamma, beta)
    assert layer.gamma is gamma and layer.beta is beta
    assert layer.running_mean is layer.running_var is layer.xn is layer.xc is layer.std is None
    assert layer.momentum == 0.9 and layer.dgamma is layer.dbeta is layer.batch_size is None
    y = layer.forward(x)
    mean, var = statistics(x.astype(F64), 0)
    std = np.sqrt(var + 1e-6)
    xn = (x - mean) / std
    close(y, gamma * xn + beta, dtype)
    close(layer.xc, x - mean, dtype)
    close(layer.xn, xn, dtype)
    close(layer.std, std, dtype)
    close(layer.running_mean, 0.1 * mean, dtype)
    close(layer.running_var, 0.1 * var, dtype)
    assert layer.batch_size == 8 and layer.input_shape == (8, 3)
    assert y.dtype == layer.running_mean.dtype == dtype

    layer.forward(x)
    close(layer.running_var, 0.19 * var, dtype)

    dout = draw(8, 3, dtype=dtype, seed=2)
    dx = layer.backward(dout)
    d = gamma * dout
    close(dx, (d - d.mean(axis=0) - xn * (d * xn).mean(axis=0)) / std, dtype)
    close(layer.dgamma, (xn * dout).sum(axis=0), dtype)
    close(layer.dbeta, dout.sum(axis=0), dtype)


def test_batch_normalization_in_test_mode():
    x = draw(8, 3)
    layer = BatchNormalization(np.ones(3), np.zeros(3))
    np.testing.assert_allclose(layer.forward(x, False), 1000 * x, rtol=1e-9)
    layer.forward(x)
    mean, var = 0.1 * x.mean(axis=0), 0.1 * x.var(axis=0)
    close(layer.forward(x, False), (x - mean) / np.sqrt(var + 1e-6))
    close(layer.running_mean, mean)
    close(layer.backward(np.ones((8, 3))), np.ones((8, 3)) / np.sqrt(var + 1e-6))


def test_batch_normalization_per_channel_and_per_element():
    x = draw(8, 3, 4, 5)
    layer = BatchNormalization(draw(3), draw(3, seed=1))
    mean, var = statistics(x, (0, 2, 3))
    xn = (x - mean[:, None, None]) / np.sqrt(var + 1e-6)[:, None, None]
    y = layer.forward(x)
    close(y, draw(3)[:, None, None] * xn + draw(3, seed=1)[:, None, None])
    close(layer.xn, xn)
    assert layer.backward(draw(8, 3, 4, 5)).shape == x.shape and layer.dgamma.shape == (3,)

    layer = BatchNormalization(draw(60), draw(60, seed=1))
    mean, var = statistics(x.reshape(8, 60), 0)
    y = layer.forward(x)
    assert y.shape == x.shape
    rows = draw(60) * (x.reshape(8, 60) - mean) / np.sqrt(var + 1e-6) + draw(60, seed=1)
    close(y, rows.reshape(x.shape))
    assert layer.backward(draw(8, 3, 4, 5)).shape == x.shape and layer.dgamma.shape == (60,)


def test_batch_normalization_options():
    x = draw(5, 3)
    layer = BatchNormalization(np.ones(3), np.zeros(3), 0.5, eps=0.1, unbiased=True)
    close(layer.forward(x), (x - x.mean(axis=0)) / np.sqrt(x.var(axis=0) + 0.1))
    close(layer.running_var, 0.5 * x.var(axis=0, ddof=1))


def test_batch_normalization_keeps_given_statistics_to_itself():
    mean, var = np.full(3, 2.0), np.full(3, 4.0)
    layer = BatchNormalization(np.ones(3), np.zeros(3), running_mean=mean, running_var=var)
    x = draw(5, 3)
    close(layer.forward(x, False), (x - 2) / np.sqrt(4 + 1e-6))
    layer.forward(x)
    assert mean.tolist() == [2] * 3 and var.tolist() == [4] * 3
    close(layer.running_mean, 1.8 + 0.1 * x.mean(axis=0))


def test_batch_normalization_refuses_other_sizes():
    layer = BatchNormalization(np.ones(3), np.zeros(3))
    for shape in ((5, 4), (5, 4, 2, 2), (5, 3, 2), (3,)):
        with pytest.raises(ValueError, match=r"\[BatchNormalization.forward\] x: expected .*, got"):
            layer.forward(np.ones(shape))
    layer.forward(draw(5, 3))
    with pytest.raises(ValueError, match=r"\[BatchNormalization.backward\] dout: expected"):
        layer.backward(np.ones((5, 4)))
