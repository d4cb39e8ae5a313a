"""A perceptron written by hand: AND.

It says 1 when the weighted sum of its inputs, plus the bias, is above 0.

expects: AND 0 0 0 1
"""

import numpy as np


def AND(x1, x2):
    x = np.array([x1, x2])
    w = np.array([0.5, 0.5])  # how much each input counts
    b = -0.7  # how easily the neuron fires: two inputs of 0.5 are needed
    return 1 if np.sum(w * x) + b > 0 else 0


inputs = [(0, 0), (1, 0), (0, 1), (1, 1)]
for x1, x2 in inputs:
    print((x1, x2), "->", AND(x1, x2))
print("AND", *(AND(x1, x2) for x1, x2 in inputs))
