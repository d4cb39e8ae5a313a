"""torch in the rows, with cuBLAS and cuDNN: eager, float32 without TF32."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from torch import nn

from gpucheck.driver import Events
from gpucheck.rows import Row
from gpucheck.timing import Clock, HostClock
from pynet.bench.nets import Net
from pynet.bench.peers import torch_eager
from pynet.bench.rows import Kernel, Step

aten = torch.ops.aten


class _InOneLayout(torch_eager.Eager):
    """The kernels of the CPU's peer, with what they read on the device."""

    def __init__(self, device: torch.device, channels_last: bool) -> None:
        self.device, self.channels_last = device, channels_last

    def _laid(self, a: Any) -> Any:
        return super()._laid(a.to(self.device))

    def kernel(self, kernel: Kernel, inputs: dict[str, Any]) -> Callable[[], Any]:
        with self.device:  # where it makes arrays of its own
            if kernel.op == "batch_norm_relu_backward":
                return self._batch_norm_relu_backward(inputs)
            return super().kernel(kernel, inputs)

    def _batch_norm_relu_backward(self, inputs: dict[str, Any]) -> Callable[[], Any]:
        i = {name: self._laid(torch.from_numpy(a)) for name, a in inputs.items()}
        x, gamma, state = i["x"], i["gamma"], (None, None)
        forward = aten.native_batch_norm(x, gamma, i["beta"], *state, True, 0.1, 1e-6)
        y, saved = forward[0].relu_(), forward[1:]

        def backward() -> Any:
            dy = aten.threshold_backward(i["dout"], y, 0)
            arguments = (dy, x, gamma, *state, *saved, True, 1e-6, [True, True, True])
            return aten.native_batch_norm_backward(*arguments)[0]

        return backward


class Torch:
    name = "torch"

    def __init__(self, device: str, events: bool) -> None:
        self.device = torch.device(device)
        torch.backends.cuda.matmul.allow_tf32 = False
        torch.backends.cudnn.allow_tf32 = False
        torch.backends.cudnn.benchmark = True  # the fastest of its algorithms,
        torch.backends.cudnn.benchmark_limit = 0  # of all, not of the ten it thinks best of
        self.clock: Clock = HostClock(self.wait)
        if events:
            self.clock = Events(torch.cuda.current_stream().cuda_stream)

    def wait(self) -> None:
        if self.device.type == "cuda":
            torch.cuda.synchronize()

    def replay(self, call: Callable[[], Any], count: int) -> Callable[[], Any]:
        """So many calls as one launch."""
        graph = torch.cuda.CUDAGraph()
        with torch.cuda.graph(graph):
            for _ in range(count):
                call()
        return graph.replay

    def release_memory(self) -> None:
        if self.device.type == "cuda":
            torch.cuda.empty_cache()

    @staticmethod
    def versions() -> dict[str, str]:
        cudnn = torch.backends.cudnn.version() if torch.cuda.is_available() else None
        return {"torch": torch.__version__, "cuda": str(torch.version.cuda), "cudnn": str(cudnn)}

    def numbers(self, result: Any) -> Any:
        return result.detach().float().cpu().numpy()

    def kernels(self, row: Row, inputs: dict[str, Any]) -> dict[str, Callable[[], Any]]:
        """All ways to call it; the fastest is the peer."""
        assert isinstance(row.work, Kernel)
        work = row.work
        if work.op == "copy":
            x = torch.from_numpy(inputs["x"]).to(self.device)
            y = torch.zeros_like(x)
            return {"torch": lambda: y.copy_(x)}
        if row.precision == "bfloat16":
            A, B = (torch.from_numpy(inputs[n]).to(self.device).bfloat16() for n in "AB")
            C = torch.empty(len(A), B.shape[1], dtype=torch.bfloat16, device=self.device)
            return {"torch": lambda: torch.mm(A, B, out=C)}
        found = {"torch": _InOneLayout(self.device, False).kernel(work, inputs)}
        if work.op.startswith(("conv2d", "batch_norm")):
            found["torch, channels_last"] = _InOneLayout(self.device, True).kernel(work, inputs)
        if work.op == "adam_update":
            fused = _InOneLayout(self.device, False)
            fused.fused = True
            found["torch, fused"] = fused.kernel(work, inputs)
        return found

    def put(self, a: Any) -> Any:
        return torch.from_numpy(np.ascontiguousarray(a)).to(self.device)

    def step(self, net: Net, weights: Any, work: Step) -> Callable[[Any, Any], Any]:
        """Eager: the loss as an array on the device."""
        model = torch_eager.build(net.layers, iter(weights), len(net.shape) == 3).to(self.device)
        rule = torch.optim.Adam if work.optimizer == "Adam" else torch.optim.SGD
        options = {"momentum": 0.9} if work.optimizer == "Momentum" else {}
        optimizer = rule(model.parameters(), lr=work.lr, **options)
        adapted = torch_eager._epsilons() if work.optimizer == "Adam" else iter(())

        def step(x: Any, t: Any) -> Any:
            optimizer.param_groups[0].update(next(adapted, {}))
            optimizer.zero_grad()
            loss = nn.functional.cross_entropy(model(x), t)
            loss.backward()
            optimizer.step()
            return loss.detach()

        return step
