"""Pictures: filters, feature maps, histograms."""

from __future__ import annotations

import numpy as np
import pytest

from pynet.lab import Lab
from pynet.lab.graphs import apple_graph, chain
from pynet.lab.signals import activation_histograms, symmetry, vanishing_gradients
from pynet.viz import draw_feature_maps, draw_filters, draw_histograms, style
from pynet.viz.tiles import tile


@pytest.fixture
def axes():
    figure = style.new_figure(3, 2)
    with style.styled():
        return figure.subplots()


# ---- tiles -------------------------------------------------------------------------------------


def test_tiles_lie_in_rows_with_gaps():
    images = np.arange(3 * 2 * 2.0).reshape(3, 2, 2)
    whole = tile(images, 2)
    assert whole.shape == (5, 5)
    each = (images[0] - 0) / 3
    for y, x in ((0, 0), (0, 3), (3, 0)):
        np.testing.assert_allclose(whole[y : y + 2, x : x + 2], each)
    assert np.isnan(whole[2]).all() and np.isnan(whole[:, 2]).all()
    assert np.isnan(whole[3:, 3:]).all()
    together = tile(images, 2, scale_each=False)
    assert together[0, 0] == 0 and np.nanmax(together) == 1 == together[4, 1]


def test_an_image_of_one_value_is_dark():
    assert tile(np.ones((1, 2, 2)), 1).tolist() == [[0, 0], [0, 0]]


@pytest.mark.parametrize(
    ("images", "columns"), [(np.ones((2, 2)), 1), (np.ones((0, 2, 2)), 1), (np.ones((1, 2, 2)), 0)]
)
def test_tiles_refuse(images, columns):
    with pytest.raises(ValueError, match=r"\[tile\] images: expected \(N, H, W\)"):
        tile(images, columns)


def test_filters_show_the_channel_that_is_asked_for(axes):
    W = np.random.default_rng(0).standard_normal((6, 2, 3, 3))
    draw_filters(axes, W, columns=3, channel=1)
    np.testing.assert_allclose(axes.images[0].get_array().filled(np.nan), tile(W[:, 1], 3))
    with pytest.raises(ValueError, match=r"\[draw_filters\] W: expected shape \(FN, C, FH, FW\)"):
        draw_filters(axes, W[0])
    with pytest.raises(IndexError, match=r"\[draw_filters\] channel: expected 0 to 1, got 2"):
        draw_filters(axes, W, channel=2)


def test_feature_maps_show_the_first_channels(axes):
    y = np.random.default_rng(0).random((1, 20, 4, 4))
    draw_feature_maps(axes, y, columns=4, most=8)
    np.testing.assert_allclose(axes.images[0].get_array().filled(np.nan), tile(y[0, :8], 4))
    with pytest.raises(ValueError, match=r"\[draw_feature_maps\] y: expected the output of one"):
        draw_feature_maps(axes, y.repeat(2, 0))


def test_histograms_lie_side_by_side(axes):
    draw_histograms(axes, {"one": [0.0, 0.1, 1.0, 5.0], "two": [0.5]}, bins=2, range=(0, 1))
    assert [text.get_text() for text in axes.get_xticklabels()] == ["one", "two"]
    first, second = (c.get_paths()[0].vertices[:, 0] for c in axes.collections)
    assert (first.min(), first.max()) == pytest.approx((0, 0.85))
    assert (second.min(), second.max()) == pytest.approx((1, 1.85))
    with pytest.raises(ValueError, match=r"\[draw_histograms\] values: expected an array or more"):
        draw_histograms(axes, {})


def test_full_bins_are_cut(axes):
    draw_histograms(axes, {"x": [0.0] * 9 + [1.0]}, bins=2, most=0.2)
    widths = axes.collections[0].get_paths()[0].vertices[:, 0]
    assert set(np.round(widths, 3)) == {0, 0.425, 0.85}  # a share of 0.1 and one of 0.9


# ---- the numbers of experiments ----------------------------------------------------------------


@pytest.fixture
def lab(monkeypatch):
    monkeypatch.delenv("PYNET_DATA", raising=False)
    return Lab(quick=True, quiet=True)


def test_equal_neurons_stay_equal(lab):
    numbers = symmetry(lab).numbers
    assert set(numbers["ranks"]["100 equal neurons"]) == {1}
    assert min(numbers["ranks"]["100 random neurons"]) > 90
    assert numbers["largest_difference_of_columns"] == 0
    assert numbers["loss_apart_from_one_neuron"] < 1e-9


def test_prices_and_their_gradients(lab):
    numbers = apple_graph(lab).numbers
    assert numbers["apples"]["price"] == pytest.approx(220)
    assert numbers["apples"]["gradients"] == pytest.approx(
        {"apple": 2.2, "apples": 110, "tax": 200}
    )
    assert numbers["apples and oranges"]["price"] == pytest.approx(715)


def test_the_factors_multiply_to_the_numerical_gradient(lab):
    for depth, one in chain(lab).numbers.items():
        assert len(one["factors"]) == 2 * int(depth[0])
        assert np.prod(list(one["factors"].values())) == pytest.approx(one["backpropagation"])
        assert one["numerical"] == pytest.approx(one["backpropagation"], rel=1e-6)
        slopes = [v for name, v in one["factors"].items() if name.startswith("dSigmoid")]
        assert all(0 < slope <= 0.25 for slope in slopes)


def test_initial_values_keep_the_spread(lab):
    numbers = activation_histograms(lab).numbers
    assert numbers["sigmoid"]["std 1"]["flat"][-1] > 0.3  # at 0 and 1
    assert numbers["tanh"]["std 0.01"]["std"][-1] < 1e-3 < numbers["tanh"]["Xavier"]["std"][-1]
    relu = {name: one["std"] for name, one in numbers["ReLU"].items()}
    assert relu["He"][-1] / relu["He"][0] > 0.5 > relu["Xavier"][-1] / relu["Xavier"][0]


def test_gradients_by_layer(lab):
    numbers = vanishing_gradients(lab).numbers
    norms = numbers["norms"]["sigmoid, Xavier"]
    assert all(a < b for a, b in zip(norms, norms[1:]))
    assert any("vanishing" in text for text in numbers["findings"]["sigmoid, Xavier"])
    assert any("exploding" in text for text in numbers["findings"]["ReLU, 3 times He"])
    assert 0.05 < numbers["first_over_last"]["ReLU, He"] < 20
