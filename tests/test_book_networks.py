"""The book's networks: initial weights, names, modes, gradients, whole trainings."""

from __future__ import annotations

import copy

import book_nets
import numpy as np
import pytest
from gradcheck import gradient_error, numerical_gradient
from network_cases import F64, batch, every_net, make

import pynet
from pynet.layers import (
    SoftmaxWithLoss,
)
from pynet.networks import (
    DeepConvNet,
    MultiLayerNet,
    MultiLayerNetExtend,
    SimpleConvNet,
    TwoLayerNet,
    TwoLayerNetSigmoid,
)
from pynet.optimizers import SGD

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
