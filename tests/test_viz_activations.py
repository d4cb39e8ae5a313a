"""The picture of all activations, and its numbers."""

from __future__ import annotations

import numpy as np
import pytest

from pynet.activations import ACTIVATIONS, relu, step
from pynet.lab import Lab
from pynet.lab.activations import activations
from pynet.viz import draw_activations, style
from pynet.viz.activations import Curve

X = np.linspace(-2, 2, 101)


def test_a_picture_each_and_lines_that_break_where_they_jump():
    figure = style.new_figure()
    curves = {f.name: Curve(X, f(X), f.grad(X)) for f in (relu, step)}
    draw_activations(figure, curves, columns=2)
    first, second = figure.axes
    assert [axes.get_title() for axes in figure.axes] == ["relu", "step"]
    assert not np.isnan(first.lines[2].get_ydata()).any()
    for line in (first.lines[3], second.lines[2]):  # the ReLU's slope and the step
        assert np.isnan(line.get_ydata()).sum() == 1
    assert first.lines[2].get_linestyle() != first.lines[3].get_linestyle()


@pytest.mark.parametrize(("curves", "columns"), [({}, 4), ({"a": Curve(X, X, X)}, 0)])
def test_bad_input(curves, columns):
    with pytest.raises(ValueError, match=r"^\[draw_activations\] curves: expected one or more"):
        draw_activations(style.new_figure(), curves, columns)


def test_the_experiment_draws_all_and_its_slopes_are_those_of_the_textbook():
    figure, numbers, say = activations(Lab(quick=True, quiet=True))
    assert len(figure.axes) == len(numbers["y"]) == len(ACTIVATIONS) + 5 == 32
    steepest = numbers["steepest"]
    assert steepest["sigmoid"] == 0.25 and steepest["tanh"] == steepest["relu"] == 1
    x = numbers["x"]
    for name, y in numbers["y"].items():
        rise = np.gradient(y, x)
        agree = np.abs(rise - numbers["slope"][name]) < 0.05
        assert agree.mean() > 0.9, name  # all but the points beside kinks and jumps
    assert "Of the 32, 9 are nearly flat" in say
