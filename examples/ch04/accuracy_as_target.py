"""Why training looks at the loss and not at the accuracy.

Move one weight a little: the loss moves with it, the accuracy of 100 images stays where it is. Its
derivative is 0 nearly everywhere, so it says nothing about where to go.

expects: weights of 40 with a derivative of the accuracy other than 0: 0
expects: weights of 40 with a derivative of the loss other than 0: 40
"""

import numpy as np

from pynet.datasets import load_digits
from pynet.networks import TwoLayerNetSigmoid

np.random.seed(0)
(x, t), _ = load_digits()
x, t = x[:100], t[:100]
network = TwoLayerNetSigmoid(64, 20, 10, weight_init_std=0.1, dtype=np.float64)
W = network.params["W2"]


def derivative(measure, i, j, h=1e-6):
    values = []
    for step in (h, -h):
        W[i, j] += step
        values.append(measure(x, t))
        W[i, j] -= step
    return (values[0] - values[1]) / (2 * h)


for name, measure in (("accuracy", network.accuracy), ("loss", network.loss)):
    slopes = [derivative(measure, i, j) for i in range(4) for j in range(10)]
    count = np.count_nonzero(slopes)
    print(f"weights of 40 with a derivative of the {name} other than 0: {count}")
print(f"accuracy {network.accuracy(x, t):.2f}, loss {network.loss(x, t):.5f}")
