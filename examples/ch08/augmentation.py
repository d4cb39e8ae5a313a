"""More data from the data: a shifted copy of an image is still that digit.

Trained on 200 images, with and without copies moved by up to 3 pixels; tested on moved images.

expects: copies help: True
"""

import numpy as np

from pynet.datasets import load_mnist_or_digits
from pynet.networks import MultiLayerNet
from pynet.optimizers import Adam


def moved(x):
    """Each image shifted by up to 3 pixels in both directions."""
    images = x.reshape(-1, 28, 28)
    shifts = np.random.randint(-3, 4, (len(x), 2))
    return np.stack([np.roll(i, s, axis=(0, 1)) for i, s in zip(images, shifts)]).reshape(x.shape)


(x_train, t_train), (x_test, t_test) = load_mnist_or_digits()
x_train, t_train = x_train[:200], t_train[:200]
np.random.seed(0)
x_test, t_test = moved(x_test[:1000]), t_test[:1000]

accuracies = {}
for name, change in (("as they are", lambda x: x), ("with copies", moved)):
    np.random.seed(0)
    network, optimizer = MultiLayerNet(784, [100], 10), Adam()
    for _ in range(400):
        batch = np.random.choice(len(x_train), 50)
        x = change(x_train[batch])  # a new copy every time it is drawn
        optimizer.update(network.params, network.gradient(x, t_train[batch]))
    accuracies[name] = network.accuracy(x_test, t_test)
    print(f"{name}: accuracy on moved images {accuracies[name]:.3f}")
print("copies help:", accuracies["with copies"] > accuracies["as they are"])
