"""The networks of the book, and `Network`, which makes one of any layers."""

from pynet.networks.deep_conv_net import DeepConvNet
from pynet.networks.multi_layer_net import MultiLayerNet, MultiLayerNetExtend
from pynet.networks.network import Network
from pynet.networks.simple_conv_net import SimpleConvNet
from pynet.networks.summary import Summary
from pynet.networks.two_layer_net import TwoLayerNet, TwoLayerNetSigmoid

__all__ = [
    "DeepConvNet",
    "MultiLayerNet",
    "MultiLayerNetExtend",
    "Network",
    "SimpleConvNet",
    "Summary",
    "TwoLayerNet",
    "TwoLayerNetSigmoid",
]
