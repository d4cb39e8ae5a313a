"""Gradient check: backpropagation and differences must give the same numbers.

Differences are slow but hard to get wrong, so they test the quick way.

expects: largest difference < 1e-7
expects: backpropagation is
"""

import time

import numpy as np

from pynet.datasets import load_digits
from pynet.networks import TwoLayerNet

np.random.seed(0)
(x_train, t_train), _ = load_digits()
x, t = x_train[:3], t_train[:3]
network = TwoLayerNet(64, 20, 10, weight_init_std=0.3, dtype=np.float64)

begin = time.perf_counter()
numerical = network.numerical_gradient(x, t)
middle = time.perf_counter()
grads = network.gradient(x, t)
end = time.perf_counter()

differences = {key: np.abs(numerical[key] - grads[key]).max() for key in grads}
for key, difference in differences.items():
    print(f"{key} {difference:.1e}")
print("largest difference", max(differences.values()))
print(f"backpropagation is {(middle - begin) / (end - middle):.0f} times as fast")
