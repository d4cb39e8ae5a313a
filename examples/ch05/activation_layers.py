"""ReLU and sigmoid as layers: forward keeps what backward needs.

expects: mask [[False, True], [True, False]]
expects: relu dx [[1.0, 0.0], [0.0, 1.0]]
expects: sigmoid dx = y (1 - y): True
"""

import numpy as np

from pynet.layers import Relu, Sigmoid

x = np.array([[1.0, -0.5], [-2.0, 3.0]])
dout = np.ones_like(x)

# ReLU is a switch: where the signal did not pass, neither does the gradient.
relu = Relu()
print("relu", relu.forward(x).tolist())
print("mask", relu.mask.tolist())
print("relu dx", relu.backward(dout).tolist())

# The sigmoid's derivative needs its output only.
sigmoid = Sigmoid()
y = sigmoid.forward(x)
print("sigmoid", np.round(y, 3).tolist())
print("sigmoid dx = y (1 - y):", np.allclose(sigmoid.backward(dout), y * (1 - y)))
