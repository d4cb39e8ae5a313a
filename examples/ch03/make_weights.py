"""Weights for the next two scripts: the book brings a file, here a few seconds of training make it.

Writes sample_weight.pkl in the book's format (a pickle; pynet reads it without running any code).

expects: W1 (784, 50), W2 (50, 100), W3 (100, 10)
"""

import numpy as np

from pynet.datasets import load_mnist_or_digits
from pynet.networks import MultiLayerNet
from pynet.optimizers import Adam

np.random.seed(0)
(x_train, t_train), _ = load_mnist_or_digits()
network = MultiLayerNet(784, [50, 100], 10, activation="sigmoid", weight_init_std="xavier")
optimizer = Adam(lr=0.005)
for _ in range(1000):  # what happens here is the subject of chapters 4 to 6
    batch = np.random.choice(len(x_train), 100)
    optimizer.update(network.params, network.gradient(x_train[batch], t_train[batch]))
network.save_params("sample_weight.pkl")
print(", ".join(f"{key} {network.params[key].shape}" for key in ("W1", "W2", "W3")))
