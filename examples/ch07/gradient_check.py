"""Gradient check of the convolutional net: every layer's backward against differences.

expects: largest difference < 1e-7
"""

import numpy as np

from pynet.networks import SimpleConvNet

np.random.seed(0)
network = SimpleConvNet(
    input_dim=(1, 10, 10),
    conv_param={"filter_num": 4, "filter_size": 3, "pad": 0, "stride": 1},
    hidden_size=8,
    output_size=10,
    weight_init_std=0.1,
    dtype=np.float64,
)
x, t = np.random.rand(1, 1, 10, 10), np.array([[1]])
grads, numerical = network.gradient(x, t), network.numerical_gradient(x, t)
for key in grads:
    print(f"{key} {np.abs(grads[key] - numerical[key]).max():.1e}")
print("largest difference", max(np.abs(grads[key] - numerical[key]).max() for key in grads))
