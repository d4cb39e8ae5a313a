"""im2col: every window becomes a row, so that a convolution is one matrix product.

expects: (1, 3, 7, 7) -> (9, 75)
expects: (10, 3, 7, 7) -> (90, 75)
expects: (10, 3, 5, 5) -> (10, 75)
expects: the product is the convolution: True
expects: elements grow by a factor 4.6
"""

import numpy as np

from pynet.layers import Convolution
from pynet.util import im2col

for shape in ((1, 3, 7, 7), (10, 3, 7, 7), (10, 3, 5, 5)):
    print(shape, "->", im2col(np.ones(shape), 5, 5).shape)

rng = np.random.default_rng(0)
x, W, b = rng.random((10, 3, 7, 7)), rng.random((4, 3, 5, 5)), rng.random(4)
col = im2col(x, 5, 5)
out = col @ W.reshape(4, -1).T + b  # a row for each window, a column for each filter
out = out.reshape(10, 3, 3, 4).transpose(0, 3, 1, 2)  # as images again: (N, FN, OH, OW)
same = np.allclose(out, Convolution(W, b).forward(x))
print("the product is the convolution:", same)

# Windows overlap, so most pixels are copied several times: speed is paid with memory. pynet's
# kernels take the windows from the image as they go, and the large matrix is never made.
print(f"elements grow by a factor {col.size / x.size:.1f}")
