"""The flat stores, and layers packed into them."""

from __future__ import annotations

import copy
import pickle

import numpy as np
import pytest

from pynet.layers import Affine, BatchNormalization, Convolution, Relu, Sequential
from pynet.params import FlatStore, GradStore, Layout, ParamStore, pack


def arrays(dtype=np.float32):
    rng = np.random.default_rng(0)
    return {
        "W1": rng.standard_normal((3, 5)).astype(dtype),
        "b1": rng.standard_normal(5).astype(dtype),
        "W2": rng.standard_normal((2, 1, 3, 3)).astype(dtype),
    }


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_store_holds_copies_as_views_of_one_aligned_buffer(dtype):
    given = arrays(dtype)
    store = ParamStore.of(given)
    assert list(store) == ["W1", "b1", "W2"]
    assert store.flat.dtype == dtype and store.flat.ndim == 1
    assert store.flat.ctypes.data % 64 == 0
    for key, array in given.items():
        np.testing.assert_array_equal(store[key], array)
        assert np.shares_memory(store[key], store.flat)
        assert not np.shares_memory(store[key], array)
        assert store[key].ctypes.data % 64 == 0
        assert store[key].flags.c_contiguous and store[key].flags.writeable


def test_gaps_are_zero_and_do_not_count():
    store = ParamStore.of({key: np.ones_like(a) for key, a in arrays().items()})
    assert store.flat.size == 16 + 16 + 32
    assert store.flat.sum() == 15 + 5 + 18
    assert len(store.layout.gaps) == 1 + 11 + 14
    assert not store.flat[store.layout.gaps].any()


def test_dtype_rule():
    assert ParamStore.of({"a": np.ones(2, np.float32), "b": np.ones(2)}).flat.dtype == np.float64
    assert ParamStore.of({"a": np.ones(2, np.float16)}).flat.dtype == np.float32
    assert ParamStore.of({"a": np.arange(2)}).flat.dtype == np.float32
    assert ParamStore.of({"a": np.ones(2)}, np.float32).flat.dtype == np.float32


def test_assigning_copies_into_the_view():
    store = ParamStore.of(arrays())
    view = store["W1"]
    store["W1"] = np.full((3, 5), 7)
    assert store["W1"] is view and (view == 7).all()
    store["W1"] -= 2
    assert store["W1"] is view and (view == 5).all()
    store["W1"] = store["W1"] * 2
    assert store["W1"] is view and (view == 10).all()
    store.update({"b1": np.zeros(5)}, W1=np.ones((3, 5)))
    assert store["W1"] is view and (view == 1).all() and not store["b1"].any()
    store |= {"b1": np.ones(5)}
    assert isinstance(store, ParamStore) and (store["b1"] == 1).all()
    assert store.setdefault("W1") is view


@pytest.mark.parametrize("value", [np.ones((5, 3)), np.ones(5), 1.0, np.ones((1, 3, 5))])
def test_another_shape_is_refused(value):
    store = ParamStore.of(arrays())
    before = store.flat.copy()
    with pytest.raises(ValueError, match=r"\[ParamStore\] W1: expected shape \(3, 5\), got"):
        store["W1"] = value
    np.testing.assert_array_equal(store.flat, before)


def test_the_keys_are_fixed():
    store = ParamStore.of(arrays())
    with pytest.raises(KeyError, match="expected one of W1, b1, W2, got 'W9'"):
        store["W9"] = np.ones(2)
    with pytest.raises(KeyError):
        store.setdefault("W9", np.ones(2))
    for remove in (
        lambda: store.pop("W1"),
        store.popitem,
        store.clear,
        lambda: store.__delitem__("W1"),
    ):
        with pytest.raises(TypeError, match=r"\[ParamStore\] key: expected .*, got"):
            remove()
    assert list(store) == ["W1", "b1", "W2"]


@pytest.mark.parametrize(
    "duplicate", [copy.deepcopy, lambda store: pickle.loads(pickle.dumps(store))]
)
def test_deepcopy_and_pickle_rebuild_the_store(duplicate):
    store = ParamStore.of(arrays(np.float64))
    twin = duplicate(store)
    assert type(twin) is ParamStore and twin.layout == store.layout and list(twin) == list(store)
    np.testing.assert_array_equal(twin.flat, store.flat)
    twin["W1"][0, 0] = 99
    assert twin.flat[0] == 99 and store["W1"][0, 0] != 99


def test_layouts_are_equal_when_keys_order_shapes_and_dtype_are():
    shapes = {"W": (2, 3), "b": (3,)}
    layout = Layout(shapes, np.float32)
    assert layout == Layout(dict(shapes), np.float32)
    assert layout != Layout(shapes, np.float64)
    assert layout != Layout({"b": (3,), "W": (2, 3)}, np.float32)
    assert layout != Layout({"W": (3, 2), "b": (3,)}, np.float32)
    assert layout != "layout"


def test_fresh_gradients_have_a_buffer_of_their_own_with_zero_gaps():
    layout = ParamStore.of(arrays()).layout
    kept = []
    for i in range(4):
        grads = GradStore.fresh(layout)
        for key in grads:
            grads[key][...] = i
        assert not grads.flat[layout.gaps].any()
        kept.append(grads)
    for i, grads in enumerate(kept):
        assert all((g == i).all() for g in grads.values())
        assert type(grads) is GradStore


def network():
    return Sequential(
        Convolution.sized(2, 3), BatchNormalization.sized(), Relu(), Affine.sized(4, bias=False)
    )


def test_pack_moves_the_layers_parameters_into_the_store():
    net = network()
    net.build((1, 1, 5, 5))
    before = {slot.key: slot.value for slot in net.named_parameters()}
    store = pack(net.named_parameters())
    assert list(store) == ["W1", "b1", "gamma1", "beta1", "W2"]
    for slot in net.named_parameters():
        assert slot.value is store[slot.key]
        np.testing.assert_array_equal(slot.value, before[slot.key])


def test_a_packed_layer_copies_on_assignment():
    net = network()
    net.build((1, 1, 5, 5))
    store = pack(net.named_parameters())
    affine = net[3]
    view = affine.W
    affine.W = np.ones((18, 4))
    assert affine.W is view and (store["W2"] == 1).all()
    affine.W -= 0.5
    assert affine.W is view and (store["W2"] == 0.5).all()
    with pytest.raises(ValueError, match=r"\[Affine\] W: expected shape \(18, 4\), got \(4, 18\)"):
        affine.W = np.ones((4, 18))
    assert (store["W2"] == 0.5).all()


def test_forward_reads_the_store():
    layer = Affine(np.ones((2, 3), np.float32), np.zeros(3, np.float32))
    store = pack(layer.named_parameters())
    store["W1"][...] = 2
    store["b1"] = np.array([1, 2, 3])
    y = layer.forward(np.ones((1, 2), np.float32))
    assert y.tolist() == [[5, 6, 7]]


def test_pack_rounds_to_the_dtype_asked_for():
    layer = Affine(np.full((2, 3), 0.1), np.zeros(3))
    store = pack(layer.named_parameters(), np.float32)
    assert store.flat.dtype == np.float32 and layer.W.dtype == np.float32


def test_two_parameters_with_one_key_are_refused():
    a, b = Affine(np.ones((2, 2)), np.ones(2)), Affine(np.ones((2, 2)), np.ones(2))
    with pytest.raises(ValueError, match=r"\[pack\] slots: expected different keys, got 'W1'"):
        pack([*a.named_parameters(), *b.named_parameters()])


def test_gradients_are_written_into_the_views_given_for_one_backward():
    rng = np.random.default_rng(0)
    net = network()
    x = rng.standard_normal((2, 1, 5, 5)).astype(np.float32)
    y = net.forward(x)
    store = pack(net.named_parameters())
    slots = list(net.named_parameters())

    def bind(grads):
        for slot in slots:
            names = {s.name: grads[s.key] for s in slots if s.layer is slot.layer}
            slot.layer.bind_grads(names)

    dout = rng.standard_normal(y.shape).astype(np.float32)
    grads = GradStore.fresh(store.layout)
    bind(grads)
    net.backward(dout)
    for slot in slots:
        assert slot.grad is grads[slot.key]
    held = {key: g.copy() for key, g in grads.items()}

    net.backward(2 * dout)  # not bound: what the caller holds stays
    for slot in slots:
        np.testing.assert_array_equal(grads[slot.key], held[slot.key])
        np.testing.assert_allclose(slot.grad, 2 * held[slot.key], rtol=1e-5, atol=1e-6)


def test_gradients_of_another_dtype_do_not_go_into_the_views():
    layer = Affine(np.ones((2, 3), np.float32), np.zeros(3, np.float32))
    store = pack(layer.named_parameters())
    grads = FlatStore.zeros(store.layout)
    layer.forward(np.ones((1, 2)))  # float64 in, float64 arithmetic
    layer.bind_grads({"W": grads["W1"], "b": grads["b1"]})
    layer.backward(np.ones((1, 3)))
    assert layer.dW.dtype == np.float64 and not grads.flat.any()
