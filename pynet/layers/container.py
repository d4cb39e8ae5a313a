"""Layers made of layers. Where a value is used twice, backward adds; where joined, it splits."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from itertools import accumulate, pairwise

import numpy as np

from pynet import backend, ops
from pynet._types import Array, ArrayLike, DTypeLike, Shape
from pynet.layers.base import Description, Layer, Row
from pynet.layers.inputs import real_array


class Container(Layer):
    """A layer made of others: a subclass writes `children`, `forward` and `backward`.

    Inside a Sequential its parameters have `scope` and a number in front, the class name in small
    letters unless it says otherwise: `residual2.body.W1`.
    """

    def __init_subclass__(cls, **kwargs: object) -> None:
        super().__init_subclass__(**kwargs)
        cls.scope = cls.__dict__.get("scope", cls.__name__.lower())

    def _check(self, layers: Sequence[Layer]) -> None:
        """Refuse what is no layer, and a layer used twice: it keeps one forward pass only."""
        seen: set[int] = set()
        for layer in layers:
            if not isinstance(layer, Layer):
                raise TypeError(
                    f"[{type(self).__name__}] layers: expected Layer objects, "
                    f"got {type(layer).__name__}"
                )
            for _, _, inner in layer.walk():
                if id(inner) in seen:
                    raise ValueError(
                        f"[{type(self).__name__}] layers: expected different layer objects, "
                        f"got {inner!r} twice"
                    )
                seen.add(id(inner))

    @property
    def built(self) -> bool:
        return all(child.built for _, child in self.children())

    def trace(self, x_shape: Shape, path: str = "") -> list[Row]:
        return [
            row for name, child in self.children() for row in child.trace(x_shape, f"{path}{name}.")
        ]

    def build(self, x_shape: Shape, dtype: DTypeLike | None = None) -> None:
        for _, child in self.children():
            child.build(x_shape, dtype)

    def __repr__(self) -> str:
        lines = [
            f"  {name + ': ' if name else ''}{child!r}".replace("\n", "\n  ")
            for name, child in self.children()
        ]
        return "\n".join([f"{type(self).__name__}(", *lines, ")"])


class Sequential(Container):
    """Layers one after the other.

    Parameters are named as in the book: W1, b1, W2, b2, gamma1, beta1, ... in order; those inside
    a nested container have its name in front, such as `residual1.body.W1`.
    """

    scope = "block"

    def __init__(self, *layers: Layer) -> None:
        self._check(layers)
        self.layers = layers
        # In front of the first parameters no gradient is needed.
        self._first = next((i for i, layer in enumerate(layers) if layer.has_params), len(layers))

    def forward(self, x: ArrayLike, train_flg: bool = True) -> Array:
        out: Array = real_array("[Sequential.forward] x", x)
        for layer in self.layers:
            out = layer(out, train_flg)
        return out

    def backward(self, dout: ArrayLike, need_dx: bool = True) -> Array | None:
        dx = real_array("[Sequential.backward] dout", dout)
        first = 0 if need_dx else self._first
        for i in range(len(self.layers) - 1, first - 1, -1):
            dx = self.layers[i].backpropagate(dx, need_dx or i > first)
        return dx if need_dx else None

    def children(self) -> Sequence[tuple[str, Layer]]:
        numbers: Counter[str] = Counter()
        named: list[tuple[str, Layer]] = []
        for layer in self.layers:
            numbers[layer.scope] += 1
            name = f"{layer.scope}{numbers[layer.scope]}" if layer.scope else ""
            named.append((name, layer))
        return named

    def build(self, x_shape: Shape, dtype: DTypeLike | None = None) -> None:
        self.describe(x_shape)  # or raises, before a layer has made anything
        for layer in self.layers:
            layer.build(x_shape, dtype)
            x_shape = layer.describe(x_shape).out_shape

    def describe(self, x_shape: Shape) -> Description:
        params = macs = 0
        for layer in self.layers:
            x_shape, more_params, more_macs = layer.describe(x_shape)
            params, macs = params + more_params, macs + more_macs
        return Description(x_shape, params, macs)

    def trace(self, x_shape: Shape, path: str = "") -> list[Row]:
        rows: list[Row] = []
        for name, layer in self.children():
            rows += layer.trace(x_shape, f"{path}{name}." if name else path)
            x_shape = layer.describe(x_shape).out_shape
        return rows

    def __len__(self) -> int:
        return len(self.layers)

    def __getitem__(self, i: int) -> Layer:
        return self.layers[i]

    def __iter__(self) -> Iterator[Layer]:
        return iter(self.layers)


class Residual(Container):
    """y = body(x) + shortcut(x), or body(x) + x without a shortcut.

    Backward adds the two gradients. The shortcut brings x to the body's shape where that differs
    from x's, usually a 1x1 Convolution.

    Raises ValueError in forward when the two shapes differ.

    Source: He et al., "Deep Residual Learning for Image Recognition", 2016.
    """

    def __init__(self, body: Layer, shortcut: Layer | None = None) -> None:
        self._check([body] if shortcut is None else [body, shortcut])
        self.body = body
        self.shortcut = shortcut

    def children(self) -> Sequence[tuple[str, Layer]]:
        body = ("body", self.body)
        return (body,) if self.shortcut is None else (body, ("shortcut", self.shortcut))

    def forward(self, x: ArrayLike, train_flg: bool = True) -> Array:
        x = real_array("[Residual.forward] x", x)
        y = self.body(x, train_flg)
        short = x if self.shortcut is None else self.shortcut(x, train_flg)
        self._same("forward", y.shape, short.shape)
        return ops.add(y, short)

    def backward(self, dout: ArrayLike, need_dx: bool = True) -> Array | None:
        dx = self.body.backpropagate(dout, need_dx)
        if self.shortcut is None:
            if not need_dx:
                return None
            short = real_array("[Residual.backward] dout", dout)
            return ops.add(dx, short.astype(dx.dtype, copy=False))
        dx_short = self.shortcut.backpropagate(dout, need_dx)
        return ops.add(dx, dx_short) if need_dx else None

    def describe(self, x_shape: Shape) -> Description:
        body = self.body.describe(x_shape)
        short = self.shortcut.describe(x_shape) if self.shortcut else Description(x_shape)
        self._same("describe", body.out_shape, short.out_shape)
        return Description(body.out_shape, body.params + short.params, body.macs + short.macs)

    def _same(self, where: str, body: Shape, short: Shape) -> None:
        if body != short:
            raise ValueError(
                f"[Residual.{where}] body: expected the output shape of its shortcut {short}, "
                f"got {body}"
            )


class Concat(Container):
    """The outputs of all branches for the same x, one after the other along the channels.

    Backward gives each branch its channels of dout and adds their gradients.

    Raises ValueError in forward when the branches' outputs differ in more than the channels.

    Source: Szegedy et al., "Going Deeper with Convolutions", 2015.
    """

    def __init__(self, *branches: Layer) -> None:
        if not branches:
            raise ValueError("[Concat] branches: expected at least one, got none")
        self._check(branches)
        self.branches = branches
        self._bounds: list[int] | None = None  # where each branch's channels begin and end

    def children(self) -> Sequence[tuple[str, Layer]]:
        return [(f"branch{i}", branch) for i, branch in enumerate(self.branches, 1)]

    def forward(self, x: ArrayLike, train_flg: bool = True) -> Array:
        ys = [branch(x, train_flg) for branch in self.branches]
        shape = self._joined("forward", [y.shape for y in ys])
        out = backend.empty(shape, np.result_type(*(y.dtype for y in ys)), ys[0])
        self._bounds = bounds = list(accumulate((y.shape[1] for y in ys), initial=0))
        for y, (begin, end) in zip(ys, pairwise(bounds)):
            out[:, begin:end] = y
        return out

    def backward(self, dout: ArrayLike, need_dx: bool = True) -> Array | None:
        dout = real_array("[Concat.backward] dout", dout)
        bounds: list[int] = self._saved(self._bounds)
        if dout.shape[1:2] != (bounds[-1],):
            raise ValueError(
                f"[Concat.backward] dout: expected {bounds[-1]} channels, got shape {dout.shape}"
            )
        dx: Array | None = None
        for branch, (begin, end) in zip(self.branches, pairwise(bounds)):
            dx_branch = branch.backpropagate(dout[:, begin:end], need_dx)
            if need_dx:
                dx = dx_branch if dx is None else ops.add(dx, dx_branch)
        return dx

    def describe(self, x_shape: Shape) -> Description:
        each = [branch.describe(x_shape) for branch in self.branches]
        return Description(
            self._joined("describe", [d.out_shape for d in each]),
            sum(d.params for d in each),
            sum(d.macs for d in each),
        )

    def _joined(self, where: str, shapes: list[Shape]) -> Shape:
        first = shapes[0]
        for shape in shapes:
            if len(shape) < 2 or (shape[0], shape[2:]) != (first[0], first[2:]):
                raise ValueError(
                    f"[Concat.{where}] branches: expected outputs that differ in their channels "
                    f"only, got {', '.join(map(str, shapes))}"
                )
        return (first[0], sum(shape[1] for shape in shapes), *first[2:])
