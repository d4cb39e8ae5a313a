"""Networks on the device: what they compute, and how they are moved, copied and stored.

With the executor of tests/cuda_host, or on a GPU.
"""

from __future__ import annotations

import copy
import pickle

import numpy as np
import pytest
from device_ops import on_device_module
from layer_cases import F32, F64, close
from network_cases import NETS, batch, every_net, make, small_deep

import pynet
from pynet import backend, devices, ops
from pynet.layers import Affine, PRelu, Relu, Sequential
from pynet.losses import MeanAbsoluteError
from pynet.networks import Network
from pynet.optimizers import Adam
from pynet.penalties import Elastic

pytestmark = pytest.mark.usefixtures("device")
device = on_device_module


@pytest.fixture
def on_cuda():
    pynet.set_device("cuda")
    yield
    pynet.set_device("cpu")


def twins(name, dtype=F64):
    net, x, t = make(name, dtype)
    return net, copy.deepcopy(net).to("cuda"), x.astype(dtype), t


def same(here, there, dtype=F64):
    assert list(here) == list(there)
    for key, value in here.items():
        assert backend.on_device(there[key]), key
        close(there[key].to_numpy(), value, dtype)


def state(net):
    return {slot.key: slot.value for slot in net.named_state() if np.ndim(slot.value)}


# ---- what it computes --------------------------------------------------------------------------


@pytest.mark.parametrize("dtype", [F32, F64])
@every_net
def test_a_network(name, dtype):
    here, there, x, t = twins(name, dtype)
    assert there.device == "cuda" and here.device == "cpu"
    rule, other = Adam(0.01), Adam(0.01)
    for _ in range(2):
        close(there.loss(x, t), here.loss(x, t), dtype)
        grads, grads_there = here.gradient(x, t), there.gradient(x, t)
        assert backend.on_device(grads_there.flat)
        close(there.last_loss, here.last_loss, dtype)
        bound = 1e-11 if dtype == F64 else 1e-4
        for key, grad in grads.items():
            np.testing.assert_allclose(grads_there[key].to_numpy(), grad, bound, bound)
        rule.update(here.params, grads)
        other.update(there.params, {key: pynet.to_device(g) for key, g in grads.items()})
        same(here.params, there.params, dtype)
        same(state(here), state(there), dtype)
    scores = there.predict(x)
    assert backend.on_device(scores)
    np.testing.assert_allclose(scores.to_numpy(), here.predict(x), bound, bound)
    assert there.accuracy(x, t) == here.accuracy(x, t)


@every_net
def test_two_runs_give_the_same_bits(name):
    _, net, x, t = twins(name)
    other = copy.deepcopy(net)
    first, second = net.gradient(x, t).flat.to_numpy(), other.gradient(x, t).flat.to_numpy()
    assert first.tobytes() == second.tobytes()


def test_a_batch_may_be_on_either_side():
    here, there, x, t = twins("TwoLayerNet")
    x_there, t_there = pynet.to_device(x), pynet.to_device(t)
    expected = here.loss(x, t)
    for net in (here, there):
        for each in ((x, t), (x_there, t), (x, t_there), (x_there, t_there)):
            close(net.loss(*each), expected)
            assert net.accuracy(*each) == here.accuracy(x, t)
    assert isinstance(here.predict(x_there), np.ndarray)


def test_pixels_are_converted_on_the_device():
    here, there, x, t = twins("TwoLayerNet", F32)
    x = np.clip(100 * np.abs(x), 0, 255).astype(np.uint8)
    close(there.loss(pynet.to_device(x), t), here.loss(x, t), F32)


def test_a_penalty_on_the_weights():
    x, t = batch((6,))
    nets = []
    for _ in range(2):
        np.random.seed(0)
        layers = (Affine.sized(5), Relu(), Affine.sized(3))
        nets.append(Network(layers, penalty=Elastic(0.1, 0.2), input_dim=(6,), dtype=F64))
    here, there = nets[0], nets[1].to("cuda")
    close(there.loss(x, t), here.loss(x, t))
    same(here.gradient(x, t), there.gradient(x, t))


def test_a_loss_that_computes_in_numpy():
    x, _ = batch((6,))
    t = np.random.default_rng(1).standard_normal((8, 3))
    nets = []
    for _ in range(2):
        np.random.seed(0)
        layers = (Affine.sized(5), Relu(), Affine.sized(3))
        nets.append(Network(layers, MeanAbsoluteError(), input_dim=(6,), dtype=F64))
    here, there = nets[0], nets[1].to("cuda")
    close(there.loss(x, t), here.loss(x, t))
    same(here.gradient(x, t), there.gradient(x, t))


def test_a_layer_that_computes_in_numpy_says_so():
    net = Network(Sequential(Affine.sized(3), PRelu.sized()), input_dim=(6,)).to("cuda")
    with pytest.raises(TypeError, match=r"x\.to_numpy\(\)"):
        net.gradient(*batch((6,)))


@pytest.mark.parametrize("given", [np.asarray, pynet.to_device], ids=["numpy", "device"])
def test_a_label_out_of_range_changes_nothing(given):
    _, net, x, t = twins("TwoLayerNet")
    t[5] = 3
    with pytest.raises(IndexError, match=r"t: expected numbers in 0 \.\. 2, got 3 as element 5"):
        net.gradient(x, given(t))
    pynet.synchronize()
    t[5] = 0
    net.gradient(x, given(t))


def test_numerical_gradient():
    here, there, x, t = twins("MultiLayerNetExtend")
    for key, grad in there.numerical_gradient(pynet.to_device(x[:3]), t[:3]).items():
        np.testing.assert_array_equal(grad, here.numerical_gradient(x[:3], t[:3])[key])
    assert there.device == "cuda"


# ---- where it is -------------------------------------------------------------------------------


def test_networks_are_made_where_set_device_says(on_cuda):
    assert pynet.device() == "cuda"
    net = small_deep()
    assert net.device == "cuda" and backend.on_device(net.params.flat)
    assert all(backend.on_device(slot.value) for slot in net._slots())
    without_sizes = Network(Sequential(Affine.sized(5), Relu(), Affine.sized(3)))
    x, t = batch((6,))
    assert np.isfinite(without_sizes.loss(x, t))
    assert backend.on_device(without_sizes.params["W1"])


@every_net
def test_there_and_back(name):
    net, x, t = make(name)
    net.gradient(x, t)  # makes running statistics
    before = {key: value.copy() for key, value in {**net.params, **state(net)}.items()}
    assert net.to("cuda") is net
    same(before, {**net.params, **state(net)})
    assert net.to("cuda").to("cpu").device == "cpu"
    for key, value in {**net.params, **state(net)}.items():
        assert isinstance(value, np.ndarray)
        np.testing.assert_array_equal(value, before[key])
    first = net._slots()[0]
    net.params[first.key] -= 1
    assert first.value is net.params[first.key]


def test_a_device_that_there_is_not(monkeypatch, device):
    net, _, _ = make("TwoLayerNet")
    for call in (pynet.set_device, net.to):
        with pytest.raises(ValueError, match=r"name: expected one of cpu, cuda, got 'gpu'"):
            call("gpu")
    missing = {"present": False, "reason": "no driver", "code": 100}
    monkeypatch.setattr(device, "device_info", lambda: missing)
    for call in (pynet.set_device, net.to):
        with pytest.raises(RuntimeError, match="expected a GPU, got none: no driver"):
            call("cuda")
    assert pynet.device() == "cpu" and net.device == "cpu" and net.loss(*batch((6,)))


def test_parameters_can_be_assigned():
    _, net, x, t = twins("TwoLayerNet")
    layer = next(slot.layer for slot in net._slots())
    W = np.random.default_rng(0).standard_normal(net.params["W1"].shape)
    net.params["W1"] = W
    np.testing.assert_array_equal(layer.W.to_numpy(), W)
    layer.W = pynet.to_device(2 * W)
    np.testing.assert_array_equal(net.params["W1"].to_numpy(), 2 * W)
    with pytest.raises(TypeError, match=r"x\.to_numpy\(\)"):
        net.params["W1"] -= 0.1
    with pytest.raises(ValueError, match=r"W1: expected shape \(6, 5\)"):
        net.params["W1"] = W.T


# ---- copies and files --------------------------------------------------------------------------


@every_net
@pytest.mark.parametrize("duplicate", [copy.deepcopy, lambda net: pickle.loads(pickle.dumps(net))])
def test_a_copy_is_whole_and_apart(name, duplicate):
    _, net, x, t = twins(name)
    net.gradient(x, t)
    other = duplicate(net)
    assert other.device == "cuda"
    same({key: value.to_numpy() for key, value in net.params.items()}, other.params)
    same({key: value.to_numpy() for key, value in state(net).items()}, state(other))
    first = other._slots()[0]
    other.params[first.key][...] = 0
    assert not first.value.to_numpy().any()
    assert net.params[first.key].to_numpy().any()


@pytest.mark.parametrize("ending", ["safetensors", "npz", "pkl"])
def test_weight_files_go_both_ways(ending, tmp_path):
    here, there, x, t = twins("MultiLayerNetExtend")
    path = tmp_path / f"params.{ending}"
    there.params["W1"][...] = 0.5
    there.save_params(path)
    here.load_params(path)
    same(here.params, there.params)
    here.params["W2"][...] = 0.25
    here.save_params(path)
    there.load_params(path)
    same(here.params, there.params)


def test_the_ops_of_a_module_that_is_not_there(monkeypatch):
    monkeypatch.setattr(backend, "_device", None)
    monkeypatch.setattr(devices.backend, "import_module", _none)
    with pytest.raises(ImportError, match="pynet was built without CUDA"):
        pynet.to_device(np.ones(3))
    assert ops.sum(np.ones(3)) == 3


def _none(name):
    raise ModuleNotFoundError(name=name)


def test_every_net_has_a_case():
    assert set(NETS) >= {"TwoLayerNet", "SimpleConvNet", "DeepConvNet"}


# ---- what else looks at a network --------------------------------------------------------------


def test_a_diagnosis_is_that_of_the_cpu():
    here, there, x, t = twins("MultiLayerNetExtend")
    assert str(pynet.diagnose(there, x, t)) == str(pynet.diagnose(here, x, t))
    assert there.device == "cuda"


def test_a_profile_times_the_device():
    _, net, x, t = twins("SimpleConvNet", F32)
    rows = pynet.profile(net, x, t, 1).rows
    assert len(rows) == 7 and all(row.forward > 0 for row in rows)


def test_networks_together():
    here, there, x, t = twins("MultiLayerNet")
    both = pynet.ensemble.Ensemble([here, there])
    close(both.predict(x), pynet.ensemble.Ensemble([here]).predict(x))
    assert both.accuracy(x, t) == here.accuracy(x, t)


def test_batches_of_arrays_on_the_device():
    x, t = pynet.to_device(np.arange(10.0).reshape(5, 2)), np.arange(5)
    for xs, ts in pynet.loader.batches(x, t, 2):
        np.testing.assert_array_equal(xs.to_numpy()[:, 0], 2 * ts)


def test_activations_as_functions():
    x = np.linspace(-2, 2, 12).reshape(3, 4)
    close(pynet.activations.elu(pynet.to_device(x)).to_numpy(), pynet.activations.elu(x))
