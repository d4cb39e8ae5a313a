"""What all networks share: live parameters, copies, files, any layers, summaries."""

from __future__ import annotations

import copy
import pickle
from collections import OrderedDict

import numpy as np
import pytest
from network_cases import F64, NETS, batch, every_net, make

from pynet.layers import (
    Affine,
    Convolution,
    Dropout,
    IdentityWithLoss,
    Layer,
    Pooling,
    Relu,
    Sequential,
)
from pynet.networks import (
    Network,
    SimpleConvNet,
    TwoLayerNet,
)
from pynet.optimizers import SGD, Adam

# ---- parameters are the layers' arrays -----------------------------------------------------------


@every_net
def test_every_way_to_change_a_parameter_takes_effect(name):
    net, x, t = make(name)
    net.gradient(x, t)
    key = next(iter(net.params))
    before = net.predict(x)
    net.params[key] += 1.0
    changed = net.predict(x)
    assert (changed != before).any()
    net.params[key] = net.params[key] - 1.0
    np.testing.assert_allclose(net.predict(x), before, rtol=1e-9, atol=1e-12)


def test_load_params_of_the_book_rebinds_layers():
    """The book's own load_params assigns to layer.W; in a packed layer that copies."""
    net, x, _ = make("SimpleConvNet")
    W = np.random.default_rng(5).standard_normal(net.params["W1"].shape)
    net.layers["Conv1"].W = W
    np.testing.assert_array_equal(net.params["W1"], W)
    W[...] = 0
    assert net.params["W1"].any()


@every_net
def test_copies_are_whole_and_apart(name):
    net, x, t = make(name)
    Adam(0.01).update(net.params, net.gradient(x, t))
    twins = copy.deepcopy(net), pickle.loads(pickle.dumps(net))
    scores = net.predict(x)
    grads = net.gradient(x, t)  # with running statistics and masks of its own
    after = net.predict(x)
    for twin in twins:
        assert type(twin) is type(net)
        np.testing.assert_array_equal(twin.predict(x), scores)
        np.testing.assert_array_equal(twin.gradient(x, t).flat, grads.flat)
        SGD(0.1).update(twin.params, grads)
        assert (twin.predict(x) != after).any()
        np.testing.assert_array_equal(net.predict(x), after)


# ---- files -------------------------------------------------------------------------------------


@every_net
@pytest.mark.parametrize("ending", ["pkl", "npz", "safetensors"])
def test_weight_files(name, ending, tmp_path):
    net, x, _ = make(name)
    path = tmp_path / f"params.{ending}"
    net.save_params(path)
    np.random.seed(9)
    other = NETS[name][0](dtype=F64)
    assert (other.params["W1" if "W1" in other.params else next(iter(other.params))] != 0).any()
    assert (other.params.flat != net.params.flat).any()
    other.load_params(path)
    np.testing.assert_array_equal(other.params.flat, net.params.flat)
    np.testing.assert_array_equal(other.predict(x), net.predict(x))


def test_the_books_pickle_is_read_and_written(tmp_path):
    """A plain dict of float64 arrays, default protocol, as the book's save_params dumps it."""
    rng = np.random.default_rng(0)
    net = SimpleConvNet()
    book = {key: rng.standard_normal(value.shape) for key, value in net.params.items()}
    with open(tmp_path / "book.pkl", "wb") as file:
        pickle.dump(book, file)
    net.load_params(tmp_path / "book.pkl")
    for key, value in book.items():
        np.testing.assert_array_equal(net.params[key], value.astype(np.float32))
    assert net.layers["Affine2"].W is net.params["W3"]
    net.save_params(tmp_path / "ours.pkl")
    with open(tmp_path / "ours.pkl", "rb") as file:
        ours = pickle.load(file)
    assert type(ours) is dict and list(ours) == list(book)
    assert all(type(value) is np.ndarray for value in ours.values())


def test_a_weight_file_of_another_net_changes_nothing(tmp_path):
    net, x, _ = make("TwoLayerNet")
    before = net.params.flat.copy()
    path = tmp_path / "other.npz"
    TwoLayerNet(6, 4, 3).save_params(path)
    with pytest.raises(ValueError, match=r"^\[load_params\] W1: expected shape \(6, 5\), got"):
        net.load_params(path)
    np.savez(path, W1=np.zeros((6, 5)))
    with pytest.raises(ValueError, match="got no b1"):
        net.load_params(path)
    np.testing.assert_array_equal(net.params.flat, before)


# ---- networks of any layers ----------------------------------------------------------------------


def test_sizes_come_from_the_first_batch():
    net = Network(
        Sequential(Convolution.sized(4, 3, pad=1), Relu(), Pooling(2, 2), Affine.sized(3))
    )
    with pytest.raises(ValueError, match=r"^\[Network\] params: expected the sizes"):
        _ = net.params
    assert net.predict(np.zeros((2, 1, 6, 6))).shape == (2, 3)
    assert net.params["W2"].shape == (36, 3)
    assert net.input_dim == (1, 6, 6)
    assert net.params["W1"].dtype == np.float32


def test_keys_of_nested_layers():
    net, x, t = make("composed")
    assert list(net.params) == [
        *("residual1.body.W1", "residual1.body.b1"),
        *("residual1.body.gamma1", "residual1.body.beta1"),
        *("concat1.branch1.W1", "concat1.branch1.b1"),
        *("concat1.branch2.W1", "concat1.branch2.b1", "W1", "b1"),
    ]
    assert list(net.gradient(x, t)) == list(net.params)


def test_a_readers_own_subclass():
    """Layers in a dict, in the book's style, and a method of its own."""

    class Mine(Network):
        def __init__(self):
            layers = OrderedDict()
            layers["first"] = Affine(np.full((4, 3), 0.5), np.zeros(3))
            layers["relu"] = Relu()
            layers["last"] = Affine(np.eye(3), np.zeros(3))
            super().__init__(layers, dtype=F64)

        def accuracy(self, x, t, batch_size=100):
            return 0.25

    net = Mine()
    x, t = batch((4,))
    grads = net.gradient(x, t)
    for key, numerical in net.numerical_gradient(x, t).items():
        np.testing.assert_allclose(grads[key], numerical, atol=1e-7)
    net.layers["last"].W = np.zeros((3, 3))
    assert not net.params["W2"].any()
    assert net.accuracy(x, t) == 0.25


class Scale(Layer):
    """A reader's layer, which makes its gradient an array of its own."""

    param_names = ("gamma",)

    def __init__(self, gamma):
        self.gamma = gamma

    def forward(self, x):
        self.x = x
        return self.gamma * x

    def backward(self, dout):
        self.dgamma = (dout * self.x).sum(axis=0)
        return dout * self.gamma


@pytest.mark.parametrize("dtype", [np.float32, F64])
def test_a_layer_of_the_readers_own(dtype):
    net = Network([Scale(np.arange(1.0, 5.0)), Affine(np.eye(4, 3), None)], dtype=dtype)
    x, t = batch((4,))
    grads = net.gradient(x, t)
    assert list(grads) == ["gamma1", "W1"] and grads.flat.dtype == dtype
    for key, numerical in net.numerical_gradient(x, t).items():
        np.testing.assert_allclose(grads[key], numerical, atol=1e-6)
    SGD(0.1).update(net.params, grads)
    np.testing.assert_array_equal(net.layers[0].gamma, net.params["gamma1"])
    assert (net.params["gamma1"] != np.arange(1.0, 5.0)).any()


def test_regression_with_another_loss():
    net = Network([Affine(np.ones((4, 2)), np.zeros(2))], IdentityWithLoss(), dtype=F64)
    x, _ = batch((4,))
    t = np.zeros((8, 2))
    y = x.sum(axis=1, keepdims=True) * np.ones(2)
    assert net.loss(x, t) == pytest.approx((y**2).sum() / 16)
    np.testing.assert_allclose(net.gradient(x, t)["W1"], x.T @ y / 8, rtol=1e-12)


@pytest.mark.parametrize("dtype", [np.float32, F64])
def test_a_network_computes_in_its_own_dtype(dtype):
    net = TwoLayerNet(6, 5, 3, dtype=dtype)
    x, t = batch((6,))
    for data in (x, x.astype(np.float32), x.astype(np.float16), (10 * x).astype(np.int64)):
        assert net.predict(data).dtype == dtype
        assert net.gradient(data, t)["W1"].dtype == dtype
    assert net.params.flat.dtype == dtype


# ---- summary -----------------------------------------------------------------------------------


def test_summary_of_the_books_conv_net():
    summary = SimpleConvNet().summary()
    assert summary.params == 30 * 25 + 30 + 4320 * 100 + 100 + 1000 + 10 == 433890
    assert summary.macs == 30 * 25 * 24 * 24 + 4320 * 100 + 1000
    text = str(summary)
    assert "30x24x24" in text and "433,890" in text and "float32" in text
    assert max(map(len, text.splitlines())) <= 100
    html = summary._repr_html_()
    assert html.startswith("<table>") and "433,890" in html
    outputs = [row.description.out_shape[1:] for row in summary.rows]
    assert outputs == [(30, 24, 24), (30, 24, 24), (30, 12, 12), (100,), (100,), (10,)]


def test_summary_says_what_it_needs():
    net = Network([Affine.sized(3)])
    with pytest.raises(ValueError, match=r"^\[summary\] input_dim: expected the shape"):
        net.summary()
    assert net.summary((5,)).params == 18
    with pytest.raises(ValueError, match="params"):
        _ = net.params  # a summary makes nothing


def test_dropout_layers_of_one_net_draw_different_masks():
    net = Network([Affine(np.eye(64), None), Dropout(0.5), Dropout(0.5)], dtype=F64)
    net.predict(np.ones((10, 64)), True)
    first, second = net.layers[1].mask, net.layers[2].mask
    assert (first != second).any()
