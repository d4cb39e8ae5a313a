"""Gradient descent on x0^2 + x1^2 from (-3, 4): 20 steps for the picture, 100 to arrive.

expects: after 20 steps [-0.035  0.046]
expects: distance to the minimum < 1e-8
"""

import sys

import numpy as np

from pynet.gradient import gradient_descent, gradient_descent_path
from pynet.viz import style


def function_2(x):
    return np.sum(x**2)


path = gradient_descent_path(function_2, [-3.0, 4.0], lr=0.1, step_num=20)
print("after 20 steps", np.round(path[-1], 3))
x = gradient_descent(function_2, [-3.0, 4.0], lr=0.1, step_num=100)
print("distance to the minimum", np.linalg.norm(x))

figure = style.new_figure(4.6, 4.4, "20 steps of gradient descent")
with style.styled():
    axes = figure.subplots()
    grid = np.linspace(-4.5, 4.5, 91)
    axes.contour(
        grid, grid, grid[:, None] ** 2 + grid**2, levels=8, colors=style.GRAY, linewidths=0.6
    )
    axes.plot(*path.T, "o-")
    axes.set(xlabel="x0", ylabel="x1", xlim=(-4.5, 4.5), ylim=(-4.5, 4.5), aspect="equal")
style.save_figure(sys.argv[1] if len(sys.argv) > 1 else "gradient_method.png", figure)
