"""Numbers of 16 bits are enough: weights and images rounded to half precision, the same accuracy.

Only the rounding is tried here; the arithmetic stays that of the network.

after: train_deepnet.py
expects: float32 accuracy > 0.9
expects: difference < 0.01
"""

import numpy as np

from pynet.datasets import load_mnist_or_digits
from pynet.networks import DeepConvNet

_, (x_test, t_test) = load_mnist_or_digits(flatten=False)
network = DeepConvNet()
network.load_params("deep_convnet_params.pkl")
before = network.accuracy(x_test, t_test)
print("float32 accuracy", before)

for param in network.params.values():
    param[...] = param.astype(np.float16)
after = network.accuracy(x_test.astype(np.float16), t_test)
print("float16 accuracy", after)
print("difference", abs(after - before))
numbers = sum(param.size for param in network.params.values())
print(f"{numbers:,} weights: {4 * numbers:,} bytes in 32 bits, {2 * numbers:,} in 16")
