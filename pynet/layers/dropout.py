"""The dropout layer."""

from __future__ import annotations

from pynet import ops, rng
from pynet._types import Array, ArrayLike
from pynet.layers.base import Layer


class Dropout(Layer):
    """In training y = x * mask, in test y = x * (1 - dropout_ratio), as in the book.

    Each mask element is 1 with probability 1 - dropout_ratio; `mask` is it as booleans. With
    `inverted` the division by 1 - dropout_ratio happens in training, and in test y = x.

    The mask depends on `pynet.seed(n)`, the layer's number and its count of training steps, and on
    nothing else: `np.random` is left alone. `dropout_number` is given in the order in which
    layers are made; `dropout_step` grows by 1 with each forward pass in training.

    Raises ValueError for a ratio outside [0, 1], and for 1 with `inverted`.

    Source: Srivastava et al., "Dropout: A Simple Way to Prevent Neural Networks from
    Overfitting", 2014.
    """

    state_names = ("dropout_number", "dropout_step")

    def __init__(self, dropout_ratio: float = 0.5, inverted: bool = False) -> None:
        if not 0 <= dropout_ratio <= 1 or (inverted and dropout_ratio == 1):
            limit = "< 1" if inverted else "<= 1"
            raise ValueError(
                f"[Dropout] dropout_ratio: expected 0 <= ratio {limit}, got {dropout_ratio}"
            )
        self.dropout_ratio = dropout_ratio
        self.inverted = inverted
        self.dropout_number = rng.next_number()
        self.dropout_step = 0
        self._mask: Array | None = None
        self._scale: float | None = None  # by what backward multiplies

    @property
    def dropout_step(self) -> int:
        """The number of the next training step since the seed was set."""
        return self._step if self._generation == rng.current()[1] else 0

    @dropout_step.setter
    def dropout_step(self, step: int) -> None:
        self._step, self._generation = step, rng.current()[1]

    def forward(self, x: ArrayLike, train_flg: bool = True) -> Array:
        kept = 1.0 - self.dropout_ratio
        if not train_flg:
            scale = 1.0 if self.inverted else kept
            y = ops.scale(x, scale)
            self._mask, self._scale = None, scale
            return y
        y, mask = ops.dropout(
            x,
            self.dropout_ratio,
            seed=rng.current()[0],
            layer=self.dropout_number,
            step=self.dropout_step,
            inverted=self.inverted,
        )
        self._mask, self._scale = mask, 1.0 / kept if self.inverted else 1.0
        self.dropout_step += 1
        return y

    def backward(self, dout: ArrayLike) -> Array:
        scale: float = self._saved(self._scale)
        if self._mask is None:
            return ops.scale(dout, scale)
        return ops.dropout_backward(dout, self._mask, scale=scale)

    @property
    def mask(self) -> Array | None:
        """Which elements were kept by the last forward pass, in training."""
        return None if self._mask is None else self._mask.view(bool)

    def __repr__(self) -> str:
        return f"Dropout({self.dropout_ratio}{', inverted=True' if self.inverted else ''})"
