"""pynet, and its reference in plain NumPy."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

import pynet
from pynet import backend, ops, optimizers
from pynet import layers as L
from pynet.bench import nets
from pynet.bench.peers.base import Model, Peer, Unsupported, Weights
from pynet.bench.rows import Kernel, Step, conv_sides
from pynet.networks import Network


def build(layers: tuple[Any, ...], weights: Iterator[tuple[Any, Any]]) -> list[Any]:
    """The layers of pynet."""
    made: list[Any] = []
    for layer in layers:
        if isinstance(layer, nets.Affine):
            made.append(L.Affine(*next(weights)))
        elif isinstance(layer, nets.Conv):
            made.append(L.Convolution(*next(weights), layer.stride, layer.pad))
        elif isinstance(layer, nets.BatchNorm):
            made.append(L.BatchNormalization(*next(weights)))
        elif isinstance(layer, nets.MaxPool):
            made.append(L.Pooling(layer.F, layer.F, layer.F))
        elif isinstance(layer, nets.Relu):
            made.append(L.Relu())
        elif isinstance(layer, nets.GlobalPool):
            made.append(L.GlobalAveragePooling())
        elif isinstance(layer, nets.Dropout):
            made.append(L.Dropout(layer.ratio, inverted=True))
        else:
            body = L.Sequential(*build(layer.body, weights))
            shortcut = L.Sequential(*build(layer.shortcut, weights)) if layer.shortcut else None
            made.append(L.Residual(body, shortcut))
    return made


class Core(Peer):
    """Steps as one recorded call, `pynet.capture`."""

    dtype: Any = np.float32
    captures = True

    def __init__(self, threads: int) -> None:
        super().__init__(threads)
        pynet.set_num_threads(threads)

    def _network(self, net: nets.Net, weights: Weights) -> Network:
        return Network(build(net.layers, iter(weights)), input_dim=net.shape, dtype=self.dtype)

    def model(self, net: nets.Net, weights: Weights, work: Step) -> Model:
        network = self._network(net, weights)
        optimizer = getattr(optimizers, work.optimizer)(lr=work.lr)

        def eager(x: Any, t: Any) -> float:
            optimizer.update(network.params, network.gradient(x, t))
            return float(network.last_loss or 0.0)

        def set_rate(rate: float) -> None:
            optimizer.lr = rate

        capture = getattr(pynet, "capture", None) if self.captures else None
        step = eager if capture is None else capture(network, optimizer)
        return Model(step, network.predict, set_rate)

    def infer(self, net: nets.Net, weights: Weights) -> Callable[[Any], Any]:
        return self._network(net, weights).predict

    def kernel(self, kernel: Kernel, inputs: dict[str, Any]) -> Callable[[], Any]:
        op, s = kernel
        x: Any = inputs.get("x")
        dout: Any = inputs.get("dout")
        if op == "gemm":
            A, B = inputs["A"], inputs["B"]
            trans_a, trans_b = bool(s["trans_a"]), bool(s["trans_b"])
            C = np.empty((s["M"], s["N"]), np.float32)
            return lambda: ops.gemm(A, B, None, trans_a, trans_b, 1.0, 0.0, False, C)
        if op.startswith("conv2d"):
            W, shapes = inputs["W"], conv_sides(s)
            conv: dict[str, Any] = {
                name: s[name] for name in ("stride", "pad", "dilation", "groups")
            }
            return {
                "conv2d": lambda: ops.conv2d(x, W, **conv),
                "conv2d_dx": lambda: ops.conv2d_dx(dout, W, shapes[0], **conv),
                "conv2d_dW": lambda: ops.conv2d_dW(dout, x, shapes[1], **conv),
            }[op]
        if op == "max_pool2d":
            return lambda: ops.max_pool2d(x, s["F"], stride=s["stride"])[0]
        if op == "max_pool2d_backward":
            _, arg = ops.max_pool2d(x, s["F"], stride=s["stride"])
            return lambda: ops.max_pool2d_backward(dout, arg, x.shape, s["F"], stride=s["stride"])
        if op == "avg_pool2d":
            return lambda: ops.avg_pool2d(x, s["F"], stride=s["stride"])
        if op == "avg_pool2d_backward":
            return lambda: ops.avg_pool2d_backward(dout, x.shape, s["F"], stride=s["stride"])
        if op == "global_avg_pool2d":
            return lambda: ops.global_avg_pool2d(x)
        if op == "global_avg_pool2d_backward":
            return lambda: ops.global_avg_pool2d_backward(dout, x.shape)
        if op == "softmax_cross_entropy":
            t = inputs["t"]
            forward, backward = ops.softmax_cross_entropy, ops.softmax_cross_entropy_backward
            return lambda: backward(forward(x, t)[1], t)
        if op in ("batch_norm", "batch_norm_relu"):
            gamma, beta = inputs["gamma"], inputs["beta"]
            means, vars_ = np.zeros_like(gamma), np.ones_like(gamma)
            relu = op == "batch_norm_relu"
            return lambda: ops.batch_norm(x, gamma, beta, means, vars_, relu=relu)[0]
        if op == "batch_norm_backward":
            gamma = inputs["gamma"]
            _, mean, std = ops.batch_norm(x, gamma, inputs["beta"], None, None)
            return lambda: ops.batch_norm_backward(dout, x, gamma, mean, std)[0]
        if op in ("relu", "sigmoid", "tanh"):
            function = getattr(ops, op)
            return lambda: function(x)
        if op == "gelu":
            return lambda: ops.activation(x, "gelu")
        if op == "relu_backward":
            y = ops.relu(x)
            return lambda: ops.relu_backward(dout, y)
        return self._update(op, x.copy(), dout)

    def _update(self, op: str, p: Any, g: Any) -> Callable[[], Any]:
        state: Any = [np.zeros_like(p) for _ in range(2)]
        iter_ = 0

        def update() -> Any:
            nonlocal iter_
            iter_ += 1
            if op == "sgd_update":
                ops.sgd_update(p, g, 0.01)
            elif op == "momentum_update":
                ops.momentum_update(p, g, state[0], 0.01, 0.9)
            else:
                m, v = state
                ops.adam_update(p, g, m, v, 0.001, 0.9, 0.999, iter_)
            return p

        return update


class Eager(Core):
    """`network.gradient` and `optimizer.update`, a call for each layer."""

    captures = False

    def infer(self, net: nets.Net, weights: Weights) -> Callable[[Any], Any]:
        raise Unsupported  # the same as above

    def kernel(self, kernel: Kernel, inputs: dict[str, Any]) -> Callable[[], Any]:
        raise Unsupported


class Reference(Core):
    """The same calls, computed by pynet.reference in NumPy, whole nets in float64."""

    dtype = np.float64
    captures = False

    def __init__(self, threads: int) -> None:
        super().__init__(threads)
        self._use = backend.use("reference")  # for as long as this object lives
        self._use.__enter__()

    def kernel(self, kernel: Kernel, inputs: dict[str, Any]) -> Callable[[], Any]:
        if kernel.op == "gemm":
            raise Unsupported  # the peer numpy
        return super().kernel(kernel, inputs)
