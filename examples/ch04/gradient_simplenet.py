"""The gradient of a network's loss: one number for each weight.

dW[i, j] says how the loss answers when W[i, j] grows a little. Both rows belong to the inputs 0.6
and 0.9, so they are in that ratio, and each sums to 0.

expects: dW (2, 3)
expects: rows 0.6 to 0.9: True
expects: sum of a row < 1e-6
"""

import numpy as np

from pynet.functions import cross_entropy_error, softmax
from pynet.gradient import gradient_descent, numerical_gradient

np.random.seed(0)
x, t = np.array([0.6, 0.9]), np.array([0, 0, 1])
W = np.random.randn(2, 3)


def loss(W):
    return cross_entropy_error(softmax(x @ W), t)


print(f"loss {loss(W):.3f}, prediction class {np.argmax(x @ W)}, right would be 2")
dW = numerical_gradient(loss, W)
print("dW", dW.shape)
print(dW)
print("rows 0.6 to 0.9:", np.allclose(dW[0] / 0.6, dW[1] / 0.9, atol=1e-6))
print("sum of a row", abs(dW.sum(axis=1)).max())

W = gradient_descent(loss, W, lr=0.5, step_num=100)
print(f"after 100 steps: loss {loss(W):.3f}, prediction class {np.argmax(x @ W)}")
