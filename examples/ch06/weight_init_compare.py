"""Initial weights decide whether a deep ReLU net learns at all: std 0.01, Xavier, He.

With 0.01 the signal dies on its way through five layers, and so does the gradient.

expects: std=0.01: loss at the end > 2.2
expects: Xavier: loss at the end < 2
expects: He: loss at the end < 2
"""

import sys

import numpy as np

from pynet.datasets import load_mnist_or_digits
from pynet.networks import MultiLayerNet
from pynet.optimizers import SGD
from pynet.util import smooth_curve
from pynet.viz import style

(x_train, t_train), _ = load_mnist_or_digits()
max_iterations = 2000 if len(x_train) == 60000 else 400
losses = {}
for name, std in {"std=0.01": 0.01, "Xavier": "sigmoid", "He": "relu"}.items():
    np.random.seed(0)
    network = MultiLayerNet(784, [100, 100, 100, 100], 10, weight_init_std=std)
    optimizer = SGD(lr=0.01)
    losses[name] = []
    for _ in range(max_iterations):
        batch_mask = np.random.choice(len(x_train), 128)
        grads = network.gradient(x_train[batch_mask], t_train[batch_mask])
        optimizer.update(network.params, grads)
        losses[name].append(network.last_loss)
    print(f"{name}: loss at the end {np.mean(losses[name][-100:]):.3f}")

figure = style.new_figure(6.5, 4, "Training loss by initial weights")
with style.styled():
    axes = figure.subplots()
    for name, values in losses.items():
        axes.plot(smooth_curve(values), label=name)
    axes.set(xlabel="iteration", ylabel="loss", ylim=(0, 2.5))
    axes.legend()
style.save_figure(sys.argv[1] if len(sys.argv) > 1 else "weight_init_compare.png", figure)
