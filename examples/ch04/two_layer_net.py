"""A network of two layers as a class: parameters in a dict, prediction, loss, numerical gradient.

expects: W1 (784, 100) b1 (100,) W2 (100, 10) b2 (10,)
expects: gradient of the small net: W1 (6, 4) b1 (4,) W2 (4, 3) b2 (3,)
expects: a step against it lowers the loss: True
"""

import numpy as np

from pynet.functions import cross_entropy_error, sigmoid, softmax
from pynet.gradient import numerical_gradient


class TwoLayerNet:
    def __init__(self, input_size, hidden_size, output_size, weight_init_std=0.01):
        self.params = {
            "W1": weight_init_std * np.random.randn(input_size, hidden_size),
            "b1": np.zeros(hidden_size),
            "W2": weight_init_std * np.random.randn(hidden_size, output_size),
            "b2": np.zeros(output_size),
        }

    def predict(self, x):
        z1 = sigmoid(x @ self.params["W1"] + self.params["b1"])
        return softmax(z1 @ self.params["W2"] + self.params["b2"])

    def loss(self, x, t):
        return cross_entropy_error(self.predict(x), t)

    def numerical_gradient(self, x, t):
        # f ignores its argument: predict() reads the very arrays that are being changed.
        return {
            key: numerical_gradient(lambda _: self.loss(x, t), p) for key, p in self.params.items()
        }


def shapes(arrays):
    return " ".join(f"{key} {array.shape}" for key, array in arrays.items())


np.random.seed(0)
print(shapes(TwoLayerNet(784, 100, 10).params))

net = TwoLayerNet(6, 4, 3)  # two passes for each weight: the small one will do
x, t = np.random.rand(10, 6), np.random.randint(0, 3, 10)
before = net.loss(x, t)
grads = net.numerical_gradient(x, t)
print("gradient of the small net:", shapes(grads))
for key in net.params:
    net.params[key] -= 0.1 * grads[key]
print("a step against it lowers the loss:", bool(net.loss(x, t) < before))
