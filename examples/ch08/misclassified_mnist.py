"""The images that the deep net gets wrong: often a person would hesitate too.

after: train_deepnet.py
expects: test accuracy > 0.9
expects: wrong:
"""

import sys

import numpy as np

from pynet.datasets import load_mnist_or_digits
from pynet.networks import DeepConvNet
from pynet.viz import style

_, (x_test, t_test) = load_mnist_or_digits(flatten=False)
network = DeepConvNet()
network.load_params("deep_convnet_params.pkl")

scores = np.concatenate([network.predict(x_test[i : i + 100]) for i in range(0, len(x_test), 100)])
said = scores.argmax(axis=1)
wrong = np.flatnonzero(said != t_test)
print("test accuracy", 1 - len(wrong) / len(x_test))
print("wrong:", ", ".join(f"{t_test[i]} as {said[i]}" for i in wrong[:20]))

figure = style.new_figure(10, 3.2, "Misclassified: the right class, and what the net said")
for axes, i in zip(figure.subplots(2, 10).ravel(), wrong[:20]):
    axes.imshow(x_test[i, 0], cmap="gray_r")
    axes.set_title(f"{t_test[i]}, said {said[i]}")
for axes in figure.axes:
    axes.set_axis_off()
style.save_figure(sys.argv[1] if len(sys.argv) > 1 else "misclassified_mnist.png", figure)
