"""An optimizer is a class with update(params, grads): SGD and Momentum by hand, and pynet's.

expects: SGD: the same numbers True
expects: Momentum: the same numbers True
"""

import numpy as np

from pynet import optimizers


class SGD:
    def __init__(self, lr=0.01):
        self.lr = lr

    def update(self, params, grads):
        for key in params:
            params[key] -= self.lr * grads[key]


class Momentum:
    """A ball that rolls: the gradient pushes, the velocity v stays."""

    def __init__(self, lr=0.01, momentum=0.9):
        self.lr, self.momentum, self.v = lr, momentum, None

    def update(self, params, grads):
        if self.v is None:
            self.v = {key: np.zeros_like(p) for key, p in params.items()}
        for key in params:
            self.v[key] = self.momentum * self.v[key] - self.lr * grads[key]
            params[key] += self.v[key]


for mine in (SGD(lr=0.1), Momentum(lr=0.1)):
    name = type(mine).__name__
    results = []
    for optimizer in (mine, getattr(optimizers, name)(lr=0.1)):
        params = {"x": np.array([-7.0, 2.0])}
        for _ in range(30):
            x, y = params["x"]
            optimizer.update(params, {"x": np.array([x / 10, 2 * y])})  # of x^2/20 + y^2
        results.append(params["x"])
    print(f"{name}: the same numbers {np.allclose(*results, rtol=1e-12)}, at {results[0]}")
