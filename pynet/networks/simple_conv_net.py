"""The small convolutional net of chapter 7."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Mapping

import numpy as np

from pynet._types import DTypeLike, Shape
from pynet.initializers import normal, zeros
from pynet.layers import Affine, Convolution, Layer, Pooling, Relu
from pynet.networks.conv_param import conv_sizes, image_sides
from pynet.networks.network import Network

_CONV_PARAM = {"filter_num": 30, "filter_size": 5, "pad": 0, "stride": 1}


class SimpleConvNet(Network):
    """conv - ReLU - 2x2 max pool - Affine - ReLU - Affine - softmax with loss.

    Args:
        input_dim: (C, H, W) of one image.
        conv_param: 'filter_num', 'filter_size', 'pad' and 'stride' of the convolution.
        hidden_size: outputs of the first Affine.
        output_size: number of classes.
        weight_init_std: standard deviation of the initial W.
    """

    def __init__(
        self,
        input_dim: Shape = (1, 28, 28),
        conv_param: Mapping[str, int] = _CONV_PARAM,
        hidden_size: int = 100,
        output_size: int = 10,
        weight_init_std: float = 0.01,
        *,
        dtype: DTypeLike = np.float32,
    ) -> None:
        FN, size, pad, stride = conv_sizes("[SimpleConvNet] conv_param", conv_param)
        C, H, W = image_sides("[SimpleConvNet]", input_dim)
        OH, OW = ((n + 2 * pad - size) // stride + 1 for n in (H, W))
        if min(OH, OW) < 2:
            raise ValueError(
                f"[SimpleConvNet] input_dim: expected an output of the convolution of at least "
                f"2x2, got {OH}x{OW} from {tuple(input_dim)} with {dict(conv_param)}"
            )
        pool_output_size = FN * (OH // 2) * (OW // 2)

        W1 = normal((FN, C, size, size), weight_init_std, dtype)
        W2 = normal((pool_output_size, hidden_size), weight_init_std, dtype)
        W3 = normal((hidden_size, output_size), weight_init_std, dtype)
        layers: OrderedDict[str, Layer] = OrderedDict(
            Conv1=Convolution(W1, zeros((FN,), dtype), stride, pad),
            Relu1=Relu(),
            Pool1=Pooling(pool_h=2, pool_w=2, stride=2),
            Affine1=Affine(W2, zeros((hidden_size,), dtype)),
            Relu2=Relu(),
            Affine2=Affine(W3, zeros((output_size,), dtype)),
        )
        super().__init__(layers, input_dim=tuple(input_dim), dtype=dtype)
