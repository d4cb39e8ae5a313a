"""Two losses for one sample of class 2: the better the prediction, the smaller both.

expects: sure of class 2:  squared error 0.0975, cross entropy 0.51
expects: sure of class 7:  squared error 0.5975, cross entropy 2.30
"""

import numpy as np

from pynet.functions import cross_entropy_error, sum_squared_error

t = np.array([0, 0, 1, 0, 0, 0, 0, 0, 0, 0])
predictions = {
    2: np.array([0.1, 0.05, 0.6, 0.0, 0.05, 0.1, 0.0, 0.1, 0.0, 0.0]),
    7: np.array([0.1, 0.05, 0.1, 0.0, 0.05, 0.1, 0.0, 0.6, 0.0, 0.0]),
}
for label, y in predictions.items():
    squares, entropy = sum_squared_error(y, t), cross_entropy_error(y, t)
    print(f"sure of class {label}:  squared error {squares:.4f}, cross entropy {entropy:.2f}")

# Cross entropy looks at the right class only: -ln 0.6 and -ln 0.1.
print(f"-ln 0.6 = {-np.log(0.6):.2f}, -ln 0.1 = {-np.log(0.1):.2f}")
