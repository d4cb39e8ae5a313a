"""Where nodes and arrows go: a small layered layout.

Every node gets a rank, one more than the last of its inputs; ranks are drawn one after the other,
with the texts of edges on ranks of their own in between. An edge over several ranks is a chain of
points, one on each. Then each rank is put in an order with few crossings, and everything gets its
place on its rank.

Source: Sugiyama, Tagawa and Toda, "Methods for Visual Understanding of Hierarchical System
Structures", 1981.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from math import sqrt
from typing import NamedTuple

from pynet.graph.places import Item, place, spread

MARGIN, RANK_GAP, PORT_GAP = 16, 18, 14
_SWEEPS = 12
Size = tuple[int, int]
Point = tuple[int, int]


class Box(NamedTuple):
    """A rectangle by its centre."""

    x: int
    y: int
    width: int
    height: int


class Layout(NamedTuple):
    """The size of the drawing, a box for each node and each edge's text, points of each edge.

    An edge goes through its points in order, the last one is the arrow's tip: straight from point
    2i to point 2i + 1, past what else is on a rank, and bent between the ranks.
    """

    width: int
    height: int
    nodes: list[Box]
    labels: list[Box | None]
    edges: list[list[Point]]


def arrange(
    node_sizes: Sequence[Size],
    label_sizes: Sequence[Size],
    edges: Sequence[tuple[int, int, int]],
    across: bool,
    circles: Collection[int] = (),
) -> Layout:
    """Return the layout of nodes and of edges (source, target, weight), source < target.

    Sizes are (width, height); `across` lets arrows go to the right, not down; `circles` are the
    numbers of the round nodes.
    """

    def turned(pair: tuple[int, int]) -> tuple[int, int]:
        """(width, height) as (along the arrows, across them), and back."""
        return pair if across else (pair[1], pair[0])

    ranks_of = _ranks(len(node_sizes), edges)
    nodes = [
        Item(rank, *turned(size), i in circles)
        for i, (rank, size) in enumerate(zip(ranks_of, node_sizes))
    ]
    chains = [
        _chain(nodes[source], nodes[target], turned(size), weight)
        for (source, target, weight), size in zip(edges, label_sizes)
    ]
    ranks = _ordered(nodes)
    place(ranks)
    begin, end = _depths(ranks)
    low = min((item.at - item.side / 2 for rank in ranks for item in rank), default=0)
    high = max((item.at + item.side / 2 for rank in ranks for item in rank), default=0)

    def point(along: float, side: float) -> Point:
        return turned((round(along), round(side + MARGIN - low)))

    def box(item: Item) -> Box:
        middle = (begin[item.rank] + end[item.rank]) // 2
        return Box(*point(middle, item.at), *turned((item.along, item.side)))

    outward = [_ports(item, item.after) for item in nodes]
    inward = [_ports(item, item.before) for item in nodes]
    lines = []
    for (source, target, _), chain in zip(edges, chains):
        first, last = nodes[source], nodes[target]
        starts, stops = outward[source][id(chain[0])], inward[target][id(chain[-1])]
        offset = starts.pop(0)
        middle = (begin[first.rank] + end[first.rank]) // 2
        points = [point(middle + _border(first, offset), first.at + offset)]
        points.append(point(end[first.rank], first.at + offset))
        for item in chain:
            points += [point(begin[item.rank], item.at), point(end[item.rank], item.at)]
        offset = stops.pop(0)
        middle = (begin[last.rank] + end[last.rank]) // 2
        points.append(point(begin[last.rank], last.at + offset))
        points.append(point(middle - _border(last, offset), last.at + offset))
        lines.append(points)
    labels = [box(chain[0]) if any(size) else None for chain, size in zip(chains, label_sizes)]
    length, breadth = (end[-1] if end else 0) + MARGIN, round(high - low) + 2 * MARGIN
    width, height = turned((length, breadth))
    return Layout(width, height, [box(item) for item in nodes], labels, lines)


def _ranks(count: int, edges: Sequence[tuple[int, int, int]]) -> list[int]:
    """Even ranks: one step after the last input; what has no input, right before its first use."""
    ranks = [0] * count
    for source, target, _ in sorted(edges):
        ranks[target] = max(ranks[target], ranks[source] + 2)
    targets = {target for _, target, _ in edges}
    for i in range(count):
        uses = [ranks[target] for source, target, _ in edges if source == i]
        if i not in targets and uses:
            ranks[i] = min(uses) - 2
    return ranks


def _chain(first: Item, last: Item, label: Size, weight: int) -> list[Item]:
    """The points of an edge on the ranks between its ends; the first of them bears its text."""
    chain = [Item(rank, 0, 0) for rank in range(first.rank + 1, last.rank)]
    chain[0].along, chain[0].side = label
    for a, b in zip([first, *chain], [*chain, last]):
        a.after.append((b, weight))
        b.before.append((a, weight))
    return chain


# ---- the order on each rank --------------------------------------------------------------------


def _ordered(nodes: list[Item]) -> list[list[Item]]:
    """Put the items of each rank in an order with few crossings."""
    ranks: list[list[Item]] = [[] for _ in range(max((n.rank for n in nodes), default=-1) + 1)]
    seen: set[int] = set()
    for node in nodes:
        waiting = [node]
        while waiting:  # depth first, so that branches lie side by side
            item = waiting.pop()
            if id(item) not in seen:
                seen.add(id(item))
                ranks[item.rank].append(item)
                waiting += [neighbour for neighbour, _ in reversed(item.after)]
    best, fewest = [list(rank) for rank in ranks], _crossings(ranks)
    for sweep in range(_SWEEPS):
        if not fewest:
            break
        down = sweep % 2 == 1
        for rank in ranks if down else reversed(ranks):
            place = {id(item): float(i) for other in ranks for i, item in enumerate(other)}

            def middle(item: Item, place: dict[int, float] = place, down: bool = down) -> float:
                around = [place[id(other)] for other, _ in (item.before if down else item.after)]
                return sum(around) / len(around) if around else place[id(item)]

            rank.sort(key=middle)
        found = _crossings(ranks)
        if found < fewest:
            best, fewest = [list(rank) for rank in ranks], found
    return best


def _crossings(ranks: list[list[Item]]) -> int:
    count = 0
    for upper, lower in zip(ranks, ranks[1:]):
        place = {id(item): i for i, item in enumerate(lower)}
        pairs = [(i, place[id(b)]) for i, a in enumerate(upper) for b, _ in a.after]
        count += sum((a - c) * (b - d) < 0 for n, (a, b) in enumerate(pairs) for c, d in pairs[:n])
    return count


def _depths(ranks: list[list[Item]]) -> tuple[list[int], list[int]]:
    """Where each rank begins and ends in the direction of the arrows."""
    begin, end, at = [], [], MARGIN
    for rank in ranks:
        begin.append(at)
        end.append(at + max(item.along for item in rank))
        at = end[-1] + RANK_GAP
    return begin, end


def _ports(node: Item, around: list[tuple[Item, int]]) -> dict[int, list[float]]:
    """Where on a node's side each edge ends, from the middle, by the edge's nearest point."""
    limit = (0.45 if node.round else 0.4) * node.side
    others = sorted((other for other, _ in around), key=lambda other: other.at)
    wanted = [min(max(other.at - node.at, -limit), limit) for other in others]
    gap = min(PORT_GAP if len(others) < 3 else 40, 2 * limit / max(1, len(others) - 1))
    weights = [1.0 if abs(at) == limit else 100.0 for at in wanted]
    places: dict[int, list[float]] = {}
    for i, (other, at) in enumerate(zip(others, spread(wanted, weights, gap))):
        low, high = i * gap - limit, limit - (len(others) - 1 - i) * gap
        places.setdefault(id(other), []).append(min(max(at, low), high))
    return places


def _border(node: Item, offset: float) -> float:
    """How far from its middle a node ends in the direction of the arrows."""
    if not node.round:
        return node.along / 2
    radius = min(node.along, node.side) / 2
    bend = max(0.0, abs(offset) - (node.side / 2 - radius))
    return node.along / 2 - radius + sqrt(radius**2 - min(bend, radius) ** 2)
