"""A layer is a matrix product: each column of W makes one output.

expects: (3,2) (2,4) -> (3, 4)
expects: [1 2] W = [ 5 11 17]
expects: refused
"""

import numpy as np

A, B = np.ones((3, 2)), np.ones((2, 4))
print("(3,2) (2,4) ->", (A @ B).shape)  # the inner numbers must agree, the outer ones remain

x = np.array([1, 2])
W = np.array([[1, 3, 5], [2, 4, 6]])  # 2 inputs, 3 outputs
print(x, "W =", x @ W)

try:
    x @ W.T
except ValueError as error:
    print("refused:", error)
