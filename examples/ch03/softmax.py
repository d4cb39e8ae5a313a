"""Softmax: scores become numbers above 0 whose sum is 1, in the same order.

expects: [0.018 0.245 0.737]
expects: sum 1.0
expects: largest at 2 and 2
expects: [1. 0. 0.]
"""

import numpy as np

from pynet.functions import softmax

a = np.array([0.3, 2.9, 4.0])
y = softmax(a)
print(np.round(y, 3))
print("sum", np.round(y.sum(), 12))
# The class with the highest score has the highest probability: for prediction alone the
# exponentials may be left out.
print("largest at", a.argmax(), "and", y.argmax())

# e^1010 is beyond any float. Subtracting the largest score changes nothing in the quotient.
large = np.array([1010.0, 1000.0, 990.0])
with np.errstate(all="ignore"):
    print("as the formula is written:", np.exp(large) / np.sum(np.exp(large)))
print("with the largest score subtracted:", np.round(softmax(large), 3))
