"""NumPy arrays: arithmetic on all elements at once, broadcasting, choosing elements.

expects: x + y = [3. 6. 9.]
expects: A * 10 = [[10, 20], [30, 40]]
expects: A * row = [[10, 40], [30, 80]]
expects: above 15: [51 55 19 45]
"""

import numpy as np

x, y = np.array([1.0, 2.0, 3.0]), np.array([2.0, 4.0, 6.0])
print("x + y =", x + y)  # element by element

A = np.array([[1, 2], [3, 4]])
print("A * 10 =", (A * 10).tolist())  # 10 is used for every element

# A row of 2 meets a matrix of 2 x 2: it is used for each of its rows. That is broadcasting,
# and it is how a bias is added to every sample of a batch.
print("A * row =", (A * np.array([10, 20])).tolist())

X = np.array([[51, 55], [14, 19], [0, 45]]).flatten()
print("above 15:", X[X > 15])  # a condition gives an array of True and False, which chooses
