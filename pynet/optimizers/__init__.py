"""The book's six optimizers and their relatives. A star import also brings `np`, as in the book.

`update(params, grads)` changes the arrays of `params` in place; plain numbers are put back into the
dict. When both are flat stores of one layout (see `pynet.params`), the whole update is one call.

`OPTIMIZERS` has them by the names that `Trainer` and `pynet train --optimizer` take.
"""

from types import MappingProxyType

import numpy as np

from pynet.optimizers.adaptive import AdaDelta, AdaGrad, Adam, AdamW, AMSGrad, NAdam, RMSprop
from pynet.optimizers.averages import MovingAverage, StochasticAverage
from pynet.optimizers.base import Optimizer
from pynet.optimizers.first_order import LARS, SGD, GradientDescent, Momentum, Nesterov, RProp
from pynet.optimizers.groups import ParameterGroups
from pynet.optimizers.hooks import ClipNorm, ClipValue, Freeze, Hook, WeightDecay

# The book's six first.
_ALL: tuple[type[Optimizer], ...] = (
    *(SGD, Momentum, Nesterov, AdaGrad, RMSprop, Adam),
    *(AdaDelta, AMSGrad, AdamW, GradientDescent, LARS, NAdam, RProp),
)
OPTIMIZERS = MappingProxyType({cls.__name__.lower(): cls for cls in _ALL})

__all__ = [
    "LARS",
    "OPTIMIZERS",
    "SGD",
    "AMSGrad",
    "AdaDelta",
    "AdaGrad",
    "Adam",
    "AdamW",
    "ClipNorm",
    "ClipValue",
    "Freeze",
    "GradientDescent",
    "Hook",
    "Momentum",
    "MovingAverage",
    "NAdam",
    "Nesterov",
    "Optimizer",
    "ParameterGroups",
    "RMSprop",
    "RProp",
    "StochasticAverage",
    "WeightDecay",
    "np",
]
