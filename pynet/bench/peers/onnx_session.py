"""onnxruntime: inference of the nets that are one chain of layers, and the kernels it has."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import onnxruntime
from onnx import TensorProto, helper, numpy_helper

from pynet.bench import nets
from pynet.bench.peers.base import Peer, Unsupported, Weights
from pynet.bench.rows import Kernel

OPSET = 20

# What stands for a kernel: the node, its attributes from the sizes, the inputs.
UNARY = {"relu": "Relu", "sigmoid": "Sigmoid", "tanh": "Tanh", "gelu": "Gelu"}


def kernel_node(op: str, s: dict[str, int]) -> tuple[str, dict[str, Any], list[str]]:
    """The node, its attributes from the sizes, the names of its inputs."""
    if op == "gemm":
        return "Gemm", {"transA": s["trans_a"], "transB": s["trans_b"]}, ["A", "B"]
    if op == "conv2d":
        names = ("stride", "dilation", "pad")
        strides, dilations, pads = ([s[name]] * n for name, n in zip(names, (2, 2, 4)))
        options = {"strides": strides, "dilations": dilations, "pads": pads, "group": s["groups"]}
        return "Conv", options, ["x", "W"]
    if op == "max_pool2d":
        return "MaxPool", {"kernel_shape": [s["F"]] * 2, "strides": [s["stride"]] * 2}, ["x"]
    if op in UNARY:
        return UNARY[op], {}, ["x"]
    raise Unsupported


class Onnx(Peer):
    """A session for each net or kernel."""

    def _session(self, nodes: Sequence[Any], shapes: dict[str, Any], rank: int, held: Any) -> Any:
        """A session of these nodes, from the inputs with these shapes to "y"."""
        info = helper.make_tensor_value_info
        x = [info(name, TensorProto.FLOAT, shape) for name, shape in shapes.items()]
        y = info("y", TensorProto.FLOAT, [None] * rank)
        model = helper.make_model(
            helper.make_graph(nodes, "net", x, [y], held),
            opset_imports=[helper.make_opsetid("", OPSET)],
            ir_version=9,
        )
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = self.threads
        return onnxruntime.InferenceSession(
            model.SerializeToString(), options, providers=["CPUExecutionProvider"]
        )

    def infer(self, net: nets.Net, weights: Weights) -> Callable[[Any], Any]:
        nodes, tensors, pairs = list[Any](), list[Any](), iter(weights)
        name, images = "x", len(net.shape) == 3
        layers = [layer for layer in net.layers if not isinstance(layer, nets.Dropout)]
        for i, layer in enumerate(layers):
            parameters: list[str] = []
            options: dict[str, Any] = {}
            if isinstance(layer, nets.Affine | nets.Conv):
                if images and isinstance(layer, nets.Affine):
                    nodes.append(helper.make_node("Flatten", [name], [f"f{i}"]))
                    name, images = f"f{i}", False
                for letter, array in zip("Wb", next(pairs)):
                    tensors.append(numpy_helper.from_array(array, f"{letter}{i}"))
                    parameters.append(f"{letter}{i}")
            if isinstance(layer, nets.Affine):
                kind = "Gemm"
            elif isinstance(layer, nets.Conv):
                kind, options = "Conv", {"pads": [layer.pad] * 4, "strides": [layer.stride] * 2}
            elif isinstance(layer, nets.Relu):
                kind = "Relu"
            elif isinstance(layer, nets.MaxPool):
                window = [layer.F] * 2
                kind, options = "MaxPool", {"kernel_shape": window, "strides": window}
            else:
                raise Unsupported
            out = "y" if i == len(layers) - 1 else f"y{i}"
            nodes.append(helper.make_node(kind, [name, *parameters], [out], **options))
            name = out
        session = self._session(nodes, {"x": [None, *net.shape]}, 2, tensors)
        return lambda batch: session.run(None, {"x": batch})[0]

    def kernel(self, kernel: Kernel, inputs: dict[str, Any]) -> Callable[[], Any]:
        kind, options, names = kernel_node(*kernel)
        given = {name: inputs[name] for name in names}
        shapes = {name: list(array.shape) for name, array in given.items()}
        node = helper.make_node(kind, names, ["y"], **options)
        rank = next(iter(given.values())).ndim
        session = self._session([node], shapes, rank, [])
        return lambda: session.run(None, given)[0]
