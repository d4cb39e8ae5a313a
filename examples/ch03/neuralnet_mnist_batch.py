"""The same in batches of 100: the same answers, with fewer and larger products.

Shapes: (100, 784) (784, 50) (50, 100) (100, 10) -> (100, 10), a row of probabilities per image.

after: make_weights.py
expects: Accuracy > 0.9
expects: times as fast
"""

import sys
import time

import numpy as np

from pynet.datasets import load_mnist_or_digits
from pynet.functions import sigmoid, softmax
from pynet.serialization import load_params


def predict(network, x):
    z1 = sigmoid(x @ network["W1"] + network["b1"])
    z2 = sigmoid(z1 @ network["W2"] + network["b2"])
    return softmax(z2 @ network["W3"] + network["b3"])


def accuracy(batch_size):
    begin = time.perf_counter()
    right = 0
    for i in range(0, len(x), batch_size):
        y = predict(network, x[i : i + batch_size])
        right += np.sum(y.argmax(axis=1) == t[i : i + batch_size])
    return right / len(x), time.perf_counter() - begin


network = load_params(sys.argv[1] if len(sys.argv) > 1 else "sample_weight.pkl")
_, (x, t) = load_mnist_or_digits()
one_by_one, slow = accuracy(1)
in_batches, quick = accuracy(100)
print("one by one:", one_by_one)
print("Accuracy", in_batches)
print(f"batches of 100 are {slow / quick:.0f} times as fast as single images")
