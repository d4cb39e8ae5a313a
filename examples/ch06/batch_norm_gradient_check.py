"""The gradient of batch normalisation, checked with a batch of 8.

The book's check uses a batch of one. Then every input equals the mean, the normalised value is 0
whatever the weights are, and so is nearly every gradient: the check would pass with a wrong layer.

expects: batch of 1: largest gradient of a W < 1e-9
expects: batch of 8: largest gradient of a W > 0.001
expects: batch of 8: largest difference < 1e-6
"""

import numpy as np

from pynet.datasets import load_digits
from pynet.networks import MultiLayerNetExtend

(x_train, t_train), _ = load_digits()
for size in (1, 8):
    np.random.seed(0)
    network = MultiLayerNetExtend(64, [10, 10], 10, use_batchnorm=True, dtype=np.float64)
    x, t = x_train[:size], t_train[:size]
    numerical = network.numerical_gradient(x, t)
    grads = network.gradient(x, t)
    of_weights = max(np.abs(grads[key]).max() for key in ("W1", "W2"))
    difference = max(np.abs(numerical[key] - grads[key]).max() for key in grads)
    print(f"batch of {size}: largest gradient of a W {of_weights:.2e}")
    print(f"batch of {size}: largest difference {difference:.2e}")
