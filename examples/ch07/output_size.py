"""The size of a convolution's output: (H + 2 P - F) / S + 1.

expects: H 4, F 3, S 1, P 0: 2
expects: H 4, F 3, S 1, P 1: 4
expects: H 7, F 3, S 2, P 0: 3
expects: (1, 28, 28) -> 784 numbers for a fully connected layer
expects: refused: [conv2d] W: expected
"""

import numpy as np

from pynet.layers import Convolution, Flatten
from pynet.util import conv_output_size

for H, F, S, P in ((4, 3, 1, 0), (4, 3, 1, 1), (7, 3, 2, 0), (28, 5, 1, 2), (28, 5, 1, 0)):
    size = conv_output_size(H, F, S, P)
    layer = Convolution(np.ones((1, 1, F, F)), np.zeros(1), stride=S, pad=P)
    assert layer.forward(np.ones((1, 1, H, H))).shape == (1, 1, size, size)
    print(f"H {H}, F {F}, S {S}, P {P}: {size:.0f}")

flat = Flatten().forward(np.ones((1, 1, 28, 28)))
print(f"(1, 28, 28) -> {flat.shape[1]} numbers for a fully connected layer")

# A filter is as deep as the image: channels must agree.
try:
    Convolution(np.ones((16, 1, 3, 3)), np.zeros(16)).forward(np.ones((1, 3, 8, 8)))
except ValueError as error:
    print("refused:", error)
