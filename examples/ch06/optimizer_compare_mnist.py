"""The same four on images: five layers of weights, ReLU, default rates, batches of 128.

expects: SGD has the highest loss: True
"""

import sys

import numpy as np

from pynet.datasets import load_mnist_or_digits
from pynet.networks import MultiLayerNet
from pynet.optimizers import SGD, AdaGrad, Adam, Momentum
from pynet.util import smooth_curve
from pynet.viz import style

(x_train, t_train), _ = load_mnist_or_digits()
max_iterations = 2000 if len(x_train) == 60000 else 400
losses = {}
for optimizer in (SGD(), Momentum(), AdaGrad(), Adam()):
    np.random.seed(0)  # the same weights and batches for all
    network = MultiLayerNet(784, [100, 100, 100, 100], 10)
    name = type(optimizer).__name__
    losses[name] = []
    for _ in range(max_iterations):
        batch_mask = np.random.choice(len(x_train), 128)
        grads = network.gradient(x_train[batch_mask], t_train[batch_mask])
        optimizer.update(network.params, grads)
        losses[name].append(network.last_loss)
    print(f"{name}: mean loss of the last 100 iterations {np.mean(losses[name][-100:]):.4f}")

last = {name: np.mean(values[-100:]) for name, values in losses.items()}
print("SGD has the highest loss:", max(last, key=last.get) == "SGD")

figure = style.new_figure(6.5, 4, "Training loss by optimizer")
with style.styled():
    axes = figure.subplots()
    for name, values in losses.items():
        axes.plot(smooth_curve(values), label=name)
    axes.set(xlabel="iteration", ylabel="loss", ylim=(0, 1))
    axes.legend()
style.save_figure(sys.argv[1] if len(sys.argv) > 1 else "optimizer_compare_mnist.png", figure)
