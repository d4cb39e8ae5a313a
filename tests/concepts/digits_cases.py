"""The data and the nets of the concepts' tests: small, and the same for all."""

from __future__ import annotations

from functools import cache

import numpy as np

from pynet.datasets import load_digits
from pynet.networks import MultiLayerNet, TwoLayerNet

F64 = np.float64
RNG = np.random.default_rng(0)  # begins anew with every test
START = RNG.bit_generator.state


@cache
def digits() -> tuple[tuple[np.ndarray, np.ndarray], tuple[np.ndarray, np.ndarray]]:
    """The package's 1,348 training and 449 test digits."""
    return load_digits()


def small_net(seed: int = 0, dtype=F64, std: float = 0.1) -> TwoLayerNet:
    """A two-layer net for the digits."""
    np.random.seed(seed)
    return TwoLayerNet(64, 30, 10, weight_init_std=std, dtype=dtype)


def deep_net(activation: str, layers: int, std: float | str, seed: int = 0, dtype=F64):
    """A net of equal layers of 50 neurons for the digits."""
    np.random.seed(seed)
    return MultiLayerNet(64, [50] * layers, 10, activation, std, dtype=dtype)


def flat(grads) -> np.ndarray:
    """All gradients as one vector."""
    return np.concatenate([np.ravel(grads[key]) for key in sorted(grads)])


def cosine(a: np.ndarray, b: np.ndarray) -> float:
    """The cosine of the angle between two vectors."""
    return float(a @ b / (np.linalg.norm(a) * np.linalg.norm(b)))


def train(net, optimizer, x, t, steps: int, batch: int, seed: int = 0) -> list[float]:
    """Train on random batches and return the losses."""
    rng = np.random.default_rng(seed)
    losses = []
    for _ in range(steps):
        chosen = rng.choice(len(x), batch)
        optimizer.update(net.params, net.gradient(x[chosen], t[chosen]))
        losses.append(net.last_loss)
    return losses
