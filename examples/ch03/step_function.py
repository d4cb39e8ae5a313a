"""The perceptron's activation: it jumps from 0 to 1, and everywhere else it is flat.

expects: step([-1.  1.  2.]) = [0 1 1]
expects: step(0) = 0
"""

import sys

import numpy as np

from pynet.functions import step_function
from pynet.viz import style

x = np.array([-1.0, 1.0, 2.0])
print(f"step({x}) =", step_function(x))
print("step(0) =", step_function(np.array(0.0)))

x = np.arange(-5, 5, 0.01)
figure = style.new_figure(6, 3.5, "The step function")
with style.styled():
    axes = figure.subplots()
    axes.plot(x, step_function(x))
    axes.set(xlabel="x", ylabel="step(x)", ylim=(-0.1, 1.1))
style.save_figure(sys.argv[1] if len(sys.argv) > 1 else "step_function.png", figure)
