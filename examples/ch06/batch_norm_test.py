"""Batch normalisation makes a net robust: trained from four scales of initial weights, with and
without it.

expects: scales that learn with batch norm: 4 of 4
expects: scales that learn without < 4
"""

import sys

import numpy as np

from pynet.datasets import load_mnist_or_digits
from pynet.networks import MultiLayerNetExtend
from pynet.optimizers import SGD
from pynet.viz import style

(x_train, t_train), _ = load_mnist_or_digits()
x_train, t_train = x_train[:1000], t_train[:1000]
epochs, batch_size = 10, 100


def train(weight_init_std, use_batchnorm):
    np.random.seed(0)
    network = MultiLayerNetExtend(
        784, [100] * 5, 10, weight_init_std=weight_init_std, use_batchnorm=use_batchnorm
    )
    optimizer = SGD(lr=0.01)
    accuracies = []
    for _ in range(epochs):
        for _ in range(len(x_train) // batch_size):
            batch_mask = np.random.choice(len(x_train), batch_size)
            grads = network.gradient(x_train[batch_mask], t_train[batch_mask])
            optimizer.update(network.params, grads)
        accuracies.append(network.accuracy(x_train, t_train))
    return accuracies


figure = style.new_figure(9, 3, "Training accuracy by the scale of the initial weights")
with style.styled():
    panels = figure.subplots(1, 4, sharey=True)
learned = {True: 0, False: 0}
for axes, std in zip(panels, (0.3, 0.1, 0.01, 0.001)):
    for use_batchnorm, name in ((True, "batch norm"), (False, "plain")):
        accuracies = train(std, use_batchnorm)
        learned[use_batchnorm] += accuracies[-1] > 0.3
        axes.plot(range(1, epochs + 1), accuracies, "-" if use_batchnorm else "--", label=name)
    axes.set(title=f"std {std}", xlabel="epoch", xticks=range(2, epochs + 1, 4), ylim=(0, 1))
panels[0].set_ylabel("accuracy")
panels[-1].legend()
print("scales that learn with batch norm:", learned[True], "of 4")
print("scales that learn without", learned[False])
style.save_figure(sys.argv[1] if len(sys.argv) > 1 else "batch_norm_test.png", figure)
