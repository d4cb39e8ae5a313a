"""Dropout (Srivastava et al., 2014) with random numbers that are counted, not drawn one by one.

The number of element i depends on (seed, layer, step, i) alone: Philox4x32-10 (Salmon et al.,
2011, "Parallel random numbers: as easy as 1, 2, 3") turns a counter into four random words.
"""

from __future__ import annotations

import numpy as np

from pynet._types import Array, ArrayLike
from pynet.reference._arrays import as_float, store

LOW = 0xFFFFFFFF  # the low 32 bits
Words = tuple[Array, ...]


def philox4x32(counter: Words, key: tuple[int, int], rounds: int = 10) -> Words:
    """Four random words for each counter. All words are 32 bits, held in uint64 arrays."""
    c0, c1, c2, c3 = counter
    k0, k1 = key
    low = np.uint64(LOW)
    for _ in range(rounds):
        p0 = c0 * np.uint64(0xD2511F53)
        p1 = c2 * np.uint64(0xCD9E8D57)
        c0, c1, c2, c3 = (
            (p1 >> np.uint64(32)) ^ c1 ^ np.uint64(k0),
            p1 & low,
            (p0 >> np.uint64(32)) ^ c3 ^ np.uint64(k1),
            p0 & low,
        )
        k0 = (k0 + 0x9E3779B9) & LOW
        k1 = (k1 + 0xBB67AE85) & LOW
    return c0, c1, c2, c3


def uniform(size: int, seed: int, layer: int, step: int) -> Array:
    """`size` float32 numbers in [0, 1). Number i is word i % 4 of the block i // 4."""
    block = np.arange((size + 3) // 4, dtype=np.uint64)
    counter = (
        block & np.uint64(LOW),
        block >> np.uint64(32),
        np.full_like(block, layer & LOW),
        np.full_like(block, step & LOW),
    )
    words = np.stack(philox4x32(counter, (seed & LOW, seed >> 32 & LOW)), axis=1)
    # 24 bits fill a float32's mantissa, so that no number is rounded up to 1.
    return (words.reshape(-1)[:size] >> np.uint64(8)).astype(np.float32) * np.float32(2.0**-24)


def dropout(
    x: ArrayLike, ratio: float, *, seed: int, layer: int, step: int, inverted: bool = False
) -> tuple[Array, Array]:
    """Dropout: y = x mask, where mask is 1 (keep) with probability 1 - ratio, and 0 else.

    inverted: y = x mask / (1 - ratio), so that a test needs no factor.
    """
    x = as_float(x)
    mask = uniform(x.size, seed, layer, step).reshape(x.shape) > np.float32(ratio)
    y = x * mask
    if inverted:
        one = x.dtype.type(1)
        y = y * (one / (one - x.dtype.type(ratio)))
    return y, mask.astype(np.uint8)


def dropout_backward(
    dout: ArrayLike,
    mask: Array,
    *,
    scale: float = 1.0,
    out: Array | None = None,
    add: bool = False,
) -> Array:
    """Gradient of dropout: dx = dout mask scale, with scale = 1 / (1 - ratio) if inverted."""
    dout = as_float(dout)
    return store(dout * mask.astype(dout.dtype) * dout.dtype.type(scale), out, add)
