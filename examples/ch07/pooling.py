"""Max pooling: the largest of each 2 x 2 window. Nothing to learn, channels stay apart, and a small
shift of the image changes little.

expects: [[2, 3], [4, 2]]
expects: average [[1.0, 1.5], [2.25, 1.0]]
expects: gradient goes to the largest: [[0, 0, 0, 0], [0, 1, 0, 1], [0, 1, 0, 0], [0, 0, 1, 0]]
expects: 3 channels stay 3
"""

import numpy as np

from pynet.layers import AveragePooling, Pooling

image = np.array([[1, 0, 1, 0], [1, 2, 2, 3], [0, 4, 1, 0], [2, 3, 2, 1]], float)
x = image.reshape(1, 1, 4, 4)
layer = Pooling(2, 2, stride=2)
print(layer.forward(x)[0, 0].astype(int).tolist())
print("average", AveragePooling(2, 2, stride=2).forward(x)[0, 0].tolist())

dx = layer.backward(np.ones((1, 1, 2, 2)))
print("gradient goes to the largest:", dx[0, 0].astype(int).tolist())

print("3 channels stay", Pooling(2, 2, stride=2).forward(np.ones((1, 3, 8, 8))).shape[1])

# A shift by one pixel: how much of the image changes, and how much of the pooled one?
blob = np.zeros((1, 1, 12, 12))
blob[0, 0, 4:7, 4:7] = 1
moved = np.roll(blob, 1, axis=3)
before = np.mean(blob != moved)
after = np.mean(Pooling(4, 4, stride=4).forward(blob) != Pooling(4, 4, stride=4).forward(moved))
print(f"changed by the shift: {before:.1%} of the pixels, {after:.1%} after pooling")
