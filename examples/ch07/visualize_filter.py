"""The 30 filters of the first layer before and after training: noise becomes edges and blobs.

after: train_convnet.py
expects: 30 filters of 5 x 5
expects: variation between neighbouring weights, before 1.4
"""

import sys

import numpy as np

from pynet.networks import SimpleConvNet
from pynet.viz import style


def roughness(W):
    """Mean difference of neighbours, in units of the spread: sqrt(2) for pure noise."""
    return np.sqrt(np.mean(np.diff(W, axis=3) ** 2)) / W.std()


np.random.seed(0)
network = SimpleConvNet()
before = network.params["W1"].copy()
network.load_params("params.pkl")
after = network.params["W1"]
print(f"{len(after)} filters of {after.shape[2]} x {after.shape[3]}")
print(f"variation between neighbouring weights, before {roughness(before):.1f}")
print(f"after training {roughness(after):.1f}")

figure = style.new_figure(10, 4.6, "The 30 filters of the first layer")
for part, title, W in zip(figure.subfigures(2, 1), ("before training", "after"), (before, after)):
    part.suptitle(title)
    for axes, filter in zip(part.subplots(3, 10).ravel(), W[:, 0]):
        limit = np.abs(filter).max()
        axes.imshow(filter, cmap=style.SIGNED, vmin=-limit, vmax=limit)
        axes.set_axis_off()
style.save_figure(sys.argv[1] if len(sys.argv) > 1 else "visualize_filter.png", figure)
