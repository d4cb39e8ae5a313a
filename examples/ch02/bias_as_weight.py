"""The bias is a weight too: of an input that is always 1.

x W + b and [1, x] [b; W] are the same numbers, so a theory (or a program) needs weights only.

expects: the same outputs: True
"""

import numpy as np

from pynet.perceptron import with_ones

rng = np.random.default_rng(0)
x = rng.standard_normal((4, 3))  # 4 samples of 3 features
W, b = rng.standard_normal((3, 2)), rng.standard_normal(2)

with_bias = x @ W + b
merged = with_ones(x) @ np.vstack([b, W])  # b is the first row of the larger matrix
print(with_bias)
print(merged)
print("the same outputs:", np.allclose(with_bias, merged, rtol=1e-12, atol=0))
