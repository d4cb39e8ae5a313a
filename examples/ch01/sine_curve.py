"""Draw sine and cosine. The picture goes to the file given as argument, or to sine_curve.png.

expects: sin goes from -1.00 to 1.00
"""

import sys

import numpy as np

from pynet.viz import style

x = np.arange(0, 6, 0.1)
curves = {"sin": np.sin(x), "cos": np.cos(x)}
for name, y in curves.items():
    print(f"{name} goes from {y.min():.2f} to {y.max():.2f}")

figure = style.new_figure(6, 3.5, "sin and cos")
with style.styled():
    axes = figure.subplots()
    for name, y in curves.items():
        axes.plot(x, y, label=name)
    axes.set(xlabel="x", ylabel="y")
    axes.legend()
style.save_figure(sys.argv[1] if len(sys.argv) > 1 else "sine_curve.png", figure)
