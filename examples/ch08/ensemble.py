"""Five nets together: each errs elsewhere, so the average of their answers errs less.

expects: together at least as good as the members on average: True
"""

import numpy as np

from pynet.datasets import load_mnist_or_digits
from pynet.ensemble import Ensemble
from pynet.networks import MultiLayerNet
from pynet.optimizers import Adam

(x_train, t_train), (x_test, t_test) = load_mnist_or_digits()
networks = []
for seed in range(5):
    np.random.seed(seed)  # other initial weights, other batches
    network, optimizer = MultiLayerNet(784, [50], 10), Adam(lr=0.002)
    for _ in range(200):
        batch = np.random.choice(len(x_train), 100)
        optimizer.update(network.params, network.gradient(x_train[batch], t_train[batch]))
    networks.append(network)

members = [network.accuracy(x_test, t_test) for network in networks]
together = Ensemble(networks).accuracy(x_test, t_test)
print("members", *(f"{accuracy:.4f}" for accuracy in members))
print(f"together {together:.4f}")
print("together at least as good as the members on average:", together >= np.mean(members))
