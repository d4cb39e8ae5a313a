"""XOR: no single perceptron can, two layers of them do.

expects: XOR 0 1 1 0
expects: the best of 9261 perceptrons is right for 3 of 4
"""

import numpy as np

from pynet.perceptron import AND, NAND, OR


def XOR(x1, x2):
    s1 = NAND(x1, x2)  # the first layer
    s2 = OR(x1, x2)
    return AND(s1, s2)  # the second


inputs = np.array([(0, 0), (1, 0), (0, 1), (1, 1)])
target = np.array([0, 1, 1, 0])
print("XOR", *(XOR(x1, x2) for x1, x2 in inputs))

# Try all weights and biases between -1 and 1 in steps of 0.1 on a single perceptron. A perceptron
# cuts the plane with a straight line, and no line has (1,0), (0,1) on one side and (0,0), (1,1)
# on the other.
values = np.linspace(-1, 1, 21)
w1, w2, b = (grid.ravel() for grid in np.meshgrid(values, values, values))
said = (np.outer(inputs[:, 0], w1) + np.outer(inputs[:, 1], w2) + b > 0).T
best = (said == target).sum(axis=1).max()
print(f"the best of {len(said)} perceptrons is right for {best} of 4")
