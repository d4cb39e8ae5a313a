"""The two-layer nets of chapters 4 and 5."""

from __future__ import annotations

from collections import OrderedDict

import numpy as np

from pynet import devices
from pynet._types import Array, ArrayLike, DTypeLike
from pynet.functions import cross_entropy_error
from pynet.initializers import normal, zeros
from pynet.layers import Affine, Layer, LossLayer, Relu, Sigmoid
from pynet.networks.network import Network
from pynet.ops import softmax


def _affines(
    input_size: int, hidden_size: int, output_size: int, std: float, dtype: DTypeLike
) -> tuple[Affine, Affine]:
    W1 = normal((input_size, hidden_size), std, dtype)
    W2 = normal((hidden_size, output_size), std, dtype)
    return Affine(W1, zeros((hidden_size,), dtype)), Affine(W2, zeros((output_size,), dtype))


class TwoLayerNet(Network):
    """Affine - ReLU - Affine - softmax with loss: chapter 5.

    `predict` returns scores; t is class numbers or one-hot. W = weight_init_std * randn, b = 0.
    The layers are `layers['Affine1']`, `['Relu1']`, `['Affine2']`, the loss `lastLayer`.
    """

    def __init__(
        self,
        input_size: int,
        hidden_size: int,
        output_size: int,
        weight_init_std: float = 0.01,
        *,
        dtype: DTypeLike = np.float32,
    ) -> None:
        first, second = _affines(input_size, hidden_size, output_size, weight_init_std, dtype)
        layers: OrderedDict[str, Layer] = OrderedDict(Affine1=first, Relu1=Relu(), Affine2=second)
        super().__init__(layers, input_dim=(input_size,), dtype=dtype)

    @property
    def lastLayer(self) -> LossLayer:
        return self.last_layer

    @lastLayer.setter
    def lastLayer(self, layer: LossLayer) -> None:
        self.last_layer = layer


class TwoLayerNetSigmoid(Network):
    """Affine - sigmoid - Affine - softmax: chapter 4, before layers are introduced.

    For a script of that chapter: `from pynet.networks import TwoLayerNetSigmoid as TwoLayerNet`.
    `predict` returns probabilities, and `loss` is the book's formula on them, with 1e-7 inside the
    logarithm. t is one-hot rows or class numbers.
    """

    def __init__(
        self,
        input_size: int,
        hidden_size: int,
        output_size: int,
        weight_init_std: float = 0.01,
        *,
        dtype: DTypeLike = np.float32,
    ) -> None:
        first, second = _affines(input_size, hidden_size, output_size, weight_init_std, dtype)
        super().__init__([first, Sigmoid(), second], input_dim=(input_size,), dtype=dtype)

    def predict(self, x: ArrayLike, train_flg: bool = False) -> Array:
        """Return the probabilities of a batch, (N, classes)."""
        return softmax(super().predict(x, train_flg))

    def loss(
        self,
        x: ArrayLike,
        t: ArrayLike,
        train_flg: bool | None = None,
        *,
        sample_weight: ArrayLike | None = None,
    ) -> float:
        """Return the mean of -log(y + 1e-7) at the labels; the book's formula knows no weights."""
        if sample_weight is not None:
            raise ValueError(
                "[TwoLayerNetSigmoid.loss] sample_weight: expected None, got weights: TwoLayerNet "
                "takes them"
            )
        scores = super().predict(x)
        self.last_layer.forward(scores, t)
        y = devices.to_numpy(self.last_layer.y)
        self.last_loss = float(cross_entropy_error(y, devices.to_numpy(t)))
        return self.last_loss
