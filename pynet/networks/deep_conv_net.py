"""The deep convolutional net of chapter 8, which reads MNIST at more than 99 %."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from pynet._types import DTypeLike, Shape
from pynet.initializers import normal, std, zeros
from pynet.layers import Affine, Convolution, Dropout, Layer, Pooling, Relu
from pynet.networks.conv_param import conv_sizes, image_sides
from pynet.networks.network import Network

_CONV16 = {"filter_num": 16, "filter_size": 3, "pad": 1, "stride": 1}
_CONV32 = {"filter_num": 32, "filter_size": 3, "pad": 1, "stride": 1}
_CONV32_PAD2 = {"filter_num": 32, "filter_size": 3, "pad": 2, "stride": 1}
_CONV64 = {"filter_num": 64, "filter_size": 3, "pad": 1, "stride": 1}


class DeepConvNet(Network):
    """Three times conv - ReLU - conv - ReLU - pool, then two Affine layers, each with dropout.

    For (1, 28, 28) the sides are 28, 28, 14, 14, 16, 8, 8, 8, 4. Initial W by He; `layers` is a
    list, with parameters at 0, 2, 5, 7, 10, 12, 15, 18. As in the book `loss` runs in training
    mode, and dropout follows the last Affine too.

    Args:
        input_dim: (C, H, W) of one image.
        conv_param_1 ... conv_param_6: 'filter_num', 'filter_size', 'pad' and 'stride' of each.
        hidden_size: outputs of the first Affine.
        output_size: number of classes.
    """

    train_flg_of_loss = True

    def __init__(
        self,
        input_dim: Shape = (1, 28, 28),
        conv_param_1: Mapping[str, int] = _CONV16,
        conv_param_2: Mapping[str, int] = _CONV16,
        conv_param_3: Mapping[str, int] = _CONV32,
        conv_param_4: Mapping[str, int] = _CONV32_PAD2,
        conv_param_5: Mapping[str, int] = _CONV64,
        conv_param_6: Mapping[str, int] = _CONV64,
        hidden_size: int = 50,
        output_size: int = 10,
        *,
        dtype: DTypeLike = np.float32,
    ) -> None:
        conv_params = (
            *(conv_param_1, conv_param_2, conv_param_3),
            *(conv_param_4, conv_param_5, conv_param_6),
        )
        layers: list[Layer] = []
        C, H, W = image_sides("[DeepConvNet]", input_dim)
        for i, conv in enumerate(conv_params, 1):
            FN, size, pad, stride = conv_sizes(f"[DeepConvNet] conv_param_{i}", conv)
            weights = normal((FN, C, size, size), std("he", C * size * size), dtype)
            layers.append(Convolution(weights, zeros((FN,), dtype), stride, pad))
            layers.append(Relu())
            C = FN
            H, W = ((n + 2 * pad - size) // stride + 1 for n in (H, W))
            if i % 2 == 0:
                layers.append(Pooling(pool_h=2, pool_w=2, stride=2))
                H, W = (n // 2 for n in (H, W))
            if min(H, W) < 1:
                raise ValueError(
                    f"[DeepConvNet] input_dim: expected images large enough for six convolutions "
                    f"and three pools, got {tuple(input_dim)}"
                )
        n_in = C * H * W
        layers.append(
            Affine(
                normal((n_in, hidden_size), std("he", n_in), dtype), zeros((hidden_size,), dtype)
            )
        )
        layers.append(Relu())
        layers.append(Dropout(0.5))
        layers.append(
            Affine(
                normal((hidden_size, output_size), std("he", hidden_size), dtype),
                zeros((output_size,), dtype),
            )
        )
        layers.append(Dropout(0.5))
        super().__init__(layers, input_dim=tuple(input_dim), dtype=dtype)
