"""Training in four steps: mini-batch, gradient, update, again; and after each epoch a look at data
that was not trained on.

The sigmoid net of chapter 4 with gradients by backpropagation: numerical ones would take days.

expects: test accuracy > 0.8
"""

import sys

import numpy as np

from pynet.datasets import load_mnist_or_digits
from pynet.networks import TwoLayerNetSigmoid
from pynet.viz import save_curves

(x_train, t_train), (x_test, t_test) = load_mnist_or_digits(one_hot_label=True)
np.random.seed(0)
network = TwoLayerNetSigmoid(784, 50, 10)

# Hyperparameters: chosen by a person. The 39,760 parameters: found by the training.
iters_num, batch_size, learning_rate = 2000, 100, 0.5
iter_per_epoch = max(len(x_train) // batch_size, 200)

losses, steps, train_acc, test_acc = [], [], [], []
for i in range(iters_num):
    batch_mask = np.random.choice(len(x_train), batch_size)  # 1. mini-batch
    grads = network.gradient(x_train[batch_mask], t_train[batch_mask])  # 2. gradient
    for key in network.params:
        network.params[key] -= learning_rate * grads[key]  # 3. update
    losses.append(network.last_loss)
    if (i + 1) % iter_per_epoch == 0:
        steps.append(i + 1)
        train_acc.append(network.accuracy(x_train, t_train))
        test_acc.append(network.accuracy(x_test, t_test))
        print(f"iteration {i + 1}: train {train_acc[-1]:.4f}, test {test_acc[-1]:.4f}")

print(f"loss from {losses[0]:.2f} to {losses[-1]:.2f}")
print("test accuracy", network.accuracy(x_test, t_test))
picture = sys.argv[1] if len(sys.argv) > 1 else "train_neuralnet.png"
save_curves(picture, losses, steps, train_acc, test_acc, "A sigmoid net of chapter 4")
