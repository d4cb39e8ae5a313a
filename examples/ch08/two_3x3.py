"""Why small filters: two layers of 3 x 3 see as far as one of 5 x 5 with fewer weights.

expects: weights: one 5 x 5 has 25, two 3 x 3 have 18
expects: field of view: 5 x 5 and 5 x 5
"""

import numpy as np

from pynet.layers import Convolution, Sequential


def conv(F):
    return Convolution(np.ones((1, 1, F, F)), np.zeros(1))


def field_of_view(net, size=11):
    """Which input pixels does one output depend on? Those that its gradient reaches."""
    y = net.forward(np.ones((1, 1, size, size)))
    dout = np.zeros_like(y)
    dout[0, 0, y.shape[2] // 2, y.shape[3] // 2] = 1
    rows, columns = np.nonzero(net.backward(dout)[0, 0])
    return f"{np.ptp(rows) + 1} x {np.ptp(columns) + 1}"


one, two = Sequential(conv(5)), Sequential(conv(3), conv(3))
counts = [sum(layer.W.size for layer in net) for net in (one, two)]
print(f"weights: one 5 x 5 has {counts[0]}, two 3 x 3 have {counts[1]}")
print(f"field of view: {field_of_view(one)} and {field_of_view(two)}")
# Three of them, 27 weights, see 7 x 7, which takes 49; and each layer adds a non-linearity.
print(f"three 3 x 3 see {field_of_view(Sequential(conv(3), conv(3), conv(3)))}")
