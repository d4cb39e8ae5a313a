"""The book's Trainer. A star import also brings the six optimizers, as in the book."""

import numpy as np

from pynet.optimizers import SGD, AdaGrad, Adam, Momentum, Nesterov, RMSprop
from pynet.trainer.loop import Trainer

__all__ = ["SGD", "AdaGrad", "Adam", "Momentum", "Nesterov", "RMSprop", "Trainer", "np"]
