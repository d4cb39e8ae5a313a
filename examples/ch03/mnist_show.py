"""The data: images of digits and their labels. MNIST where it is at hand, else the digits that come
with the package (1,348 of them, enlarged to the same 28 x 28).

expects: (784,) -> (28, 28)
expects: label
"""

import sys

from pynet.datasets import load_mnist_or_digits
from pynet.viz import style

(x_train, t_train), (x_test, t_test) = load_mnist_or_digits(normalize=False)
print(len(x_train), "training and", len(x_test), "test images")

image = x_train[0].reshape(28, 28)  # an image is a row of 784 numbers until it is drawn
print(x_train[0].shape, "->", image.shape, "pixels from", image.min(), "to", image.max())
print("label", t_train[0])

figure = style.new_figure(8, 2, "The first ten images and their labels")
for axes, pixels, label in zip(figure.subplots(1, 10), x_train, t_train):
    axes.imshow(pixels.reshape(28, 28), cmap="gray_r")
    axes.set_axis_off()
    axes.set_title(label)
style.save_figure(sys.argv[1] if len(sys.argv) > 1 else "mnist_show.png", figure)
