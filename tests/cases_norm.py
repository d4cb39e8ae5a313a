"""Cases of the normalisations, and of images of another size."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import product
from typing import Any

import case_shapes as shapes
import numpy as np
from case_parts import Case, Draw, Source, normal, positive, text


def norm_cases() -> Iterator[Case]:
    for s in shapes.CHANNELS:
        C, m = s[1], int(np.prod(s)) // s[1]
        affine = (normal(C), normal(C))
        running = (normal(C), positive(C))
        modes: dict[str, dict[str, Any]] = {
            "train": {},
            "unbiased": {"unbiased": True, "momentum": 0.99},
            "eps": {"eps": 1e-3},
            "test": {"train": False},
            "relu": {"relu": True},
            "test, relu": {"train": False, "relu": True},
        }
        for name, kwargs in modes.items():
            yield Case("batch_norm", text(s, name), (normal(*s), *affine, *running), kwargs, m)
        yield Case("batch_norm", text(s, "no running"), (normal(*s), *affine, None, None), {}, m)
        far = normal(*s, offset=100.0)  # a mean that swamps the spread
        yield Case("batch_norm", text(s, "offset"), (far, *affine, *running), {}, m)
        for train in [True, False]:
            args = (normal(*s), normal(*s), normal(C), normal(C), positive(C))
            for kwargs in ({}, {"y": normal(*s)}):
                label = text(s, *kwargs, train=train)
                yield Case("batch_norm_backward", label, args, {"train": train, **kwargs}, m)


def group_norm_cases() -> Iterator[Case]:
    for s in [*shapes.CHANNELS, (2, 12, 3), (3, 8, 2, 2, 3)]:
        C, m = s[1], int(np.prod(s[1:]))
        affine = (normal(C), normal(C))
        for groups in sorted({1, C, *(g for g in (2, 3, 4) if C % g == 0)}):
            n = m // groups
            terms = (n, n, n)
            label = text(s, groups=groups)
            yield Case("group_norm", label, (normal(*s), *affine, groups), {}, terms)
            statistics = (normal(s[0], groups), positive(s[0], groups))
            args = (normal(*s), normal(*s), normal(C), *statistics, groups)
            sums = s[0] * m // C
            yield Case("group_norm_backward", label, args, {}, (n, sums, sums))
        yield Case("group_norm", text(s, "eps"), (normal(*s), *affine), {"eps": 1e-2}, m)
        if m > 4:  # a mean that swamps the spread
            far = normal(*s, offset=100.0)
            yield Case("group_norm", text(s, "offset"), (far, *affine), {}, m)


def local_response_norm_cases() -> Iterator[Case]:
    def saved(s: tuple[int, ...], k: float, **kwargs: Any) -> tuple[Source, ...]:
        """x and scale as forward leaves them, y another array: backward is linear in it."""

        def scale(d: Draw) -> np.ndarray:
            return (k + kwargs.get("alpha", 1e-4) * d.rng.uniform(0, 9, s)).astype(d.dtype)

        return normal(*s), normal(*s), scale

    for s in [*shapes.CHANNELS, (2, 7, 3)]:
        settings = [{}, {"n": 1, "alpha": 0.1}, {"n": 4, "alpha": 0.5, "beta": 0.3}]
        for kwargs in [*settings, {"n": 3, "alpha": 1.0, "beta": 1.25}]:
            terms = kwargs.get("n", 5)
            label = text(s, **kwargs)
            for k in (2.0, 0.5):
                forward = {**kwargs, "k": k} if k != 2 else kwargs
                yield Case(
                    "local_response_norm", text(label, k=k), (normal(*s, scale=3),), forward, terms
                )
            args = (normal(*s), *saved(s, 2.0, **kwargs))
            yield Case("local_response_norm_backward", label, args, kwargs, terms)


def taps(new: int, old: int, count: int) -> tuple[Source, Source]:
    """Indices and weights along one axis: any pixels, the one outside among them."""
    return (
        lambda d: d.rng.integers(0, old + 1, (new, count)).astype(np.int32),
        normal(new, count),
    )


def copy_cases() -> Iterator[Case]:
    """New images of old pixels as they are, in every way along both axes."""
    for H, W in zip(shapes.COPY_SIZES, shapes.COPY_SIZES[3:] + shapes.COPY_SIZES):
        for columns, rows in zip(shapes.copies(W).items(), [*shapes.copies(H).items()][::-1]):
            yield from copy_case((2, 2, H, W), rows, columns)
    several_tiles = [("padded", shapes.copies(n)["padded"]) for n in (32, 33)]
    yield from copy_case((3, 40, 32, 33), *several_tiles)


def copy_case(
    x: tuple[int, ...], rows: tuple[str, list[int]], columns: tuple[str, list[int]]
) -> Iterator[Case]:
    def axis(indices: list[int]) -> tuple[np.ndarray, np.ndarray]:
        return np.array(indices, np.int32)[:, None], np.ones((len(indices), 1), np.float32)

    axes = (*axis(rows[1]), *axis(columns[1]))
    y = (*x[:2], len(rows[1]), len(columns[1]))
    label = text(x, f"rows {rows[0]}, columns {columns[0]}")
    terms = max(map(rows[1].count, rows[1])) * max(map(columns[1].count, columns[1]))
    yield Case("resample2d", label, (normal(*x), *axes), {"fill": 0.5})
    yield Case("resample2d_backward", label, (normal(*y), *axes, x), {}, terms)


def resample_cases() -> Iterator[Case]:
    sizes = [(1, 1), (3, 5), (7, 8), (9, 17), (16, 33), (31, 4), (1, 40)]
    for (H, W), (OH, OW) in product(sizes, sizes[:6]):
        P, Q = 1 + (H + OW) % 3, 1 + (W + OH) % 4
        axes = (*taps(OH, H, P), *taps(OW, W, Q))
        label = text((2, 3, H, W), (OH, OW), P=P, Q=Q)
        terms = P * Q
        yield Case("resample2d", label, (normal(2, 3, H, W), *axes), {}, terms)
        if P == 1:
            args = (normal(2, 3, H, W), *axes)
            yield Case("resample2d", text(label, "fill"), args, {"fill": -1.0}, terms)
        back = (normal(2, 3, OH, OW), *axes, (2, 3, H, W))
        yield Case("resample2d_backward", label, back, {}, OH * P * OW * Q)
    yield from copy_cases()
    axes = (*taps(64, 32, 2), *taps(48, 33, 2))  # several tiles
    yield Case("resample2d", "several tiles", (normal(3, 40, 32, 33), *axes), {}, 4)
    back = (normal(3, 40, 64, 48), *axes, (3, 40, 32, 33))
    yield Case("resample2d_backward", "several tiles", back, {}, 64 * 48 * 4)
