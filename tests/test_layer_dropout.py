"""The dropout layer."""

from __future__ import annotations

import numpy as np
import pytest
from layer_cases import F32, close, draw

import pynet
from pynet.layers import Affine, ChannelDropout, Dropout, Sequential


def test_dropout_of_the_book_scales_in_test():
    layer = Dropout()
    assert layer.dropout_ratio == 0.5 and layer.mask is None
    x = draw(50, 40)
    y = layer.forward(x)
    assert layer.mask.dtype == bool and layer.mask.shape == x.shape
    np.testing.assert_array_equal(y, x * layer.mask)
    np.testing.assert_array_equal(layer.backward(x), x * layer.mask)
    np.testing.assert_array_equal(Dropout(0.2).forward(x, False), x * (1 - 0.2))


def test_inverted_dropout_scales_in_training():
    layer = Dropout(0.2, inverted=True)
    x = draw(50, 40)
    close(layer.forward(x, True), x * layer.mask / 0.8)
    close(layer.backward(x), x * layer.mask / 0.8)
    np.testing.assert_array_equal(layer.forward(x, False), x)
    np.testing.assert_array_equal(layer.backward(x), x)


@pytest.mark.parametrize("ratio", [0.0, 0.2, 0.9])
def test_dropout_drops_the_asked_for_part(ratio):
    layer = Dropout(ratio)
    layer.forward(np.ones((200, 500), F32))
    deviation = np.sqrt(ratio * (1 - ratio) / 100_000)
    assert abs(1 - layer.mask.mean() - ratio) <= 5 * deviation


def test_dropout_ratio_may_change():
    layer = Dropout(0.5)
    layer.dropout_ratio = 0.0
    assert layer.forward(np.ones(1000)).sum() == 1000


@pytest.mark.parametrize(
    ("ratio", "inverted"), [(-0.1, False), (1.1, False), (np.nan, False), (1.0, True)]
)
def test_dropout_refuses_a_ratio_that_is_none(ratio, inverted):
    with pytest.raises(ValueError, match=r"\[Dropout\] dropout_ratio: expected 0 <= ratio <=? 1"):
        Dropout(ratio, inverted)


def test_dropout_of_everything():
    layer = Dropout(1.0)
    assert not layer.forward(np.ones(100)).any() and not layer.forward(np.ones(100), False).any()


def test_dropout_masks_follow_seed_layer_and_step_and_nothing_else():
    x = np.ones((8, 16))

    def masks(seed, steps=3):
        pynet.seed(seed)
        layers = [Dropout(), Dropout()]
        return [layer.forward(x).copy() for _ in range(steps) for layer in layers]

    np.random.seed(0)
    first = masks(7)
    state = np.random.get_state()[1].copy()
    np.random.seed(1)
    again = masks(7)
    np.testing.assert_array_equal(first, again)
    assert len({m.tobytes() for m in [*first, *masks(8)]}) == 12, "all differ"
    np.random.seed(0)
    np.testing.assert_array_equal(np.random.get_state()[1], state)


def test_dropout_seeding_restarts_a_layers_steps():
    pynet.seed(3)
    layer = Dropout()
    x = np.ones(64)
    first = [layer.forward(x).copy() for _ in range(3)]
    assert layer.dropout_step == 3
    layer.forward(x, False)
    assert layer.dropout_step == 3, "test mode does not count"
    pynet.seed(3)
    assert layer.dropout_step == 0
    np.testing.assert_array_equal([layer.forward(x) for _ in range(3)], first)


def test_dropout_state_can_be_put_back():
    pynet.seed(3)
    layer, x = Dropout(), np.ones(64)
    layer.forward(x)
    saved = {slot.key: slot.value for slot in layer.named_state()}
    want = layer.forward(x)
    pynet.seed(9)
    pynet.seed(3)
    other = [Dropout() for _ in range(5)][-1]
    for slot in other.named_state():
        setattr(slot.layer, slot.name, saved[slot.key])
    np.testing.assert_array_equal(other.forward(x), want)


@pytest.mark.parametrize("ratio", [0.2, 0.5])
def test_training_expects_what_test_computes(ratio):
    """Averaged over many masks, an output of the next layer is what the scaled net gives."""
    net = Sequential(Dropout(ratio), Affine(draw(30, 4), None))
    x = draw(1, 30)
    outputs = net(np.repeat(x, 20_000, axis=0), True)
    deviation = outputs.std(axis=0) / np.sqrt(20_000)
    assert (abs(outputs.mean(axis=0) - net(x, False)[0]) < 5 * deviation).all()
    whole = x @ net[1].W  # without the factor: 1/(1 - p) times too large
    close(whole, net(x, False) / (1 - ratio))


# ---- channels ----------------------------------------------------------------------------------


@pytest.mark.parametrize("inverted", [False, True])
@pytest.mark.parametrize("shape", [(40, 30), (40, 30, 5), (40, 30, 3, 4)])
def test_channel_dropout_takes_whole_channels(shape, inverted):
    layer = ChannelDropout(0.25, inverted)
    x = draw(*shape)
    y = layer.forward(x)
    channels = layer.mask.reshape(40, 30, -1)
    assert (channels == channels[:, :, :1]).all()
    assert layer.mask.shape == shape and layer.mask.dtype == bool
    assert abs(channels[:, :, 0].mean() - 0.75) < 5 * np.sqrt(0.25 * 0.75 / 1200)
    factor = 1 / 0.75 if inverted else 1
    close(y, x * layer.mask * factor)
    close(layer.backward(x), y)
    close(layer.forward(x, False), x if inverted else x * 0.75)
    assert repr(layer) == f"ChannelDropout(0.25{', inverted=True' * inverted})"


def test_channel_dropout_follows_seed_layer_and_step():
    x = np.ones((8, 16, 3, 3), F32)
    runs = []
    for _ in range(2):
        pynet.seed(7)
        layers = [ChannelDropout(), ChannelDropout()]
        runs.append([layer.forward(x).copy() for _ in range(3) for layer in layers])
    np.testing.assert_array_equal(*runs)
    assert len({mask.tobytes() for mask in runs[0]}) == 6
    assert [slot.key for slot in layers[0].named_state()] == ["dropout_number1", "dropout_step1"]
    pynet.seed(7)
    plain = Dropout().forward(np.ones((8, 16), F32))
    np.testing.assert_array_equal(runs[0][0][:, :, 1, 2], plain)


def test_channel_dropout_needs_channels():
    with pytest.raises(ValueError, match=r"\[ChannelDropout.forward\] x: expected \(N, C, ...\), "):
        ChannelDropout().forward(np.ones(3))
