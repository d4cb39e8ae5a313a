"""Layers made of layers: what they compute, how they name what they hold, sizes inferred."""

from __future__ import annotations

import numpy as np
import pytest
from layer_cases import close, draw

import pynet
from pynet.layers import (
    Affine,
    AveragePooling,
    BatchNormalization,
    Concat,
    Container,
    Convolution,
    Dropout,
    Flatten,
    Layer,
    Pooling,
    Relu,
    Residual,
    Sequential,
    Sigmoid,
    SoftmaxWithLoss,
)


def affine(n, out, seed=0):
    return Affine(draw(n, out, seed=seed), draw(out, seed=seed + 1))


def test_sequential_is_the_layers_by_hand():
    a, relu, b = affine(3, 4), Relu(), affine(4, 2, seed=2)
    net = Sequential(a, relu, b)
    assert len(net) == 3 and net[1] is relu and list(net) == [a, relu, b]
    x, dout = draw(5, 3), draw(5, 2)
    y = net.forward(x)
    dx = net.backward(dout)
    dW, db = a.dW.copy(), b.db.copy()
    np.testing.assert_array_equal(y, b.forward(relu.forward(a.forward(x))))
    np.testing.assert_array_equal(dx, a.backward(relu.backward(b.backward(dout))))
    np.testing.assert_array_equal(a.dW, dW)
    np.testing.assert_array_equal(b.db, db)


def test_an_empty_sequential_is_the_identity():
    x = draw(2, 3)
    net = Sequential()
    np.testing.assert_array_equal(net.forward(x), x)
    np.testing.assert_array_equal(net.backward(x), x)
    assert net.backward(x, need_dx=False) is None
    assert net.describe((2, 3)).out_shape == (2, 3)


def test_the_flag_reaches_the_layers_that_take_it():
    pynet.seed(0)
    x = np.ones((4, 6))
    drop = Dropout(0.25)
    for net in (
        Sequential(Relu(), drop),
        Residual(Sequential(Sequential(drop))),
        Concat(drop, Relu()),
    ):
        np.testing.assert_array_equal(net(x, False), net.forward(x, False))
        assert drop.mask is None
        net.forward(x)
        assert drop.mask is not None, "training is the default, as in the layers"


def test_a_layer_of_ones_own():
    class Scale(Layer):
        param_names = ("gamma",)

        def __init__(self, gamma):
            self.gamma = gamma

        def forward(self, x):
            self.x = x
            return self.gamma * x

        def backward(self, dout):
            self.dgamma = (dout * self.x).sum(axis=0)
            return dout * self.gamma

    scale = Scale(np.array([1.0, 2.0, 3.0]))
    net = Sequential(Affine(np.eye(3), np.zeros(3)), scale, Dropout(0.5))
    x = draw(4, 3)
    np.testing.assert_array_equal(net(x, False), 0.5 * x * scale.gamma)
    close(net.backward(np.ones((4, 3))), 0.5 * np.tile(scale.gamma, (4, 1)))
    close(scale.dgamma, 0.5 * x.sum(axis=0))
    assert [slot.key for slot in net.named_parameters()] == ["W1", "b1", "gamma1"]
    assert net.describe((4, 3)).params == 15
    with pytest.raises(AttributeError, match="Scale has no gamma yet"):
        Scale.__new__(Scale).gamma  # noqa: B018


def test_signatures_decide_what_a_layer_is_handed():
    class Plain(Layer):
        def forward(self, x):
            return x

        def backward(self, dout):
            return dout

    class Both(Layer):
        def forward(self, x, train_flg=True):
            self.seen = train_flg
            return x

        def backward(self, dout, need_dx=True):
            self.need_dx = need_dx
            return dout

    assert not Plain.takes_train_flg and not Plain.takes_need_dx
    assert Both.takes_train_flg and Both.takes_need_dx
    assert Dropout.takes_train_flg and BatchNormalization.takes_train_flg
    assert not Relu.takes_train_flg and not Relu.takes_need_dx
    assert Affine.takes_need_dx and Convolution.takes_need_dx
    both = Both()
    net = Residual(Sequential(Plain(), both))
    net(draw(2, 2), False)
    assert both.seen is False
    net.backward(draw(2, 2), need_dx=False)


def test_the_gradient_of_the_input_is_skipped_up_to_the_first_parameters():
    class Spy(Layer):
        calls = 0

        def forward(self, x):
            return x

        def backward(self, dout):
            Spy.calls += 1
            return dout

    net = Sequential(Spy(), Flatten(), affine(4, 3), Spy(), affine(3, 2))
    net.forward(draw(5, 2, 2))
    full = net.backward(draw(5, 2))
    dW = net[2].dW.copy()
    assert full.shape == (5, 2, 2) and Spy.calls == 2
    assert net.backward(draw(5, 2), need_dx=False) is None
    assert Spy.calls == 3, "only the one behind the first parameters"
    np.testing.assert_array_equal(net[2].dW, dW)


def test_the_first_layer_computes_no_gradient_of_its_input(monkeypatch):
    net = Sequential(affine(4, 3), affine(3, 2))
    net.forward(draw(5, 4))
    calls = []
    real = pynet.ops.gemm
    monkeypatch.setattr(pynet.ops, "gemm", lambda *a, **kw: calls.append(kw) or real(*a, **kw))
    net.backward(draw(5, 2), need_dx=False)
    assert len(calls) == 3, "dW and dx, then dW alone"


def test_residual_adds():
    x, dout = draw(2, 3, 4, 4), draw(2, 3, 4, 4, seed=1)
    body = Convolution(draw(3, 3, 3, 3), draw(3), pad=1)
    net = Residual(body)
    y = net.forward(x)
    close(y, body.forward(x) + x)
    dx = net.backward(dout)
    close(dx, body.backward(dout) + dout)
    short = Convolution(draw(3, 3, 1, 1, seed=2), None)
    net = Residual(body, short)
    close(net.forward(x), body.forward(x) + short.forward(x))
    close(net.backward(dout), body.backward(dout) + short.backward(dout))


def test_residual_refuses_shapes_that_differ():
    net = Residual(affine(3, 4))
    with pytest.raises(ValueError, match=r"\[Residual.forward\] body: expected .*\(2, 3\), got"):
        net.forward(draw(2, 3))
    with pytest.raises(ValueError, match=r"\[Residual.describe\] body: expected"):
        net.describe((2, 3))


def test_concat_joins_and_splits_channels():
    x = draw(2, 3, 4, 4)
    a = Convolution(draw(2, 3, 1, 1), draw(2))
    b = AveragePooling(3, 3, stride=1, pad=1)
    net = Concat(a, b)
    y = net.forward(x)
    assert y.shape == (2, 5, 4, 4) and y.flags.c_contiguous
    close(y[:, :2], a.forward(x))
    close(y[:, 2:], b.forward(x))
    dout = draw(*y.shape, seed=1)
    before = dout.copy()
    dx = net.backward(dout)
    close(dx, a.backward(dout[:, :2]) + b.backward(dout[:, 2:]))
    np.testing.assert_array_equal(dout, before)
    with pytest.raises(ValueError, match=r"\[Concat.backward\] dout: expected 5 channels, got"):
        net.backward(dout[:, 1:])


def test_concat_refuses():
    with pytest.raises(ValueError, match=r"\[Concat\] branches: expected at least one, got none"):
        Concat()
    net = Concat(Pooling(2, 2), Pooling(3, 3, 1))
    with pytest.raises(ValueError, match=r"\[Concat.forward\] branches: expected .* channels only"):
        net.forward(draw(1, 1, 6, 6))
    with pytest.raises(ValueError, match=r"\[Concat.backward\] x: expected forward\(\) before"):
        Concat(Relu()).backward(draw(1, 1))


@pytest.mark.parametrize("make", [Sequential, lambda x: Residual(Relu(), x), Concat])
def test_containers_hold_layers_only(make):
    for wrong in (SoftmaxWithLoss(), np.ones(3), "Relu", Relu):
        with pytest.raises(TypeError, match="layers: expected Layer objects, got"):
            make(wrong)


def test_one_layer_object_stands_in_one_place():
    relu = Relu()
    with pytest.raises(ValueError, match=r"expected different layer objects, got Relu\(\) twice"):
        Sequential(relu, affine(2, 2), relu)
    with pytest.raises(ValueError, match="twice"):
        Residual(Sequential(relu), Sequential(Sequential(relu)))


def nested():
    return Sequential(
        Convolution.sized(4, 3, pad=1, bias=False),
        BatchNormalization.sized(),
        Relu(),
        Residual(Sequential(Convolution.sized(4, 3, pad=1), BatchNormalization.sized(), Relu())),
        Residual(Convolution.sized(6, 1), Convolution.sized(6, 1)),
        Concat(Convolution.sized(2, 1), Sequential(Convolution.sized(3, 1), Dropout(0.1))),
        Sequential(Convolution.sized(5, 1), Convolution.sized(5, 1)),
        Sequential(Relu()),
        Sequential(Convolution.sized(5, 1)),
        Dropout(0.2),
        Affine.sized(10),
        BatchNormalization.sized(),
        Dropout(0.3),
    )


KEYS = """W1 gamma1 beta1 residual1.body.W1 residual1.body.b1 residual1.body.gamma1
residual1.body.beta1 residual2.body.W1 residual2.body.b1 residual2.shortcut.W1
residual2.shortcut.b1 concat1.branch1.W1 concat1.branch1.b1 concat1.branch2.W1 concat1.branch2.b1
block1.W1 block1.b1 block1.W2 block1.b2 block3.W1 block3.b1 W2 b2 gamma2 beta2""".split()

STATE = """running_mean1 running_var1 residual1.body.running_mean1 residual1.body.running_var1
concat1.branch2.dropout_number1 concat1.branch2.dropout_step1 dropout_number1 dropout_step1
running_mean2 running_var2 dropout_number2 dropout_step2""".split()


def test_keys_are_the_books_with_the_path_in_front():
    net = nested()
    net.build((1, 1, 5, 5))
    assert [slot.key for slot in net.named_parameters()] == KEYS
    assert [slot.key for slot in net.named_state()] == STATE
    values = {slot.key: slot.value for slot in net.named_parameters()}
    assert values["residual2.shortcut.W1"] is net[4].shortcut.W
    assert values["b2"] is net[10].b


def test_keys_of_a_container_of_ones_own():
    class Twin(Container):
        def __init__(self):
            self.left, self.right = affine(2, 2), affine(2, 2)

        def children(self):
            return [("left", self.left), ("right", self.right)]

    net = Sequential(Twin(), affine(2, 2), Twin())
    keys = [slot.key for slot in net.named_parameters()]
    assert keys[:4] == ["twin1.left.W1", "twin1.left.b1", "twin1.right.W1", "twin1.right.b1"]
    assert keys[4:7] == ["W1", "b1", "twin2.left.W1"]


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
        (lambda: Convolution.sized(0, 3), r"\[Convolution.sized\] FN, filter_size: expected"),
        (lambda: Convolution.sized(3, (3, 0)), r"\[Convolution.sized\] FN, filter_size: expected"),
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


def test_backward_before_forward_names_the_layer():
    with pytest.raises(ValueError, match=r"\[Sigmoid.backward\] x: expected forward\(\) before"):
        Sequential(Affine.sized(3), Sigmoid()).backward(draw(2, 3))


def test_a_layer_without_forward_or_backward():
    for call in (lambda: Layer().forward(1), lambda: Layer().backward(1)):
        with pytest.raises(NotImplementedError, match="Layer has no"):
            call()


def test_repr_reads_like_the_architecture():
    net = Sequential(
        Convolution.sized(8, 3),
        Residual(Sequential(Relu(), Convolution.sized(8, 3, pad=1)), Convolution.sized(8, 1)),
        Concat(Relu(), Pooling(2, 2)),
    )
    assert (
        repr(net)
        == """\
Sequential(
  Convolution(? -> 8, 3x3)
  residual1: Residual(
    body: Sequential(
      Relu()
      Convolution(? -> 8, 3x3, pad=1)
    )
    shortcut: Convolution(? -> 8, 1x1)
  )
  concat1: Concat(
    branch1: Relu()
    branch2: Pooling(2x2, stride=2)
  )
)"""
    )
