"""A loss layer as a function."""

from __future__ import annotations

from typing import Any, Protocol

from pynet._types import ArrayLike
from pynet.layers.loss_layer import LossLayer


class LossFunction(Protocol):
    """f(x, t, *options, sample_weight=None, class_weight=None, **options) -> float."""

    def __call__(
        self,
        x: ArrayLike,
        t: ArrayLike,
        *options: float,
        sample_weight: ArrayLike | None = None,
        class_weight: ArrayLike | None = None,
        **named: float,
    ) -> float: ...


def function(layer: type[LossLayer]) -> LossFunction:
    """Return the loss of a layer as a function of x, t and the arguments of the layer.

    It raises what the layer raises.
    """

    def loss(
        x: ArrayLike,
        t: ArrayLike,
        *options: float,
        sample_weight: ArrayLike | None = None,
        class_weight: ArrayLike | None = None,
        **named: float,
    ) -> float:
        made: Any = layer(*options, class_weight=class_weight, **named)
        return float(made.forward(x, t, sample_weight=sample_weight))

    loss.__name__ = loss.__qualname__ = layer.op
    loss.__doc__ = f"Return the loss of the layer {layer.__name__}.\n\n    {layer.__doc__}"
    return loss
