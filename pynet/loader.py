"""Batches: which samples the next one is made of, and an iterator over them.

for x, t in batches(x_train, t_train, batch_size=100):  # one epoch; the next loop has another order
    optimizer.update(net.params, net.gradient(x, t))

Only the rows of a batch are read, so x and t may be memory-mapped files that are larger than
memory (`pynet.datasets.open_npy_pair`).
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any, Protocol

import numpy as np

from pynet import devices
from pynet._types import Array
from pynet.checks import array_of, generator, one_each, whole_number

__all__ = ["SAMPLINGS", "Batches", "Sampler", "batches"]

SAMPLINGS = ("replacement", "epoch", "full")


class _Random(Protocol):
    """What `np.random` and a `numpy.random.Generator` have in common."""

    def choice(self, a: int, size: int) -> Any: ...
    def permutation(self, x: int) -> Any: ...


class Sampler:
    """Says which samples make a batch.

    Args:
        size: how many samples there are.
        batch_size: how many of them a batch has.
        sampling: 'replacement', each batch a draw of its own, as in the book; 'epoch', each sample
            once per epoch in an order that is new every epoch, the last batch as small as it comes;
            'full', all samples in their order (`batch_size` does not count).
        random: where the draws come from: `np.random`, or a generator.

    Attributes: `iter_per_epoch`, batches in an epoch: size / batch_size with 'replacement', a float
    of at least 1, as in the book, else a whole number; `order`, that of the running epoch. It and
    the state of `random` are all the state there is.
    """

    def __init__(
        self, size: int, batch_size: int, sampling: str, random: _Random = np.random
    ) -> None:
        self.size = size
        self.batch_size = size if sampling == "full" else batch_size
        self.sampling = sampling
        self.random = random
        self.order: Array | None = None
        self.iter_per_epoch: float = max(size / self.batch_size, 1)
        if sampling == "epoch":
            self.iter_per_epoch = math.ceil(self.iter_per_epoch)

    def draw(self, iteration: int) -> Any:
        """Return the indices of the batch of this iteration, counted from 0; a slice for 'full'."""
        if self.sampling == "full":
            return slice(None)
        if self.sampling == "replacement":
            return self.random.choice(self.size, self.batch_size)
        position = iteration % int(self.iter_per_epoch)
        if position == 0 or self.order is None:
            self.order = np.asarray(self.random.permutation(self.size))
        begin = position * self.batch_size
        return self.order[begin : begin + self.batch_size]


class Batches:
    """What `batches` returns: each loop over it is an epoch, `len` is how many batches that has."""

    def __init__(
        self, x: Array, t: Array, sampler: Sampler | None, batch_size: int, count: int
    ) -> None:
        self.x, self.t = x, t
        self._sampler = sampler
        self._batch_size = batch_size
        self._count = count

    def __len__(self) -> int:
        return self._count

    def __iter__(self) -> Iterator[tuple[Array, Array]]:
        if self._sampler is not None:
            self._sampler.order = None  # a loop that was left early does not go on in the next one
        for i in range(self._count):
            batch = slice(i * self._batch_size, (i + 1) * self._batch_size)
            if self._sampler is not None:
                batch = self._sampler.draw(i)
            yield devices.array(self.x[batch]), devices.array(self.t[batch])


def batches(
    x: Any,
    t: Any,
    batch_size: int = 100,
    shuffle: bool = True,
    replacement: bool = False,
    seed: int | None = None,
    drop_last: bool = False,
) -> Batches:
    """Return the batches (x, t) of one epoch after another.

    An epoch has ceil(N / batch_size) batches: N of one sample each for online learning, one of all
    for `batch_size=len(x)`.

    Args:
        x: samples, an array or a memory map.
        t: their targets, as many.
        batch_size: samples in a batch, 1 or more.
        shuffle: a new order every epoch; otherwise that of the data.
        replacement: draw each batch from all samples instead, as the book does: a sample may come
            twice in an epoch, or not at all.
        seed: of a generator of its own; None draws from `np.random`.
        drop_last: leave out the last batch where it is smaller than the others.

    Raises ValueError for data that do not fit together or a batch size below 1.
    """
    x, t = (
        part if getattr(part, "shape", ()) else array_of(f"[batches] {name}", part)
        for name, part in (("x", x), ("t", t))
    )
    one_each("[batches] t", x, t, "target")
    whole_number("[batches] batch_size", batch_size)
    sampler = None
    if shuffle or replacement:
        random: Any = np.random if seed is None else generator("[batches] seed", seed)
        sampler = Sampler(len(x), batch_size, "replacement" if replacement else "epoch", random)
    count = len(x) // batch_size if drop_last else math.ceil(len(x) / batch_size)
    return Batches(x, t, sampler, batch_size, count)
