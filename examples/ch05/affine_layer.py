"""The Affine layer, written by hand and from the library: out = x W + b for a batch.

Backward: dx = dout W^T, dW = x^T dout, db = the sum of dout over the batch, because b was added to
every row of it.

expects: out (2, 3), dx (2, 4), dW (4, 3), db [6.0, 6.0, 6.0]
expects: the same as pynet's: True
"""

import numpy as np

from pynet.layers import Affine


class MyAffine:
    def __init__(self, W, b):
        self.W, self.b = W, b

    def forward(self, x):
        self.x = x
        return x @ self.W + self.b

    def backward(self, dout):
        self.dW = self.x.T @ dout
        self.db = dout.sum(axis=0)
        return dout @ self.W.T


rng = np.random.default_rng(0)
x, W, b = rng.standard_normal((2, 4)), rng.standard_normal((4, 3)), np.zeros(3)
dout = np.full((2, 3), 3.0)

mine, pynets = MyAffine(W, b), Affine(W, b)
out, dx = mine.forward(x), mine.backward(dout)
print(f"out {out.shape}, dx {dx.shape}, dW {mine.dW.shape}, db {mine.db.tolist()}")

pairs = [(out, pynets.forward(x)), (dx, pynets.backward(dout))]
pairs += [(mine.dW, pynets.dW), (mine.db, pynets.db)]
print("the same as pynet's:", all(np.allclose(a, b) for a, b in pairs))
