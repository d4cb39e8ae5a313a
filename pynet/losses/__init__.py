"""Losses, each as a layer (`Huber(delta=2.0)`) and as a function (`huber(y, t, delta=2.0)`).

    regression       squared_error, mean_squared_error, mean_absolute_error, huber, log_cosh
    classes          softmax_cross_entropy, cross_entropy, negative_log_likelihood,
                     kullback_leibler, multi_class_hinge
    two classes      sigmoid_cross_entropy, binary_cross_entropy, hinge, squared_hinge

A layer is a network's `last_layer`. `LossLayer` says how weights enter, and how a loss of one's own
is written: its terms and their derivatives, and `function` of that.
"""

from pynet.layers.loss import (
    IdentityWithLoss,
    SigmoidWithLoss,
    SoftmaxWithLoss,
    smooth_labels,
)
from pynet.layers.loss_layer import BinaryLoss, ClassLoss, LossLayer
from pynet.losses.function import function
from pynet.losses.likelihood import (
    BinaryCrossEntropy,
    CrossEntropy,
    KullbackLeibler,
    NegativeLogLikelihood,
)
from pynet.losses.margin import Hinge, MultiClassHinge, SquaredHinge
from pynet.losses.regression import Huber, LogCosh, MeanAbsoluteError, MeanSquaredError

squared_error = function(IdentityWithLoss)
mean_squared_error = function(MeanSquaredError)
mean_absolute_error = function(MeanAbsoluteError)
huber = function(Huber)
log_cosh = function(LogCosh)
softmax_cross_entropy = function(SoftmaxWithLoss)
sigmoid_cross_entropy = function(SigmoidWithLoss)
cross_entropy = function(CrossEntropy)
negative_log_likelihood = function(NegativeLogLikelihood)
kullback_leibler = function(KullbackLeibler)
binary_cross_entropy = function(BinaryCrossEntropy)
hinge = function(Hinge)
squared_hinge = function(SquaredHinge)
multi_class_hinge = function(MultiClassHinge)

__all__ = [
    "BinaryCrossEntropy",
    "BinaryLoss",
    "ClassLoss",
    "CrossEntropy",
    "Hinge",
    "Huber",
    "IdentityWithLoss",
    "KullbackLeibler",
    "LogCosh",
    "LossLayer",
    "MeanAbsoluteError",
    "MeanSquaredError",
    "MultiClassHinge",
    "NegativeLogLikelihood",
    "SigmoidWithLoss",
    "SoftmaxWithLoss",
    "SquaredHinge",
    "binary_cross_entropy",
    "cross_entropy",
    "function",
    "hinge",
    "huber",
    "kullback_leibler",
    "log_cosh",
    "mean_absolute_error",
    "mean_squared_error",
    "multi_class_hinge",
    "negative_log_likelihood",
    "sigmoid_cross_entropy",
    "smooth_labels",
    "softmax_cross_entropy",
    "squared_error",
    "squared_hinge",
]
