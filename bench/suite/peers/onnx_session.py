"""onnxruntime: inference of the nets that are one chain of layers."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import onnxruntime
from onnx import TensorProto, helper, numpy_helper

from suite import nets
from suite.peers.base import Peer, Unsupported, Weights


class Onnx(Peer):
    def infer(self, net: nets.Net, weights: Weights) -> Callable[[Any], Any]:
        nodes, tensors, pairs = [], [], iter(weights)
        name, images = "x", len(net.shape) == 3
        for i, layer in enumerate(net.layers):
            parameters: list[str] = []
            if isinstance(layer, nets.Affine | nets.Conv):
                if images and isinstance(layer, nets.Affine):
                    nodes.append(helper.make_node("Flatten", [name], [f"f{i}"]))
                    name, images = f"f{i}", False
                for letter, array in zip("Wb", next(pairs)):
                    tensors.append(numpy_helper.from_array(array, f"{letter}{i}"))
                    parameters.append(f"{letter}{i}")
            if isinstance(layer, nets.Affine):
                kind, options = "Gemm", {}
            elif isinstance(layer, nets.Conv):
                kind, options = "Conv", {"pads": [layer.pad] * 4, "strides": [layer.stride] * 2}
            elif isinstance(layer, nets.Relu):
                kind, options = "Relu", {}
            elif isinstance(layer, nets.MaxPool):
                window = [layer.F] * 2
                kind, options = "MaxPool", {"kernel_shape": window, "strides": window}
            elif isinstance(layer, nets.Dropout):
                continue  # nothing happens there in inference
            else:
                raise Unsupported
            nodes.append(helper.make_node(kind, [name, *parameters], [f"y{i}"], **options))
            name = f"y{i}"
        info = helper.make_tensor_value_info
        x = info("x", TensorProto.FLOAT, [None, *net.shape])
        y = info(name, TensorProto.FLOAT, [None, None])
        opset = [helper.make_opsetid("", 17)]
        graph = helper.make_graph(nodes, "net", [x], [y], tensors)
        model = helper.make_model(graph, opset_imports=opset, ir_version=8)
        options_ = onnxruntime.SessionOptions()
        options_.intra_op_num_threads = self.threads
        session = onnxruntime.InferenceSession(
            model.SerializeToString(), options_, providers=["CPUExecutionProvider"]
        )
        return lambda batch: session.run(None, {"x": batch})[0]
