"""Numbers that run away: training stops, and says where."""

from __future__ import annotations

import re

import numpy as np
import pytest
from trainer_cases import Own, samples

import pynet
from pynet.layers import Affine, Dropout, Relu, Sequential
from pynet.networks import MultiLayerNet, MultiLayerNetExtend, Network, TwoLayerNet
from pynet.optimizers import SGD
from pynet.trainer import Trainer


def diverging(net, **kwargs):
    x, t = samples(40)
    return Trainer(net, x, t, x, t, 50, 10, "sgd", {"lr": 1e30}, verbose=False, **kwargs)


@pytest.mark.filterwarnings("ignore::RuntimeWarning")
def test_a_loss_that_runs_away_names_step_layer_and_rate():
    np.random.seed(0)
    net = MultiLayerNet(6, [5, 5], 3)
    trainer = diverging(net)
    with pytest.raises(FloatingPointError) as stopped:
        trainer.train()
    pattern = (
        r"\[Trainer\] (loss|gradient): expected finite numbers, got .* at step (\d+) with learning "
        r"rate 1e\+30: .*layer (Affine\d|Activation_function\d) is not finite"
    )
    match = re.fullmatch(pattern, str(stopped.value))
    assert match, stopped.value
    assert int(match[2]) == trainer.current_iter + 1 > 1
    assert np.isfinite(net.params.flat).all()


@pytest.mark.filterwarnings("ignore::RuntimeWarning")
@pytest.mark.parametrize("key", ["W2", "b3", "gamma1"])
def test_the_layer_of_a_bad_parameter_is_named(key):
    net = MultiLayerNetExtend(6, [5, 5], 3, use_batchnorm=True, use_dropout=True)
    net.params[key][...] = np.nan
    layer = {"W2": "Affine2", "b3": "Affine3", "gamma1": "BatchNorm1"}[key]
    with pytest.raises(FloatingPointError, match=rf"step 1 .*: {key[:-1]} of layer {layer} is not"):
        diverging(net).train()


@pytest.mark.filterwarnings("ignore::RuntimeWarning")
def test_the_first_layer_whose_output_overflows_is_named():
    relu = Relu()
    net = Network(
        Sequential(Affine(np.full((6, 4), 1e30), None), relu, Affine(np.full((4, 3), 1e30), None)),
    )
    with pytest.raises(FloatingPointError, match="the output of layer Affine2 is not finite"):
        diverging(net).train()
    assert "forward" not in vars(relu)  # looked at on a copy


@pytest.mark.filterwarnings("ignore::RuntimeWarning")
def test_a_gradient_that_overflows_under_a_finite_loss_is_named():
    """The loss is finite, the gradient is not: the update must not happen."""
    net = Network([Affine(np.full((6, 1), 1e-3), None), Affine(np.array([[3e38, -3e38]]), None)])
    net.last_layer.forward = lambda x, t: _keep(net.last_layer, x, t)
    net.last_layer.backward = lambda: np.full((10, 2), 3e38, np.float32) * [1, -1]
    trainer = diverging(net)
    before = net.params.flat.copy()
    with pytest.raises(FloatingPointError, match=r"\[Trainer\] gradient: .* layer Affine2 is not"):
        trainer.train()
    np.testing.assert_array_equal(net.params.flat, before)
    assert trainer.current_iter == 0


def _keep(layer, x, t):
    layer.y = x
    return 1.0


def test_a_batch_that_is_not_finite_is_named():
    x, t = samples(40)
    x[:] = np.inf
    trainer = Trainer(TwoLayerNet(6, 5, 3), x, t, x, t, 1, 10, verbose=False)
    with pytest.raises(FloatingPointError, match="the batch itself is not finite"):
        trainer.train()


@pytest.mark.filterwarnings("ignore::RuntimeWarning")
def test_a_readers_own_class_is_told_the_parameter():
    net = Own()
    net.params["W2"][0] = np.nan
    with pytest.raises(FloatingPointError, match=r"step 1 .*: W2 is not finite"):
        diverging(net).train()


def test_large_gradients_are_no_error():
    """Whose sum of squares overflows, but which are finite."""
    x, t = samples(40)
    net = Network([Affine(np.zeros((6, 3)), None)], dtype=np.float64)
    trainer = Trainer(net, x * 1e200, t, x, t, 1, 10, SGD(1e-200), verbose=False)
    trainer.train_step()
    assert np.isfinite(net.params.flat).all() and net.params.flat.any()


@pytest.mark.filterwarnings("ignore::RuntimeWarning")
@pytest.mark.parametrize("seed", range(12))
def test_the_pass_is_repeated_with_its_dropout_masks(seed):
    """What overflows only where the one number is kept, does so again when it is looked at."""
    pynet.seed(seed)
    net = Network([Dropout(0.5), Affine(np.array([[100.0, 0.0]]), None)])
    x, t = np.full((1, 1), 1e38), np.array([1])
    trainer = Trainer(net, x, t, x, t, 100, 1, SGD(0.0), verbose=False)
    with pytest.raises(FloatingPointError, match="the output of layer Affine1 is not finite"):
        trainer.train()
