"""Dropout of values and of channels."""

from __future__ import annotations

import numpy as np

from pynet import devices, ops, rng
from pynet._types import Array, ArrayLike
from pynet.checks import real_number
from pynet.layers.inputs import real_array
from pynet.layers.places import factors, ones, spread
from pynet.layers.randomized import RandomizedLayer


class Dropout(RandomizedLayer):
    """In training y = x * mask, in test y = x * (1 - dropout_ratio), as in the book.

    Each mask element is 1 with probability 1 - dropout_ratio; `mask` is it as booleans. With
    `inverted` the division by 1 - dropout_ratio happens in training, and in test y = x.

    Where the mask comes from, and what `dropout_number` and `dropout_step` are: RandomizedLayer.

    Raises ValueError for a ratio outside [0, 1], and for 1 with `inverted`.

    Source: Srivastava et al., "Dropout: A Simple Way to Prevent Neural Networks from
    Overfitting", 2014.
    """

    def __init__(self, dropout_ratio: float = 0.5, inverted: bool = False) -> None:
        limit = "< 1" if inverted else "<= 1"
        most = np.nextafter(1.0, 0.0) if inverted else 1
        self.dropout_ratio = real_number(
            f"[{type(self).__name__}] dropout_ratio", dropout_ratio, 0, most, f"0 <= ratio {limit}"
        )
        self.inverted = bool(inverted)
        super().__init__()
        self._mask: Array | None = None
        self._scale: float | None = None  # by what backward multiplies

    def forward(self, x: ArrayLike, train_flg: bool = True) -> Array:
        kept = 1.0 - self.dropout_ratio
        if not train_flg:
            scale = 1.0 if self.inverted else kept
            y = ops.scale(x, scale)
            self._mask, self._scale = None, scale
            return y
        y, mask = self._drop(x)
        self._mask, self._scale = mask, 1.0 / kept if self.inverted else 1.0
        self.dropout_step += 1
        return y

    def _drop(self, x: ArrayLike) -> tuple[Array, Array]:
        return ops.dropout(
            x,
            self.dropout_ratio,
            seed=rng.current()[0],
            layer=self.dropout_number,
            step=self.dropout_step,
            inverted=self.inverted,
        )

    def backward(self, dout: ArrayLike) -> Array:
        scale: float = self._saved(self._scale)
        if self._mask is None:
            return ops.scale(dout, scale)
        return ops.dropout_backward(dout, self._mask, scale=scale)

    @property
    def mask(self) -> Array | None:
        """Which elements were kept by the last forward pass, in training."""
        return None if self._mask is None else devices.to_numpy(self._mask).view(bool)

    def __repr__(self) -> str:
        inverted = ", inverted=True" if self.inverted else ""
        return f"{type(self).__name__}({self.dropout_ratio}{inverted})"


class ChannelDropout(Dropout):
    """Dropout of whole channels: x (N, C, ...), the mask is the same in every pixel of a channel.

    Neighbouring pixels resemble each other, so that `Dropout` in front of a convolution takes
    little from it; a channel that is gone is gone. The ratio, `inverted` and the random numbers are
    as in `Dropout`.

    Source: Tompson et al., "Efficient Object Localization Using Convolutional Networks", 2015.
    """

    def _drop(self, x: ArrayLike) -> tuple[Array, Array]:
        x = real_array("[ChannelDropout.forward] x", x)
        if x.ndim < 2:
            raise ValueError(f"[ChannelDropout.forward] x: expected (N, C, ...), got {x.shape}")
        channels = ones(x.shape[:2], np.dtype(np.float32), x)
        self._ones = channels, *factors(channels, x.shape)
        _, mask = super()._drop(channels)
        mask = spread(mask.astype(np.float32), x.shape, self._ones[1:]).astype(np.uint8)
        scale = 1.0 / (1.0 - self.dropout_ratio) if self.inverted else 1.0
        return ops.dropout_backward(x, mask, scale=scale), mask
