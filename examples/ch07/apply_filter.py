"""Learned filters applied to an image: each answers to edges of its own direction.

after: train_convnet.py
expects: outputs (1, 16, 24, 24)
"""

import sys

from pynet.datasets import load_mnist_or_digits
from pynet.layers import Convolution
from pynet.networks import SimpleConvNet
from pynet.viz import style

network = SimpleConvNet()
network.load_params("params.pkl")
filters = network.params["W1"][:16]

_, (x_test, _) = load_mnist_or_digits(flatten=False)
image = x_test[:1]
outputs = Convolution(filters, 0).forward(image)  # the book's 0 for "no bias"
print("outputs", outputs.shape)

figure = style.new_figure(9, 2.8, "An image, and what 16 learned filters make of it")
left, right = figure.subfigures(1, 2, width_ratios=[1, 3])
axes = left.subplots()
axes.imshow(image[0, 0], cmap="gray_r")
axes.set_axis_off()
for axes, output in zip(right.subplots(2, 8).ravel(), outputs[0]):
    axes.imshow(output, cmap="gray_r")
    axes.set_axis_off()
style.save_figure(sys.argv[1] if len(sys.argv) > 1 else "apply_filter.png", figure)
