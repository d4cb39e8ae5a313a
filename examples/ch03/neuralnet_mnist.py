"""Recognise digits with learned weights, one image after the other.

Reads sample_weight.pkl: the book's own file, or the one of make_weights.py.

after: make_weights.py
expects: Accuracy > 0.9
"""

import sys

import numpy as np

from pynet.datasets import load_mnist_or_digits
from pynet.functions import sigmoid, softmax
from pynet.serialization import load_params


def predict(network, x):
    z1 = sigmoid(x @ network["W1"] + network["b1"])
    z2 = sigmoid(z1 @ network["W2"] + network["b2"])
    return softmax(z2 @ network["W3"] + network["b3"])


network = load_params(sys.argv[1] if len(sys.argv) > 1 else "sample_weight.pkl")
_, (x, t) = load_mnist_or_digits()
right = 0
for i in range(len(x)):
    y = predict(network, x[i])  # ten probabilities
    if np.argmax(y) == t[i]:
        right += 1
print("Accuracy", right / len(x))
