"""The derivative of 0.01 x^2 + 0.1 x at 5 by differences, and the tangent there.

expects: numerical 0.1999999999990898
expects: analytic 0.2
"""

import sys

import numpy as np

from pynet.gradient import numerical_diff, tangent_line
from pynet.viz import style


def function_1(x):
    return 0.01 * x**2 + 0.1 * x


print("numerical", numerical_diff(function_1, 5))
print("analytic", 0.02 * 5 + 0.1)
# A tiny h is no better: the two function values then agree in nearly all digits.
f = np.float32
print("with h = 1e-50 in float32:", f(5) + f(1e-50) - f(5))

x = np.arange(0.0, 20.0, 0.1)
figure = style.new_figure(6, 3.5, "0.01 x² + 0.1 x and its tangent at 5")
with style.styled():
    axes = figure.subplots()
    axes.plot(x, function_1(x), label="f(x)")
    axes.plot(x, tangent_line(function_1, 5)(x), label="tangent")
    axes.set(xlabel="x", ylabel="f(x)")
    axes.legend()
style.save_figure(sys.argv[1] if len(sys.argv) > 1 else "gradient_1d.png", figure)
