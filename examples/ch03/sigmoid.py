"""The sigmoid beside the step function: smooth, so that a small change of a weight shows.

expects: sigmoid(1.0) = 0.731
expects: sigmoid(2.0) = 0.880 or 0.881
expects: sigmoid([-1.  1.  2.]) = [0.269 0.731 0.881]
"""

import sys

import numpy as np

from pynet.functions import sigmoid, step_function
from pynet.viz import style

print(f"sigmoid(1.0) = {sigmoid(1.0):.3f}")
# 0.88079...: the book cuts off after three digits, rounding gives 0.881.
down, up = np.floor(sigmoid(2.0) * 1000) / 1000, round(sigmoid(2.0), 3)
print(f"sigmoid(2.0) = {down:.3f} or {up:.3f}")
x = np.array([-1.0, 1.0, 2.0])
print(f"sigmoid({x}) =", np.round(sigmoid(x), 3))

x = np.arange(-5, 5, 0.01)
figure = style.new_figure(6, 3.5, "Sigmoid and step function")
with style.styled():
    axes = figure.subplots()
    axes.plot(x, sigmoid(x), label="sigmoid")
    axes.plot(x, step_function(x), label="step function")
    axes.set(xlabel="x", ylabel="h(x)", ylim=(-0.1, 1.1))
    axes.legend()
style.save_figure(sys.argv[1] if len(sys.argv) > 1 else "sigmoid.png", figure)
