"""Where on its rank every node and every point of an edge lies.

What follows in a line (one way in, one way out) is one column and moves as one. Columns are drawn
to the mean of their neighbours, and where two would overlap the lighter one gives way, until both
hold: position-based dynamics (Mueller et al., 2007).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

SIDE_GAP = 18
_ROUNDS, _PASSES = 100, 30


@dataclass(eq=False)
class Item:
    """A node, or the point of an edge on a rank."""

    rank: int
    along: int  # its size in the direction of the arrows
    side: int  # and across
    round: bool = False
    at: float = 0.0
    before: list[tuple[Item, int]] = field(default_factory=list)  # neighbours, with weights
    after: list[tuple[Item, int]] = field(default_factory=list)


class _Column:
    """Items that share one place."""

    def __init__(self) -> None:
        self.items: list[Item] = []
        self.at = 0.0
        self.pulls: list[tuple[_Column, int]] = []  # towards other columns
        self.mass = 1e-6

    def wanted(self) -> float:
        total = sum(weight for _, weight in self.pulls)
        return sum(weight * other.at for other, weight in self.pulls) / total if total else self.at


def place(ranks: list[list[Item]]) -> None:
    """Set `at` of every item: no overlaps, lines as straight as can be."""
    columns = _columns(ranks)
    order = _left_to_right(columns, ranks)
    if order is None:  # lines that cross lie left and right of each other in turn
        columns = {id(item): _single(item) for rank in ranks for item in rank}
        order = _left_to_right(columns, ranks)
        assert order is not None
    distances = _distances(columns, ranks)
    for column in order:
        column.pulls = [
            (columns[id(other)], weight)
            for item in column.items
            for other, weight in item.before + item.after
            if columns[id(other)] is not column
        ]
        column.mass += sum(weight for _, weight in column.pulls)
    _push(order, distances)
    middle = sum(column.at for column in order) / max(1, len(order))
    for column in order:
        column.at -= middle
    for i in range(_ROUNDS):
        # All at once, so that neither side is favoured.
        wanted = [column.wanted() for column in order]
        for column, at in zip(order, wanted):
            column.at += 0.5 * (at - column.at)
        for j in range(_PASSES):
            worst = 0.0
            for left, right, gap in distances if (i + j) % 2 else reversed(distances):
                overlap = left.at + gap - right.at
                if overlap > 0:
                    worst = max(worst, overlap)
                    share = right.mass / (left.mass + right.mass)
                    left.at -= overlap * share
                    right.at += overlap * (1 - share)
            if worst < 0.1:
                break
    _push(order, distances)
    for column in order:
        for item in column.items:
            item.at = column.at


def _columns(ranks: list[list[Item]]) -> dict[int, _Column]:
    columns: dict[int, _Column] = {}
    for rank in ranks:
        for item in rank:
            above = item.before[0][0] if len(item.before) == 1 else None
            if above is not None and len(above.after) == 1:
                column = columns[id(above)]
            else:
                column = _Column()
            column.items.append(item)
            columns[id(item)] = column
    return columns


def _single(item: Item) -> _Column:
    column = _Column()
    column.items.append(item)
    return column


def _distances(
    columns: dict[int, _Column], ranks: list[list[Item]]
) -> list[tuple[_Column, _Column, float]]:
    """Columns on one rank, and how far apart their middles are at least.

    Not neighbours alone: two heavy columns would press a light one between them together.
    """
    found: dict[tuple[int, int], tuple[_Column, _Column, float]] = {}
    for rank in ranks:
        for i, first in enumerate(rank):
            gap = 0.0
            for a, b in zip(rank[i:], rank[i + 1 :]):
                gap += (a.side + b.side) / 2 + SIDE_GAP
                left, right = columns[id(first)], columns[id(b)]
                known = found.get((id(left), id(right)))
                found[id(left), id(right)] = (left, right, max(gap, known[2] if known else 0))
    return list(found.values())


def _left_to_right(columns: dict[int, _Column], ranks: list[list[Item]]) -> list[_Column] | None:
    """The columns, each behind those to its left; None where that is impossible."""
    distances = _distances(columns, ranks)
    waits: dict[int, int] = {id(column): 0 for column in columns.values()}
    for _, right, _ in distances:
        waits[id(right)] += 1
    unique = {id(column): column for column in columns.values()}
    ready = [column for column in unique.values() if waits[id(column)] == 0]
    order: list[_Column] = []
    while ready:
        column = ready.pop(0)
        order.append(column)
        for left, right, _ in distances:
            if left is column:
                waits[id(right)] -= 1
                if waits[id(right)] == 0:
                    ready.append(right)
    return order if len(order) == len(unique) else None


def _push(order: list[_Column], distances: list[tuple[_Column, _Column, float]]) -> None:
    """Move columns to the right until nothing overlaps."""
    to_left: dict[int, list[tuple[_Column, float]]] = {}
    for left, right, gap in distances:
        to_left.setdefault(id(right), []).append((left, gap))
    for column in order:
        for left, gap in to_left.get(id(column), []):
            column.at = max(column.at, left.at + gap)


def spread(wanted: Sequence[float], weights: Sequence[float], gap: float) -> list[float]:
    """Return places in order, `gap` apart or more, as near to the wanted ones as can be.

    Minimises sum of weight * (place - wanted)^2, by pooling adjacent violators (Ayer et al., 1955).
    """
    pools: list[tuple[float, float, int]] = []  # (mean, weight, count)
    for i, (at, weight) in enumerate(zip(wanted, weights)):
        pool = (at - i * gap, weight, 1)
        while pools and pools[-1][0] >= pool[0]:
            mean, heavy, count = pools.pop()
            both = heavy + pool[1]
            pool = ((mean * heavy + pool[0] * pool[1]) / both, both, count + pool[2])
        pools.append(pool)
    means = [mean for mean, _, count in pools for _ in range(count)]
    return [mean + i * gap for i, mean in enumerate(means)]
