"""Softmax and cross entropy together: the gradient is simply y - t, what is wrong with the output.

expects: y (0.3, 0.2, 0.5) -> (0.3, -0.8, 0.5)
expects: y (0.01, 0.99, 0.0) -> (0.01, -0.01, 0.0)
expects: squared error y - t: (0.3, -0.8, 0.5)
"""

import numpy as np

from pynet.layers import IdentityWithLoss, SoftmaxWithLoss

t = np.array([[0, 1, 0]])
for y in (np.array([[0.3, 0.2, 0.5]]), np.array([[0.01, 0.99, 1e-9]])):
    layer = SoftmaxWithLoss()
    layer.forward(np.log(y), t)  # the scores that give these probabilities
    dx = layer.backward()
    texts = [tuple(float(v) for v in np.round(row[0], 3) + 0.0) for row in (layer.y, dx)]
    print("y", texts[0], "->", texts[1])

# A regression's output is not normalised, its loss is half the squared error: the same y - t.
layer = IdentityWithLoss()
layer.forward(np.array([[0.3, 0.2, 0.5]]), t)
print("squared error y - t:", tuple(float(v) for v in np.round(layer.backward()[0], 3)))
