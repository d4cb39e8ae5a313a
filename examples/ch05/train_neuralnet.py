"""The training of chapter 4 with layers and ReLU.

expects: test accuracy > 0.9
"""

import sys

import numpy as np

from pynet.datasets import load_mnist_or_digits
from pynet.networks import TwoLayerNet
from pynet.viz import save_curves

(x_train, t_train), (x_test, t_test) = load_mnist_or_digits()
np.random.seed(0)
network = TwoLayerNet(784, 50, 10)
iters_num, batch_size, learning_rate = 2000, 100, 0.1
iter_per_epoch = max(len(x_train) // batch_size, 200)

losses, steps, train_acc, test_acc = [], [], [], []
for i in range(iters_num):
    batch_mask = np.random.choice(len(x_train), batch_size)
    grads = network.gradient(x_train[batch_mask], t_train[batch_mask])
    for key in ("W1", "b1", "W2", "b2"):
        network.params[key] -= learning_rate * grads[key]
    losses.append(network.last_loss)
    if (i + 1) % iter_per_epoch == 0:
        steps.append(i + 1)
        train_acc.append(network.accuracy(x_train, t_train))
        test_acc.append(network.accuracy(x_test, t_test))
        print(f"iteration {i + 1}: train {train_acc[-1]:.4f}, test {test_acc[-1]:.4f}")

print(network.layers["Affine1"].x.shape, "is the last batch that Affine1 has seen")
print("test accuracy", network.accuracy(x_test, t_test))
picture = sys.argv[1] if len(sys.argv) > 1 else "train_neuralnet.png"
save_curves(picture, losses, steps, train_acc, test_acc, "A ReLU net of chapter 5")
