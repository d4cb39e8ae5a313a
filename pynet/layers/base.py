"""What all layers share: parameters, gradients, state, and how a network finds them.

A layer of one's own is a class with `forward(x)` and `backward(dout)`:

    class Scale(Layer):
        param_names = ("gamma",)

        def __init__(self, gamma):
            self.gamma = gamma

        def forward(self, x):
            self.x = x
            return self.gamma * x

        def backward(self, dout):
            self.dgamma = (dout * self.x).sum(axis=0)
            return dout * self.gamma

`forward` may take a second argument `train_flg`, `backward` a second argument `need_dx`; who does
is handed them. Forward never writes into x, backward never into dout.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from types import MappingProxyType
from typing import Any, ClassVar, NamedTuple

import numpy as np

from pynet._types import Array, ArrayLike, DTypeLike, Shape

_NO_VIEWS: Mapping[str, Array] = MappingProxyType({})


class Parameter:
    """The attribute behind each name in `param_names`.

    A layer alone holds the very array it is given. Once a network has packed the layer, the
    attribute is a view of the network's buffer, and assigning copies into it.
    """

    def __init__(self, name: str) -> None:
        self.name = name

    def __get__(self, layer: Layer | None, owner: type | None = None) -> Any:
        if layer is None:
            return self
        try:
            return layer.__dict__[self.name]
        except KeyError:
            raise AttributeError(f"{type(layer).__name__} has no {self.name} yet") from None

    def __set__(self, layer: Layer, value: Any) -> None:
        if self.name not in layer._packed:
            layer.__dict__[self.name] = value
            return
        view = layer.__dict__[self.name]
        if value is view:
            return
        if np.shape(value) != view.shape:
            raise ValueError(
                f"[{type(layer).__name__}] {self.name}: expected shape {view.shape}, "
                f"got {np.shape(value)}"
            )
        view[...] = value


class Slot(NamedTuple):
    """A named place in a layer: a parameter, or a piece of state."""

    key: str
    layer: Layer
    name: str

    @property
    def value(self) -> Any:
        return getattr(self.layer, self.name)

    @property
    def grad(self) -> Any:
        """The gradient of a parameter, `layer.dW` for `W`."""
        return getattr(self.layer, "d" + self.name)


class Description(NamedTuple):
    """What a layer does to an input of a given shape."""

    out_shape: Shape
    params: int = 0
    macs: int = 0  # multiply-adds of a forward pass


class Row(NamedTuple):
    """One line of a network's summary."""

    path: str
    layer: Layer
    x_shape: Shape
    description: Description


class Layer:
    """A step of a network: `forward(x)` gives the output, `backward(dout)` gives dx.

    `param_names` names the attributes that are trained; backward leaves the gradient of `W` in
    `dW`. `state_names` names what else a checkpoint must hold.
    """

    param_names: ClassVar[tuple[str, ...]] = ()
    state_names: ClassVar[tuple[str, ...]] = ()
    scope: ClassVar[str] = ""  # in front of the keys of a layer made of layers
    takes_train_flg: ClassVar[bool] = False
    takes_need_dx: ClassVar[bool] = False

    _packed: frozenset[str] = frozenset()
    _grad_views: Mapping[str, Array] = _NO_VIEWS

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        for name in cls.__dict__.get("param_names", ()):
            setattr(cls, name, Parameter(name))
        cls.takes_train_flg = "train_flg" in argument_names(cls.forward)
        cls.takes_need_dx = "need_dx" in argument_names(cls.backward)

    def forward(self, x: ArrayLike) -> Any:
        raise NotImplementedError(f"{type(self).__name__} has no forward")

    def backward(self, dout: ArrayLike) -> Any:
        raise NotImplementedError(f"{type(self).__name__} has no backward")

    def __call__(self, x: ArrayLike, train_flg: bool = True) -> Any:
        """Run `forward`, handing on the flag where the layer takes it."""
        forward: Callable[..., Any] = self.forward
        return forward(x, train_flg) if self.takes_train_flg else forward(x)

    def backpropagate(self, dout: ArrayLike, need_dx: bool = True) -> Any:
        """Run `backward`; a layer that takes `need_dx` skips dx when it is False."""
        backward: Callable[..., Any] = self.backward
        return backward(dout, need_dx) if self.takes_need_dx else backward(dout)

    # ---- finding what a layer holds ------------------------------------------------------------

    def children(self) -> Sequence[tuple[str, Layer]]:
        """The layers this one is made of, each with its name in parameter keys."""
        return ()

    def walk(
        self, path: str = "", numbers: Counter[str] | None = None
    ) -> Iterator[tuple[str, int, Layer]]:
        """Yield every layer inside, itself first, with the path and the number of its keys.

        The k-th layer with a W has the keys Wk, bk, the k-th with a gamma gammak, betak, in the
        order of the forward pass. A child with a name counts anew, behind `name.`; a child
        without one continues its parent's count.
        """
        numbers = Counter() if numbers is None else numbers
        names = self.param_names + self.state_names
        if names:
            numbers[names[0]] += 1
        yield path, numbers[names[0]] if names else 0, self
        for name, child in self.children():
            if name:
                yield from child.walk(f"{path}{name}.")
            else:
                yield from child.walk(path, numbers)

    @property
    def has_params(self) -> bool:
        """Whether anything inside is trained."""
        return bool(self.param_names) or any(child.has_params for _, child in self.children())

    def named_parameters(self) -> Iterator[Slot]:
        """Yield the parameters inside, keyed as in the book: W1, b1, W2, ... gamma1, beta1.

        A bias that is None or a plain number is no parameter.

        Raises ValueError where a layer does not know its input size yet.
        """
        for path, number, layer in self.walk():
            if layer.param_names and not layer.built:
                raise ValueError(
                    f"[{type(layer).__name__}] {layer.param_names[0]}: expected the input size to "
                    "be known, got none: run forward(x) or build(x_shape) first"
                )
            for name in layer.param_names:
                if np.ndim(getattr(layer, name)) > 0:
                    yield Slot(f"{path}{name}{number}", layer, name)

    def named_state(self) -> Iterator[Slot]:
        """Yield the state inside (running statistics, dropout's counters); a value may be None."""
        for path, number, layer in self.walk():
            for name in layer.state_names:
                yield Slot(f"{path}{name}{number}", layer, name)

    # ---- sizes ---------------------------------------------------------------------------------

    @property
    def built(self) -> bool:
        """Whether the layer has its parameters; one made by `sized` gets them from its input."""
        return True

    def build(self, x_shape: Shape, dtype: DTypeLike | None = None) -> None:
        """Make the parameters that are still missing, for inputs of shape (N, ...).

        They are drawn from `np.random` and rounded to `dtype`, the layer's own where None.
        """

    def describe(self, x_shape: Shape) -> Description:
        """Say what comes out for an input of shape `x_shape`, and what it costs.

        A layer of one's own that changes the shape overrides this.
        """
        count = sum(int(np.size(getattr(self, name))) for name in self.param_names)
        return Description(x_shape, count)

    def trace(self, x_shape: Shape, path: str = "") -> list[Row]:
        """List the layers inside with their shapes and costs."""
        return [Row(path, self, x_shape, self.describe(x_shape))]

    def __repr__(self) -> str:
        return f"{type(self).__name__}()"

    # ---- packing -------------------------------------------------------------------------------

    def bind_param(self, name: str, view: Array) -> None:
        """Make `view` the parameter `name`; from now on assigning copies into it."""
        self.__dict__[name] = view
        self._packed = self._packed | {name}

    def bind_grads(self, views: Mapping[str, Array]) -> None:
        """Let the next `backward` write the gradient of parameter `name` into `views[name]`."""
        self._grad_views = views

    def _take_grad_views(self, dtype: Any) -> Mapping[str, Array]:
        """Where to write gradients of this dtype; for one backward, so that none is overwritten."""
        views = self.__dict__.pop("_grad_views", _NO_VIEWS)
        fits = all(view.dtype == dtype for view in views.values())
        return views if fits else _NO_VIEWS

    def _saved(self, value: Any) -> Any:
        """What forward left for backward; ValueError where there was no forward."""
        if value is None:
            raise ValueError(
                f"[{type(self).__name__}.backward] x: expected forward() before backward(), "
                "got no saved input"
            )
        return value


def argument_names(function: Any) -> tuple[str, ...]:
    """The names of a function's arguments, read off its code: `inspect` is slow to import."""
    while hasattr(function, "__wrapped__"):
        function = function.__wrapped__
    code = getattr(function, "__code__", None)
    return code.co_varnames[: code.co_argcount + code.co_kwonlyargcount] if code else ()
