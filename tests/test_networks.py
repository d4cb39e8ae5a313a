"""The networks against the book: weights, gradients, whole trainings, files, copies."""

from __future__ import annotations

import copy
import pickle
from collections import OrderedDict

import book_nets
import numpy as np
import pytest
from gradcheck import gradient_error, numerical_gradient

import pynet
from pynet.layers import (
    Affine,
    BatchNormalization,
    Concat,
    Convolution,
    Dropout,
    GlobalAveragePooling,
    IdentityWithLoss,
    Pooling,
    Relu,
    Residual,
    Sequential,
    SoftmaxWithLoss,
    Tanh,
)
from pynet.networks import (
    DeepConvNet,
    MultiLayerNet,
    MultiLayerNetExtend,
    Network,
    SimpleConvNet,
    TwoLayerNet,
    TwoLayerNetSigmoid,
)
from pynet.optimizers import SGD, Adam

F64 = np.float64
CONV = {"filter_num": 4, "filter_size": 3, "pad": 0, "stride": 1}
SMALL = {"pad": 1, "stride": 1, "filter_size": 3, "filter_num": 2}


def small_deep(**kwargs):
    convs = {f"conv_param_{i}": SMALL for i in range(1, 7)}
    return DeepConvNet((1, 8, 8), **convs, hidden_size=6, output_size=3, **kwargs)


def composed(**kwargs):
    body = Sequential(Convolution.sized(3, 3, pad=1), BatchNormalization.sized(), Tanh())
    branches = (Convolution.sized(2, 1), Convolution.sized(2, 3, pad=1))
    return Network(
        Sequential(Residual(body), Concat(*branches), GlobalAveragePooling(), Affine.sized(3)),
        input_dim=(3, 6, 6),
        **kwargs,
    )


# name: (how to make it, the shape of a sample), each with 3 classes
NETS = {
    "TwoLayerNet": (lambda **k: TwoLayerNet(6, 5, 3, 0.5, **k), (6,)),
    "TwoLayerNetSigmoid": (lambda **k: TwoLayerNetSigmoid(6, 5, 3, 0.5, **k), (6,)),
    "MultiLayerNet": (
        lambda **k: MultiLayerNet(6, [5, 4], 3, weight_decay_lambda=0.1, **k),
        (6,),
    ),
    "MultiLayerNet sigmoid": (
        lambda **k: MultiLayerNet(6, [5], 3, "sigmoid", "xavier", **k),
        (6,),
    ),
    "MultiLayerNetExtend": (
        lambda **k: MultiLayerNetExtend(
            6, [5, 4], 3, weight_decay_lambda=0.1, use_dropout=True, use_batchnorm=True, **k
        ),
        (6,),
    ),
    "SimpleConvNet": (lambda **k: SimpleConvNet((2, 8, 8), CONV, 5, 3, 0.3, **k), (2, 8, 8)),
    "DeepConvNet": (small_deep, (1, 8, 8)),
    "composed": (composed, (3, 6, 6)),
}


def batch(sample, N=8, classes=3, seed=0):
    rng = np.random.default_rng(seed)
    return rng.standard_normal((N, *sample)), rng.integers(0, classes, N)


def make(name, dtype=F64):
    np.random.seed(1)
    pynet.seed(1)
    build, sample = NETS[name]
    return build(dtype=dtype), *batch(sample)


every_net = pytest.mark.parametrize("name", NETS)


# ---- initial weights: the book's numbers for a seed ----------------------------------------------


def test_two_layer_net_draws_the_books_weights():
    for cls in (TwoLayerNet, TwoLayerNetSigmoid):
        np.random.seed(3)
        book = book_nets.TwoLayer(784, 50, 10).params
        np.random.seed(3)
        params = cls(784, 50, 10).params
        assert list(params) == list(book)
        for key, value in book.items():
            np.testing.assert_array_equal(params[key], value.astype(np.float32))


def test_simple_conv_net_draws_the_books_weights():
    np.random.seed(3)
    book = book_nets.SimpleConv(1, 28, 30, 5, 100, 10).params
    np.random.seed(3)
    params = SimpleConvNet(dtype=F64).params
    assert {key: value.shape for key, value in params.items()} == {
        "W1": (30, 1, 5, 5),
        "b1": (30,),
        "W2": (4320, 100),
        "b2": (100,),
        "W3": (100, 10),
        "b3": (10,),
    }
    for key, value in book.items():
        np.testing.assert_array_equal(params[key], value)


def test_deep_conv_net_draws_the_books_weights():
    np.random.seed(3)
    book = book_nets.deep_conv_weights()
    np.random.seed(3)
    net = DeepConvNet(dtype=F64)
    for i, (place, W) in enumerate(zip([0, 2, 5, 7, 10, 12, 15, 18], book), 1):
        np.testing.assert_array_equal(net.params[f"W{i}"], W)
        assert net.layers[place].W is net.params[f"W{i}"]
        assert not net.params[f"b{i}"].any()
    assert np.random.random() == _after_draws(3, book_nets.deep_conv_weights)


def _after_draws(seed, draw):
    np.random.seed(seed)
    draw()
    return np.random.random()


@pytest.mark.parametrize(
    ("init", "std"),
    [
        ("relu", lambda n: np.sqrt(2 / n)),
        ("He", lambda n: np.sqrt(2 / n)),
        ("SIGMOID", lambda n: np.sqrt(1 / n)),
        ("xavier", lambda n: np.sqrt(1 / n)),
        (0.01, lambda n: 0.01),
    ],
)
def test_multi_layer_nets_draw_the_books_weights(init, std):
    for cls in (MultiLayerNet, MultiLayerNetExtend):
        np.random.seed(3)
        book = book_nets.multi_layer_weights([20, 7, 5, 4], std)
        np.random.seed(3)
        net = cls(20, [7, 5], 4, weight_init_std=init, dtype=F64)
        for i, W in enumerate(book, 1):
            np.testing.assert_array_equal(net.params[f"W{i}"], W)


# ---- names and attributes ------------------------------------------------------------------------


def test_the_books_attributes():
    net = MultiLayerNet(6, (5, 4), 3, weight_decay_lambda=0.1)
    assert (net.input_size, net.output_size, net.hidden_layer_num) == (6, 3, 2)
    assert net.hidden_size_list == [5, 4]
    assert net.weight_decay_lambda == 0.1
    assert list(net.params) == ["W1", "b1", "W2", "b2", "W3", "b3"]
    assert list(net.layers) == [
        *("Affine1", "Activation_function1", "Affine2", "Activation_function2", "Affine3"),
    ]
    assert isinstance(net.last_layer, SoftmaxWithLoss)


def test_multi_layer_net_extend_has_the_books_layers_and_keys():
    net = MultiLayerNetExtend(6, [5, 4], 3, use_dropout=True, dropout_ration=0.2, use_batchnorm=1)
    each = ["Affine", "BatchNorm", "Activation_function", "Dropout"]
    assert list(net.layers) == [f"{name}{i}" for i in (1, 2) for name in each] + ["Affine3"]
    assert list(net.params) == [
        *("W1", "b1", "W2", "b2", "W3", "b3"),
        *("gamma1", "beta1", "gamma2", "beta2"),
    ]
    assert net.layers["Dropout1"].dropout_ratio == 0.2
    assert list(net.gradient(*batch((6,)))) == list(net.params)


def test_chapter_5_calls_its_loss_lastLayer():
    net = TwoLayerNet(6, 5, 3)
    assert list(net.layers) == ["Affine1", "Relu1", "Affine2"]
    assert net.lastLayer is net.last_layer
    net.lastLayer = loss = SoftmaxWithLoss()
    net.loss(*batch((6,)))
    assert loss.y.shape == (8, 3)


def test_simple_and_deep_conv_nets_have_the_books_layers():
    assert list(SimpleConvNet().layers) == [
        "Conv1",
        "Relu1",
        "Pool1",
        "Affine1",
        "Relu2",
        "Affine2",
    ]
    net = DeepConvNet()
    kinds = "".join(type(layer).__name__[0] for layer in net.layers)
    assert kinds == "CRCRPCRCRPCRCRPARDAD"  # dropout follows the last Affine too
    assert net.predict(np.zeros((2, 1, 28, 28))).shape == (2, 10)
    assert net.params["W7"].shape == (1024, 50)


def test_chapter_4_gives_probabilities_and_its_own_loss():
    net, x, t = make("TwoLayerNetSigmoid")
    y = net.predict(x)
    np.testing.assert_allclose(y.sum(axis=1), 1)
    expected = -np.log(y[np.arange(8), t] + 1e-7).mean()
    assert net.loss(x, t) == pytest.approx(expected, rel=1e-12)
    one_hot = np.eye(3)[t]
    assert net.loss(x, one_hot) == pytest.approx(expected, rel=1e-12)
    assert net.accuracy(x, one_hot) == net.accuracy(x, t)


# ---- modes -------------------------------------------------------------------------------------


def test_which_passes_train():
    """Extend measures its loss in test mode, DeepConvNet always in training mode."""
    net, x, t = make("MultiLayerNetExtend")
    net.gradient(x, t)
    assert net.loss(x, t) == net.loss(x, t, False) != net.loss(x, t, True)
    net, x, t = make("DeepConvNet")
    np.testing.assert_array_equal(net.predict(x), net.predict(x, False))
    assert net.loss(x, t) != net.loss(x, t)  # new masks each time
    assert net.loss(x, t, False) == net.loss(x, t, False)


def test_the_weight_decay_is_in_the_loss_and_the_gradient():
    plain, x, t = make("MultiLayerNet")
    plain.weight_decay_lambda = 0
    decayed, _, _ = make("MultiLayerNet")
    squares = sum((plain.params[f"W{i}"] ** 2).sum() for i in (1, 2, 3))
    assert decayed.loss(x, t) == pytest.approx(plain.loss(x, t) + 0.5 * 0.1 * squares, rel=1e-12)
    without, with_ = plain.gradient(x, t), decayed.gradient(x, t)
    np.testing.assert_allclose(with_["W2"], without["W2"] + 0.1 * plain.params["W2"], rtol=1e-12)
    np.testing.assert_array_equal(with_["b2"], without["b2"])


def test_accuracy_counts_the_last_partial_batch():
    net, x, _ = make("SimpleConvNet")
    t = net.predict(x).argmax(axis=1)
    t[-1] = (t[-1] + 1) % 3
    for size in (1, 3, 5, 8, 100):
        assert net.accuracy(x, t, batch_size=size) == 7 / 8
    assert net.accuracy(x, np.eye(3)[t]) == 7 / 8
    assert net.accuracy(x, t.astype(np.uint8)) == 7 / 8


# ---- gradients -----------------------------------------------------------------------------------


@every_net
def test_gradient_is_that_of_the_loss(name):
    """Every parameter, in float64, with fixed masks, against central differences."""
    net, x, t = make(name)
    grads = net.gradient(x, t)
    state = [(slot, copy.copy(slot.value)) for slot in net.named_state()]

    def f():
        for slot, value in state:
            if slot.name == "dropout_step":
                setattr(slot.layer, slot.name, value - 1)
        return net.loss(x, t, True)

    bound = 1e-5 if name == "TwoLayerNetSigmoid" else 1e-7  # its loss has 1e-7 in the logarithm
    for key, param in net.params.items():
        numerical = numerical_gradient(f, param, h=1e-5)  # small: few kinks on the way
        if np.abs(grads[key]).max() < 1e-12:  # batch norm takes a bias before it away
            assert np.abs(numerical).max() < 1e-9, key
        else:
            assert gradient_error(grads[key], numerical) < bound, key


@every_net
@pytest.mark.parametrize("dtype", [np.float32, F64])
def test_numerical_gradient_is_computed_in_float64(name, dtype):
    net, x, t = make(name, dtype)
    before = net.params.flat.copy()
    state = [copy.copy(slot.value) for slot in net.named_state()]
    numerical = net.numerical_gradient(x, t)
    assert list(numerical) == list(net.params)
    np.testing.assert_array_equal(net.params.flat, before)
    for slot, value in zip(net.named_state(), state):
        np.testing.assert_array_equal(slot.value, value)
    grads = net.gradient(x, t)
    for key in net.params:
        assert numerical[key].dtype == F64
        scale = max(np.abs(grads[key]).max(), 1e-2)
        bound = 1e-4 if dtype == np.float32 or "Sigmoid" in name else 1e-6
        assert np.abs(grads[key] - numerical[key]).max() < bound * scale, key


def test_each_gradient_is_a_fresh_store():
    net, x, t = make("SimpleConvNet")
    first = net.gradient(x, t)
    kept = first.flat.copy()
    second = net.gradient(x + 1, t)
    np.testing.assert_array_equal(first.flat, kept)
    assert not np.shares_memory(first.flat, second.flat)
    assert (first.flat != second.flat).any()


def test_last_loss_is_that_of_the_gradient_pass():
    net, x, t = make("SimpleConvNet")
    loss = net.loss(x, t)
    net.loss(x + 1, t)
    net.gradient(x, t)
    assert net.last_loss == loss


# ---- training as the book does -------------------------------------------------------------------


def train_both(book, net, x, t, steps, lr):
    optimizer = SGD(lr)
    for step in range(steps):
        chosen = np.random.default_rng(step).integers(0, len(x), 20)
        loss, grads = book.loss_and_gradient(x[chosen], t[chosen])
        for key, grad in grads.items():
            book.params[key] -= lr * grad
        optimizer.update(net.params, net.gradient(x[chosen], t[chosen]))
        yield loss, net.last_loss


def digits():
    (x, t), _ = pynet.datasets.load_digits(flatten=False)
    return x.astype(F64), t


def test_two_layer_net_trains_as_the_book_does():
    x, t = digits()
    np.random.seed(0)
    book = book_nets.TwoLayer(64, 20, 10, std=0.1)
    np.random.seed(0)
    net = TwoLayerNet(64, 20, 10, 0.1, dtype=F64)
    losses = np.array(list(train_both(book, net, x.reshape(-1, 64), t, 300, lr=0.5)))
    assert np.abs(losses[:, 0] - losses[:, 1]).max() < 1e-10
    assert losses[-20:].mean() < 0.3 < 2 < losses[0, 0]


def test_simple_conv_net_trains_as_the_book_does():
    x, t = digits()
    np.random.seed(0)
    book = book_nets.SimpleConv(1, 8, 6, 3, 20, 10, std=0.1)
    np.random.seed(0)
    conv = {"filter_num": 6, "filter_size": 3, "pad": 0, "stride": 1}
    net = SimpleConvNet((1, 8, 8), conv, 20, 10, 0.1, dtype=F64)
    losses = np.array(list(train_both(book, net, x, t, 150, lr=0.2)))
    assert np.abs(losses[:, 0] - losses[:, 1]).max() < 1e-10
    assert losses[-20:].mean() < 1 < 2 < losses[0, 0]


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
