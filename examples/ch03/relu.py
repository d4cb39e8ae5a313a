"""ReLU: x where x is above 0, else 0. Unlike the other two it has no upper limit.

expects: relu([-2.0, 0.0, 3.0]) = [0.0, 0.0, 3.0]
"""

import sys

import numpy as np

from pynet.functions import relu
from pynet.viz import style

x = [-2.0, 0.0, 3.0]
print(f"relu({x}) =", relu(np.array(x)).tolist())

x = np.arange(-5, 5, 0.1)
figure = style.new_figure(6, 3.5, "ReLU")
with style.styled():
    axes = figure.subplots()
    axes.plot(x, relu(x))
    axes.set(xlabel="x", ylabel="relu(x)")
style.save_figure(sys.argv[1] if len(sys.argv) > 1 else "relu.png", figure)
