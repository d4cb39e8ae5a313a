"""How flat a minimum is."""

from __future__ import annotations

import sys
from typing import Any

import numpy as np

from pynet._types import ArrayLike
from pynet.checks import array_of, generator, one_each, real_number, whole_number
from pynet.diagnosis.watch import twin_of


def sharpness(
    network: Any,
    x: ArrayLike,
    t: ArrayLike,
    radius: float = 0.05,
    samples: int = 10,
    *,
    seed: int = 0,
    batch_size: int = 1000,
) -> float:
    """Return by how much the loss rises on average when all parameters are shaken.

    mean over `samples` of loss(w + r) - loss(w); for each parameter array r is a random direction
    of length radius * |w|, so the measure does not depend on the scale of the weights. A flat
    minimum gives a small number. In test mode, without penalties; the network stays
    as it is, and the same seed gives the same number.

    Raises TypeError for what is no `pynet.networks.Network`, ValueError for a radius, samples or
    batch_size that is not positive.

    Source: Hochreiter and Schmidhuber, "Flat Minima", 1997; Keskar et al., "On Large-Batch Training
    for Deep Learning: Generalization Gap and Sharp Minima", 2017.
    """
    real_number("[sharpness] radius", radius, sys.float_info.min, expected="a number above 0")
    whole_number("[sharpness] samples", samples)
    whole_number("[sharpness] batch_size", batch_size)
    twin = twin_of("sharpness", network)
    x, t = array_of("[sharpness] x", x), array_of("[sharpness] t", t)

    def loss() -> float:
        parts = [
            (min(batch_size, len(x) - i), x[i : i + batch_size], t[i : i + batch_size])
            for i in range(0, len(x), batch_size)
        ]
        return sum(n * twin.loss(xs, ts, False) for n, xs, ts in parts) / len(x)

    one_each("[sharpness] t", x, t)
    base = loss()
    weights = {key: np.array(param) for key, param in twin.params.items()}
    rng = generator("[sharpness] seed", seed)
    rises = []
    for _ in range(samples):
        for key, w in weights.items():
            noise = rng.standard_normal(w.shape)
            length = radius * np.linalg.norm(w) / max(float(np.linalg.norm(noise)), 1e-300)
            twin.params[key] = (w + length * noise).astype(w.dtype)
        rises.append(loss() - base)
    return float(np.mean(rises))
