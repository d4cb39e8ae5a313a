"""A shortcut hands the gradient past the layers: 30 layers deep, and still something arrives.

expects: plain: gradient at the first layer < 1e-6
expects: with shortcuts: gradient at the first layer > 0.001
"""

import numpy as np

from pynet.layers import Affine, Relu, Residual, Sequential


def layer():
    W = 0.05 * np.random.randn(50, 50)
    return Sequential(Affine(W, np.zeros(50)), Relu())


np.random.seed(0)
x = np.random.randn(20, 50)
plain = Sequential(*(layer() for _ in range(30)))
residual = Sequential(*(Residual(layer()) for _ in range(30)))  # y = body(x) + x
for name, net in (("plain", plain), ("with shortcuts", residual)):
    y = net.forward(x)
    dx = net.backward(np.ones_like(y) / y.size)
    print(f"{name}: gradient at the first layer {np.linalg.norm(dx):.2e}")
