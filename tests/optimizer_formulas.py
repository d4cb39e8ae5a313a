"""The optimizers' formulas in plain NumPy and float64, one parameter each."""

from __future__ import annotations

import math

import numpy as np

from pynet import optimizers as o

EPS = 1e-7


class Formula:
    """One parameter's way through the book's formulas, in float64."""

    def __init__(self, p):
        self.p = np.array(p, np.float64)
        self.v = self.h = self.m = 0.0
        self.k = 0

    def sgd(self, g, lr=0.01):
        self.p = self.p - lr * g

    def momentum(self, g, lr=0.01, momentum=0.9):
        self.v = momentum * self.v - lr * g
        self.p = self.p + self.v

    def nesterov(self, g, lr=0.01, momentum=0.9):
        self.p = self.p + momentum**2 * self.v - (1 + momentum) * lr * g
        self.v = momentum * self.v - lr * g

    def adagrad(self, g, lr=0.01):
        self.h = self.h + g**2
        self.p = self.p - lr * g / (np.sqrt(self.h) + EPS)

    def rmsprop(self, g, lr=0.01, decay_rate=0.99):
        self.h = decay_rate * self.h + (1 - decay_rate) * g**2
        self.p = self.p - lr * g / (np.sqrt(self.h) + EPS)

    def adam(self, g, lr=0.001, beta1=0.9, beta2=0.999):
        self.k += 1
        lr_k = lr * math.sqrt(1 - beta2**self.k) / (1 - beta1**self.k)
        self.m = self.m + (1 - beta1) * (g - self.m)
        self.v = self.v + (1 - beta2) * (g**2 - self.v)
        self.p = self.p - lr_k * self.m / (np.sqrt(self.v) + EPS)

    def adamw(self, g, lr=0.001, beta1=0.9, beta2=0.999, weight_decay=0.01):
        self.p = self.p - lr * weight_decay * self.p
        self.adam(g, lr, beta1, beta2)

    def amsgrad(self, g, lr=0.001, beta1=0.9, beta2=0.999):
        before, largest = self.p, self.h
        self.adam(g, lr, beta1, beta2)
        self.h = np.maximum(largest, self.v)
        lr_k = lr * math.sqrt(1 - beta2**self.k) / (1 - beta1**self.k)
        self.p = before - lr_k * self.m / (np.sqrt(self.h) + EPS)

    def nadam(self, g, lr=0.001, beta1=0.9, beta2=0.999):
        before = self.p
        self.adam(g, lr, beta1, beta2)
        now, later = 1 - beta1**self.k, 1 - beta1 ** (self.k + 1)
        mean = beta1 * self.m / later + (1 - beta1) * g / now
        self.p = before - lr * math.sqrt(1 - beta2**self.k) * mean / (np.sqrt(self.v) + EPS)

    def adadelta(self, g, lr=1.0, decay_rate=0.95, eps=1e-6):
        self.h = decay_rate * self.h + (1 - decay_rate) * g**2
        d = np.sqrt(self.v + eps) / np.sqrt(self.h + eps) * g
        self.v = decay_rate * self.v + (1 - decay_rate) * d**2
        self.p = self.p - lr * d

    def rprop(self, g, lr=0.01, shrink=0.5, grow=1.2, least=1e-6, most=50.0):
        if self.k == 0:
            self.v = np.full_like(self.p, lr)
        self.k = 1
        same = np.sign(g) * self.h
        self.v = np.where(same > 0, np.minimum(self.v * grow, most), self.v)
        self.v = np.where(same < 0, np.maximum(self.v * shrink, least), self.v)
        self.h = np.where(same < 0, 0, np.sign(g))
        self.p = self.p - self.h * self.v

    def lars(self, g, lr=1.0, momentum=0.9, weight_decay=1e-4, trust=0.02):
        if self.p.ndim > 1:
            size, slope = np.linalg.norm(self.p), np.linalg.norm(g)
            trust = trust * size / (slope + weight_decay * size)
            g = g + weight_decay * self.p
        self.momentum(g, lr * trust, momentum)

    gradientdescent = sgd


ADAM = {"lr": 0.3, "beta1": 0.7, "beta2": 0.8}
CASES = [
    (o.SGD, "sgd", {"lr": 0.3}),
    (o.Momentum, "momentum", {"lr": 0.3, "momentum": 0.7}),
    (o.Nesterov, "nesterov", {"lr": 0.3, "momentum": 0.7}),
    (o.AdaGrad, "adagrad", {"lr": 0.3}),
    (o.RMSprop, "rmsprop", {"lr": 0.3, "decay_rate": 0.8}),
    (o.Adam, "adam", ADAM),
    (o.AdamW, "adamw", {**ADAM, "weight_decay": 0.1}),
    (o.AMSGrad, "amsgrad", ADAM),
    (o.NAdam, "nadam", ADAM),
    (o.AdaDelta, "adadelta", {"lr": 0.5, "decay_rate": 0.8, "eps": 1e-4}),
    (
        o.RProp,
        "rprop",
        {"lr": 0.3, "shrink": 0.4, "grow": 1.5, "least": 0.1, "most": 0.4},
    ),
    (
        o.LARS,
        "lars",
        {"lr": 0.3, "momentum": 0.7, "weight_decay": 0.1, "trust": 0.1},
    ),
    (o.GradientDescent, "gradientdescent", {"lr": 0.3}),
]
assert {c for c, _, _ in CASES} == set(o.OPTIMIZERS.values())
