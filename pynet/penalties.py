"""Penalties on weights: what is added to the loss, and to the gradient of each W.

Network(layers, penalty=L1(1e-4))
"""

from __future__ import annotations

import sys

from pynet import ops
from pynet._types import Array
from pynet.checks import real_number


class Elastic:
    """l1 * sum of |W| + 1/2 * l2 * sum of W^2; gradient l1 * sign(W) + l2 * W, sign(0) = 0.

    Args:
        l1, l2: the strengths, from 0.

    Raises ValueError for a strength that is negative or not finite.

    Source: Zou and Hastie, "Regularization and variable selection via the elastic net", 2005.
    """

    def __init__(self, l1: float, l2: float) -> None:
        op, most = type(self).__name__, sys.float_info.max
        self.l1 = real_number(f"[{op}] l1", l1, 0, most, "a finite number from 0")
        self.l2 = real_number(f"[{op}] l2", l2, 0, most, "a finite number from 0")

    def __call__(self, W: Array) -> float:
        """Return the penalty on W."""
        absolute = self.l1 * sum(ops.sum(ops.relu(ops.scale(W, s))) for s in (1, -1))
        return absolute + 0.5 * self.l2 * ops.norm(W) ** 2

    def gradient(self, W: Array) -> Array:
        """Return the derivatives by W, in its dtype."""
        decay = ops.scale(W, self.l2)
        if not self.l1:
            return decay
        for s in (1, -1):  # where W is above 0, and below
            side = ops.activation(ops.scale(W, s), "step")
            decay = ops.add(decay, ops.scale(side, s * self.l1))
        return decay

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.l1:g}, {self.l2:g})"


class L1(Elastic):
    """lmbda * sum of |W|, the Lasso; gradient lmbda * sign(W): it draws small weights to 0 itself.

    Source: Tibshirani, "Regression Shrinkage and Selection via the Lasso", 1996.
    """

    def __init__(self, lmbda: float) -> None:
        super().__init__(lmbda, 0)

    def __repr__(self) -> str:
        return f"L1({self.l1:g})"


class L2(Elastic):
    """1/2 * lmbda * sum of W^2, weight decay or Ridge; gradient lmbda * W.

    The same as a network's `weight_decay_lambda`, the book's name for it.

    Source: Hoerl and Kennard, "Ridge Regression: Biased Estimation for Nonorthogonal Problems",
    1970.
    """

    def __init__(self, lmbda: float) -> None:
        super().__init__(0, lmbda)

    def __repr__(self) -> str:
        return f"L2({self.l2:g})"
