"""A three-layer network by hand, from two inputs to two outputs.

expects: [0.31682708 0.69627909]
"""

import numpy as np

from pynet.functions import identity_function, sigmoid


def init_network():
    return {
        "W1": np.array([[0.1, 0.3, 0.5], [0.2, 0.4, 0.6]]),
        "b1": np.array([0.1, 0.2, 0.3]),
        "W2": np.array([[0.1, 0.4], [0.2, 0.5], [0.3, 0.6]]),
        "b2": np.array([0.1, 0.2]),
        "W3": np.array([[0.1, 0.3], [0.2, 0.4]]),
        "b3": np.array([0.1, 0.2]),
    }


def forward(network, x):
    z1 = sigmoid(x @ network["W1"] + network["b1"])  # 2 inputs, 3 neurons
    z2 = sigmoid(z1 @ network["W2"] + network["b2"])  # 3 to 2
    return identity_function(z2 @ network["W3"] + network["b3"])  # 2 to 2; no limit for regression


print(forward(init_network(), np.array([1.0, 0.5])))
