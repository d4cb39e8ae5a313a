"""Layers, losses, optimizers and hooks compute on the device what they compute on the CPU.

On the executor of tests/cuda_host or a GPU, with the tables of cases that the CPU's tests have.
"""

from __future__ import annotations

import numpy as np
import pytest
from device_ops import on_device_module
from hook_cases import draw as draw_params
from layer_cases import F32, F64, LAYERS, close, draw, nested
from loss_cases import CASES, drawn

import pynet
from pynet import backend, optimizers
from pynet.optimizers.hooks import ClipNorm, ClipValue, Freeze, WeightDecay
from pynet.params import GradStore, ParamStore
from pynet.penalties import L1, L2, Elastic

pytestmark = pytest.mark.usefixtures("device")
device = on_device_module

IN_NUMPY = ("PRelu", "PRelu of 4-D", "RRelu")
both_dtypes = pytest.mark.parametrize("dtype", [F32, F64])


def twins(make):
    """A layer and the same one with its parameters and state on the device."""
    pynet.seed(0)
    here = make()
    pynet.seed(0)
    there = make()
    for _, _, layer in there.walk():
        for name in (*layer.param_names, *layer.state_names):
            value = vars(layer).get(name)
            if isinstance(value, np.ndarray):
                setattr(layer, name, pynet.to_device(value))
    return here, there


def gradients(layer):
    return {
        f"{path}{name}": getattr(each, f"d{name}")
        for path, _, each in layer.walk()
        for name in each.param_names
    }


def states(layer):
    return {slot.key: slot.value for slot in layer.named_state() if slot.value is not None}


def same(here, there, dtype):
    assert list(here) == list(there)
    for key, value in here.items():
        if isinstance(value, np.ndarray):
            assert backend.on_device(there[key]), key
        close(pynet.to_numpy(there[key]), value, dtype)


@both_dtypes
@pytest.mark.parametrize("name", [name for name in LAYERS if name not in IN_NUMPY])
def test_a_layer(name, dtype):
    make, shape = LAYERS[name]
    here, there = twins(lambda: make(dtype))
    for step in range(2):
        x = draw(*shape, dtype=dtype, seed=step)
        y = here.forward(x)
        y_there = there.forward(pynet.to_device(x))
        assert backend.on_device(y_there) and y_there.dtype == y.dtype == dtype
        close(y_there.to_numpy(), y, dtype)
        dout = draw(*y.shape, dtype=dtype, seed=9)
        dx, dx_there = here.backward(dout), there.backward(pynet.to_device(dout))
        close(dx_there.to_numpy(), dx, dtype)
    same(gradients(here), gradients(there), dtype)
    same(states(here), states(there), dtype)
    tested = here(x, False), there(pynet.to_device(x), False)
    close(tested[1].to_numpy(), tested[0], dtype)


@both_dtypes
def test_layers_in_containers(dtype):
    here, there = nested(), nested()
    x = draw(8, 2, 5, 5, dtype=dtype)  # of 3, batch norm makes 1e-5 of the last digits
    pynet.seed(0)
    np.random.seed(0)
    here.build(x.shape, dtype)
    np.random.seed(0)
    there.build(x.shape, dtype)
    for slot, other in zip(here.named_state(), there.named_state()):
        setattr(other.layer, other.name, slot.value)
    for slot in there.named_parameters():
        setattr(slot.layer, slot.name, pynet.to_device(slot.value))
    y, y_there = here.forward(x), there.forward(pynet.to_device(x))
    close(y_there.to_numpy(), y, dtype)
    dout = draw(*y.shape, dtype=dtype, seed=1)
    dx, dx_there = here.backward(dout), there.backward(pynet.to_device(dout))
    close(dx_there.to_numpy(), dx, dtype)


@pytest.mark.parametrize("name", IN_NUMPY)
def test_a_layer_that_computes_in_numpy_says_so(name):
    make, shape = LAYERS[name]
    _, there = twins(lambda: make(F32))
    with pytest.raises(TypeError, match=r"x\.to_numpy\(\)"):
        there.forward(pynet.to_device(draw(*shape, dtype=F32)))


def test_what_layers_show_of_a_pass_is_numpys():
    x = draw(2, 2, 4, 4, dtype=F32)
    for layer in (pynet.layers.Relu(), pynet.layers.Dropout(0.5), pynet.layers.Pooling(2, 2)):
        for look in ("mask", "arg_max"):
            if not hasattr(layer, look):
                continue
            pynet.seed(0)
            layer.forward(x)
            expected = getattr(layer, look)
            pynet.seed(0)
            layer.forward(pynet.to_device(x))
            np.testing.assert_array_equal(getattr(layer, look), expected)


# ---- losses ------------------------------------------------------------------------------------


@both_dtypes
@pytest.mark.parametrize("kind", ["none", "sample", "class", "both"])
@pytest.mark.parametrize("case", CASES, ids=[case.name for case in CASES])
def test_a_loss(case, kind, dtype):
    x, t, weights = drawn(case)
    options, sample_weight = weights[kind]
    x = x.astype(dtype)
    t = t.astype(dtype) if t.dtype.kind == "f" else t
    here, there = (case.layer(**case.options, **options) for _ in range(2))
    for given in (t, pynet.to_device(t)):
        loss = here.forward(x, t, sample_weight=sample_weight)
        close(there.forward(pynet.to_device(x), given, sample_weight=sample_weight), loss, dtype)
        dx = there.backward(2.0)
        assert backend.on_device(dx) and dx.dtype == dtype
        close(dx.to_numpy(), here.backward(2.0), dtype)
        close(pynet.to_numpy(there.y), here.y, dtype)


@pytest.mark.parametrize("label", [-1, 4])
def test_a_label_out_of_range(label):
    loss = pynet.layers.SoftmaxWithLoss()
    x = pynet.to_device(draw(3, 4, dtype=F32))
    with pytest.raises(IndexError, match=r"t: expected numbers in 0 \.\. 3, got .* as element 1"):
        loss.forward(x, np.array([0, label, 1]))
    assert loss.forward(x, np.array([0, 3, 1])) > 0  # and the next call is as any other


# ---- penalties ---------------------------------------------------------------------------------


@pytest.mark.parametrize("penalty", [L1(0.3), L2(0.2), Elastic(0.3, 0.2)], ids=repr)
def test_a_penalty(penalty):
    W = draw(4, 5)
    W[1, 2] = 0
    there = pynet.to_device(W)
    close(penalty(there), penalty(W))
    close(penalty.gradient(there).to_numpy(), penalty.gradient(W))


# ---- optimizers --------------------------------------------------------------------------------


def stores(flat, kind, seed):
    store = draw_params(seed, True, kind)
    there = store.on("cuda")
    return (store, there) if flat else (dict(store), {key: there[key] for key in there})


def updated(make, flat, steps=3):
    """Parameters and state here and there after some updates."""
    rule, other = make(), make()
    params, params_there = stores(flat, ParamStore, 0)
    for step in range(steps):
        grads, grads_there = stores(flat, GradStore, 100 + step)
        rule.update(params, grads)
        other.update(params_there, grads_there)
    same(dict(params), dict(params_there), F64)
    for (_, part), (_, part_there) in zip(rule.parts(), other.parts()):
        assert part.numbers == part_there.numbers
        for state, state_there in zip(part.states, part_there.states):
            same(dict(state), dict(state_there), F64)
    return rule, other, params, params_there


flat_or_not = pytest.mark.parametrize("flat", [True, False], ids=["flat", "dict"])


@flat_or_not
@pytest.mark.parametrize("name", optimizers.OPTIMIZERS)
def test_an_optimizer(name, flat):
    updated(optimizers.OPTIMIZERS[name], flat)


HOOKS = {
    "weight decay": lambda: WeightDecay(0.1),
    "weight decay of W": lambda: WeightDecay(0.1, "W*"),
    "clipped values": lambda: ClipValue(0.5),
    "clipped norm": lambda: ClipNorm(0.5),
    "frozen": lambda: Freeze("W1"),
    "moving average": lambda: optimizers.MovingAverage(0.9),
    "stochastic average": lambda: optimizers.StochasticAverage(1),
}


@flat_or_not
@pytest.mark.parametrize("name", HOOKS)
def test_a_hook(name, flat):
    updated(lambda: optimizers.Momentum(0.1).add_hook(HOOKS[name]()), flat)


@flat_or_not
def test_groups(flat):
    updated(
        lambda: optimizers.ParameterGroups(
            {"W*": optimizers.Adam(0.1), "b1": optimizers.SGD(0.1), "*": None}
        ),
        flat,
    )


@flat_or_not
def test_the_average_in_the_place_of_the_parameters(flat):
    rule, other, params, params_there = updated(
        lambda: optimizers.SGD(0.1).add_hook(optimizers.MovingAverage(0.9)), flat
    )
    before = {key: value.to_numpy() for key, value in params_there.items()}
    with rule.hooks[0].applied(params), other.hooks[0].applied(params_there):
        same(dict(params), dict(params_there), F64)
        assert (params_there["W1"].to_numpy() != before["W1"]).any()
    for key, value in before.items():
        np.testing.assert_array_equal(params_there[key].to_numpy(), value)


@pytest.mark.parametrize(
    ("grads", "error", "message"),
    [
        ({"W": np.ones(2)}, ValueError, r"grads\['W'\]: expected shape \(3,\)"),
        ({}, KeyError, "expected a gradient for 'W'"),
    ],
)
def test_what_an_optimizer_refuses(grads, error, message):
    params = {"W": pynet.to_device(np.ones(3))}
    with pytest.raises(error, match=message):
        optimizers.SGD().update(params, {key: pynet.to_device(g) for key, g in grads.items()})
    np.testing.assert_array_equal(params["W"].to_numpy(), np.ones(3))
