"""Layers made of layers: what they compute, how they name what they hold, sizes inferred."""

from __future__ import annotations

import numpy as np
import pytest
from layer_cases import close, draw, nested

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
