"""Gradients by differences, to check analytic ones by."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np


def numerical_gradient(f: Callable[[], float], x: np.ndarray, h: float = 1e-3) -> np.ndarray:
    """The gradient of f(), which reads x, by central differences with one Richardson step.

    D(h) = (f(x+h) - f(x-h)) / 2h is off by a h^2 + O(h^4); (4 D(h/2) - D(h)) / 3 cancels a.
    x is changed in place, one element at a time, and restored.
    """
    gradient = np.zeros(x.shape)
    for i in np.ndindex(x.shape):
        value = x[i]
        difference = []
        for step in (h, h / 2):
            x[i] = value + step
            above = f()
            x[i] = value - step
            difference.append((above - f()) / (2 * step))
        x[i] = value
        gradient[i] = (4 * difference[1] - difference[0]) / 3
    return gradient


def gradient_error(analytic: np.ndarray, numerical: np.ndarray) -> float:
    """The norm of the difference over the larger norm."""
    size = max(np.linalg.norm(analytic), np.linalg.norm(numerical))
    return float(np.linalg.norm(analytic - numerical) / size) if size > 0 else 0.0
