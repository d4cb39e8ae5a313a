"""Partial derivatives of x0^2 + x1^2: together they are the gradient, which points uphill.

The picture shows the negative gradient, the direction in which the function falls fastest.

expects: by x0 at 3: 6.00, by x1 at 4: 8.00
expects: gradient at (3, 4): [6. 8.]
"""

import sys

import numpy as np

from pynet.gradient import numerical_diff, numerical_gradient
from pynet.viz import style


def function_2(x):
    return np.sum(x**2)


# A partial derivative: the other variable is held fixed.
by_x0 = numerical_diff(lambda x0: x0**2 + 4.0**2, 3.0)
by_x1 = numerical_diff(lambda x1: 3.0**2 + x1**2, 4.0)
print(f"by x0 at 3: {by_x0:.2f}, by x1 at 4: {by_x1:.2f}")
print("gradient at (3, 4):", np.round(numerical_gradient(function_2, np.array([3.0, 4.0])), 6))

points = np.stack(np.meshgrid(np.arange(-2, 2.1, 0.5), np.arange(-2, 2.1, 0.5)), -1).reshape(-1, 2)
arrows = np.array([-numerical_gradient(function_2, point) for point in points])
figure = style.new_figure(4.6, 4.4, "The negative gradient of x0² + x1²")
with style.styled():
    axes = figure.subplots()
    axes.quiver(*points.T, *arrows.T, color=style.BLUE, angles="xy")
    axes.set(xlabel="x0", ylabel="x1", aspect="equal")
style.save_figure(sys.argv[1] if len(sys.argv) > 1 else "gradient_2d.png", figure)
