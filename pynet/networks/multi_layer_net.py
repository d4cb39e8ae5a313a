"""The fully connected nets of chapter 6, of any depth."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Sequence

import numpy as np

from pynet import initializers
from pynet._types import DTypeLike
from pynet.layers import Affine, BatchNormalization, Dropout, Layer, Relu, Sigmoid, Slot
from pynet.networks.network import Network

_ACTIVATIONS = {"relu": Relu, "sigmoid": Sigmoid}


class MultiLayerNetExtend(Network):
    """Hidden layers of Affine - batch norm - activation - dropout, then Affine, softmax with loss.

    Batch norm and dropout are there when asked for. `loss(x, t)` runs in test mode unless told
    otherwise, `gradient` in training mode.

    Args:
        input_size, output_size: number of inputs and classes.
        hidden_size_list: the size of each hidden layer.
        activation: 'relu' or 'sigmoid'.
        weight_init_std: 'relu' or 'he': sqrt(2/n), 'sigmoid' or 'xavier': sqrt(1/n), n the size of
            the layer before; another name of `pynet.initializers`; or a number.
        weight_decay_lambda: strength of the L2 penalty on all W.
        use_dropout, dropout_ration: dropout after each activation (the book's spelling).
        use_batchnorm: batch normalisation in front of each activation.
    """

    def __init__(
        self,
        input_size: int,
        hidden_size_list: Sequence[int],
        output_size: int,
        activation: str = "relu",
        weight_init_std: str | float = "relu",
        weight_decay_lambda: float = 0,
        use_dropout: bool = False,
        dropout_ration: float = 0.5,
        use_batchnorm: bool = False,
        *,
        dtype: DTypeLike = np.float32,
    ) -> None:
        name = type(self).__name__
        if activation.lower() not in _ACTIVATIONS:
            raise ValueError(
                f"[{name}] activation: expected 'relu' or 'sigmoid', got {activation!r}"
            )
        self.input_size = input_size
        self.output_size = output_size
        self.hidden_size_list = list(hidden_size_list)
        self.hidden_layer_num = len(self.hidden_size_list)
        self.use_dropout = use_dropout
        self.use_batchnorm = use_batchnorm

        sizes = [input_size, *self.hidden_size_list, output_size]
        layers: OrderedDict[str, Layer] = OrderedDict()
        for i, (n_in, n_out) in enumerate(zip(sizes, sizes[1:]), 1):
            W = initializers.draw(weight_init_std, (n_in, n_out), dtype)
            layers[f"Affine{i}"] = Affine(W, initializers.zeros((n_out,), dtype))
            if i > self.hidden_layer_num:
                break
            if use_batchnorm:
                gamma = initializers.ones((n_out,), dtype)
                layers[f"BatchNorm{i}"] = BatchNormalization(gamma, np.zeros_like(gamma))
            layers[f"Activation_function{i}"] = _ACTIVATIONS[activation.lower()]()
            if use_dropout:
                layers[f"Dropout{i}"] = Dropout(dropout_ration)
        super().__init__(
            layers, input_dim=(input_size,), weight_decay_lambda=weight_decay_lambda, dtype=dtype
        )

    def _slots(self) -> list[Slot]:
        # As in the book, gamma and beta follow all W and b.
        return sorted(super()._slots(), key=lambda slot: slot.name in ("gamma", "beta"))


class MultiLayerNet(MultiLayerNetExtend):
    """Hidden layers of Affine - activation, then Affine, softmax with loss.

    The arguments are the first six of `MultiLayerNetExtend`.
    """

    def __init__(
        self,
        input_size: int,
        hidden_size_list: Sequence[int],
        output_size: int,
        activation: str = "relu",
        weight_init_std: str | float = "relu",
        weight_decay_lambda: float = 0,
        *,
        dtype: DTypeLike = np.float32,
    ) -> None:
        super().__init__(
            input_size,
            hidden_size_list,
            output_size,
            activation,
            weight_init_std,
            weight_decay_lambda,
            dtype=dtype,
        )
