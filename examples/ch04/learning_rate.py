"""The learning rate is chosen by hand: too large runs away, too small stands still.

expects: lr 10: far away
expects: lr 0.1: at the minimum
expects: lr 1e-10: still at the start
"""

import numpy as np

from pynet.gradient import gradient_descent


def function_2(x):
    return np.sum(x**2)


start = np.array([-3.0, 4.0])
for lr in (10, 0.1, 1e-10):
    x = gradient_descent(function_2, start, lr=lr, step_num=100)
    distance = np.linalg.norm(x)
    if distance > 1e6:
        verdict = "far away"
    elif distance < 1e-3:
        verdict = "at the minimum"
    else:
        verdict = "still at the start" if np.allclose(x, start) else "on the way"
    print(f"lr {lr}: {verdict}, x = {x}")
