"""Convolution: a filter slides over the image; at each place, multiply and add.

expects: [[15, 16], [6, 15]]
expects: with bias 3: [[18, 19], [9, 18]]
expects: pad 1: (4, 4)
expects: stride 2 on 7 x 7: (3, 3)
expects: pynet's layer gives the same: True
"""

import numpy as np

from pynet.layers import Convolution


def convolve(x, filter, stride=1, pad=0):
    x = np.pad(x, pad)
    FH, FW = filter.shape
    OH, OW = (x.shape[0] - FH) // stride + 1, (x.shape[1] - FW) // stride + 1
    out = np.zeros((OH, OW))
    for i in range(OH):
        for j in range(OW):
            window = x[i * stride : i * stride + FH, j * stride : j * stride + FW]
            out[i, j] = np.sum(window * filter)
    return out


x = np.array([[1, 2, 3, 0], [0, 1, 2, 3], [3, 0, 1, 2], [2, 3, 0, 1]])
filter = np.array([[2, 0, 1], [0, 1, 2], [1, 0, 2]])
out = convolve(x, filter)
print(out.astype(int).tolist())
print("with bias 3:", (out + 3).astype(int).tolist())
print("pad 1:", convolve(x, filter, pad=1).shape)
print("stride 2 on 7 x 7:", convolve(np.ones((7, 7)), filter, stride=2).shape)

# The layer takes batches of images with channels, (N, C, H, W), and filters (FN, C, FH, FW).
layer = Convolution(filter.reshape(1, 1, 3, 3).astype(float), np.zeros(1))
y = layer.forward(x.reshape(1, 1, 4, 4).astype(float))
print("pynet's layer gives the same:", np.array_equal(y[0, 0], out))
