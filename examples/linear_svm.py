"""A linear support vector machine: one Affine, the hinge loss, and an L2 penalty.

expects: separable set: errors 0 of 200
expects: 3 against 8: test accuracy > 0.9
"""

import numpy as np

from pynet.datasets import load_digits
from pynet.layers import Affine
from pynet.losses import Hinge
from pynet.networks import Network
from pynet.optimizers import SGD
from pynet.penalties import L2


def train_svm(x, t, lmbda, steps=3000, lr=0.5):
    """Minimise the mean of max(0, 1 - t * (xW + b)) + lmbda/2 * |W|^2; t is -1 or 1."""
    net = Network(
        [Affine(np.zeros((x.shape[1], 1)), np.zeros(1))],
        Hinge(),
        penalty=L2(lmbda),
        dtype=np.float64,
    )
    optimizer = SGD()
    for step in range(steps):
        optimizer.lr = lr * (1 - step / steps)
        optimizer.update(net.params, net.gradient(x, t))
    return net


# 200 points on two sides of a line, none nearer than 0.3: a line without errors exists.
rng = np.random.default_rng(0)
x = rng.uniform(-2, 2, (2000, 2))
distance = x @ [0.6, 0.8] - 0.2
x, distance = x[abs(distance) > 0.3][:200], distance[abs(distance) > 0.3][:200]
t = np.sign(distance)
svm = train_svm(x, t, lmbda=1e-3)
scores = svm.predict(x)[:, 0]
W = svm.params["W1"]
errors = int(np.sum(np.sign(scores) != t))
print(f"separable set: errors {errors} of {len(t)}")
print(f"margin {1 / np.linalg.norm(W):.2f} on each side; the set has {abs(distance).min():.2f}")
print(f"support vectors {int(np.sum(t * scores < 1.05))} of {len(t)}")

# Real handwriting: the digits 3 and 8.
train, test = (
    (x[np.isin(t, (3, 8))], np.where(t[np.isin(t, (3, 8))] == 8, 1, -1)) for x, t in load_digits()
)
svm = train_svm(*train, lmbda=1e-3)
print(f"3 against 8: training accuracy {svm.accuracy(*train):.4f}")
print(f"3 against 8: test accuracy {svm.accuracy(*test):.4f} of {len(test[1])} images")
