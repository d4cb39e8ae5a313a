"""What five sigmoid layers of 100 neurons give out, by the scale of their initial weights.

Too large: everything is near 0 or 1, where the gradient vanishes. Too small: everything is 0.5, so
100 neurons say what one could. Xavier's scale, 1/sqrt(n), keeps them apart.

expects: std 1: near 0 or 1 at the end > 0.5
expects: std 0.01: spread at the end < 0.05
expects: std 0.1 (Xavier): spread at the end > 0.1
"""

import sys

import numpy as np

from pynet.functions import sigmoid
from pynet.viz import style

node_num, layers = 100, 5
scales = {"1": 1.0, "0.01": 0.01, "0.1 (Xavier)": 1 / np.sqrt(node_num)}
figure = style.new_figure(9, 5.5, "Activations of five sigmoid layers")
with style.styled():
    panels = figure.subplots(3, layers, sharex=True)

for row, (name, std) in zip(panels, scales.items()):
    np.random.seed(0)
    z = np.random.randn(1000, node_num)
    for i, axes in enumerate(row):
        z = sigmoid(z @ (std * np.random.randn(node_num, node_num)))
        axes.hist(z.ravel(), bins=30, range=(0, 1), histtype="stepfilled", color=style.BLUE)
        axes.set(yticks=[], title=f"layer {i + 1}, std {name}")
    at_the_ends = np.mean((z < 0.1) | (z > 0.9))
    print(f"std {name}: near 0 or 1 at the end {at_the_ends:.3f}")
    print(f"std {name}: spread at the end {z.std():.3f}")
for axes in panels[-1]:
    axes.set_xlabel("output")
picture = sys.argv[1] if len(sys.argv) > 1 else "weight_init_activation_histogram.png"
style.save_figure(picture, figure)
