"""pynet in the rows: on a GPU, on the executor of tests/cuda_host, or as the compiled core."""

from __future__ import annotations

from collections.abc import Callable
from itertools import count
from typing import Any

import numpy as np

import pynet
from gpucheck.driver import Events, Graph
from gpucheck.timing import Clock, HostClock
from pynet import ops, optimizers
from pynet.bench.nets import Net
from pynet.bench.peers.own import build
from pynet.bench.rows import Kernel, Step, conv_sides
from pynet.networks import Network

SETTLED_EACH = 100  # steps


class Own:
    """`module`: pynet._cuda or a stand-in that pynet computes with, or pynet._core."""

    def __init__(self, module: Any, events: bool) -> None:
        self.module = module
        self.on_device = hasattr(module, "to_device")
        self.clock: Clock = HostClock(self.wait)
        if events:
            self.stream = int(self.put(np.ones(1, np.float32)).__cuda_array_interface__["stream"])
            self.clock = Events(self.stream)

    def wait(self) -> None:
        if self.on_device:
            self.module.synchronize()

    def replay(self, call: Callable[[], Any], count: int) -> Callable[[], Any]:
        """So many calls as one launch: for what the GPU does faster than it is asked for."""
        return Graph(self.stream, call, count)

    def put(self, a: Any) -> Any:
        return self.module.to_device(a) if self.on_device else np.array(a)

    def set_precision(self, name: str) -> None:
        if self.on_device:
            self.module.set_precision(name)

    def release_memory(self) -> None:
        self.module.release_memory()

    # ---- kernels -------------------------------------------------------------------------------

    def kernel(self, work: Kernel, inputs: dict[str, Any]) -> Callable[[], Any]:
        op, s = work
        i = {name: self.put(a) for name, a in inputs.items()}
        if op == "copy":
            return self._copy(i["x"])
        if op == "gemm":
            flags = (bool(s["trans_a"]), bool(s["trans_b"]))
            C = self._unwritten((s["M"], s["N"]))
            return lambda: ops.gemm(i["A"], i["B"], None, *flags, 1.0, 0.0, False, C)
        if op in ("conv2d", "conv2d_dx", "conv2d_dW"):
            return self._convolution(op, s, i)
        if op == "softmax_cross_entropy":
            return self._cross_entropy(i["x"], i["t"])
        if op in ("batch_norm_relu", "batch_norm_relu_backward"):
            return self._batch_norm(op, i)
        assert op == "adam_update"
        m, v, steps = self._zeros(i["x"].shape), self._zeros(i["x"].shape), count(1)

        def update() -> Any:
            ops.adam_update(i["x"], i["dout"], m, v, 0.001, 0.9, 0.999, next(steps))
            return i["x"]

        return update

    def _zeros(self, shape: tuple[int, ...]) -> Any:
        return self.put(np.zeros(shape, np.float32))

    def _unwritten(self, shape: tuple[int, ...]) -> Any:
        """For a result: what nobody writes is seen."""
        return self.put(np.full(shape, np.nan, np.float32))

    def _copy(self, x: Any) -> Callable[[], Any]:
        y = self._unwritten(x.shape)

        def copy() -> Any:
            y[...] = x
            return y

        return copy

    def _convolution(self, op: str, s: dict[str, int], i: dict[str, Any]) -> Callable[[], Any]:
        way: dict[str, Any] = {name: s[name] for name in ("stride", "pad", "dilation", "groups")}
        of_x, of_W, of_y = conv_sides(s)
        x, W, dout = i["x"], i["W"], i["dout"]
        way["out"] = self._unwritten({"conv2d": of_y, "conv2d_dx": of_x, "conv2d_dW": of_W}[op])
        return {
            "conv2d": lambda: ops.conv2d(x, W, **way),
            "conv2d_dx": lambda: ops.conv2d_dx(dout, W, of_x, **way),
            "conv2d_dW": lambda: ops.conv2d_dW(dout, x, of_W, **way),
        }[op]

    def _batch_norm(self, op: str, i: dict[str, Any]) -> Callable[[], Any]:
        x, dout, gamma, beta = i["x"], i["dout"], i["gamma"], i["beta"]
        out = self._unwritten(x.shape)
        if op == "batch_norm_relu":
            running = self._zeros(gamma.shape), self._zeros(gamma.shape)
            return lambda: ops.batch_norm(x, gamma, beta, *running, relu=True, out=out)[0]
        y, mean, std = ops.batch_norm(x, gamma, beta, None, None, relu=True)
        return lambda: ops.batch_norm_backward(dout, x, gamma, mean, std, y=y, out=out)[0]

    def _cross_entropy(self, x: Any, t: Any) -> Callable[[], Any]:
        """Loss and gradient as a recorded step has them: nothing waits for the loss."""
        recording = self.module.Recording()
        recording.start()
        _, y = ops.softmax_cross_entropy(x, t)
        dx = ops.softmax_cross_entropy_backward(y, t)
        recording.set_boundary()
        recording.stop()
        recording.set_inputs(x, t, x.shape[1])
        recording.hold(dx)
        recording.optimize()

        def replay() -> Any:
            if not recording.play(0, recording.size()):
                raise RuntimeError("softmax_cross_entropy could not be replayed")
            return dx

        return replay

    # ---- nets ----------------------------------------------------------------------------------

    def network(self, net: Net, weights: Any) -> Network:
        made = Network(build(net.layers, iter(weights)), input_dim=net.shape, dtype=np.float32)
        return made.to("cuda") if self.on_device else made

    def step(self, net: Net, weights: Any, work: Step) -> Any:
        """The captured step: loss = step(x, t)."""
        optimizer = getattr(optimizers, work.optimizer)(lr=work.lr)
        return pynet.capture(self.network(net, weights), optimizer)


class Steps:
    """Steps with rows of data on the device, whose losses stay there: as the Trainer makes them."""

    def __init__(self, captured: Any, x: Any, t: Any) -> None:
        self.captured, self._x, self._t = captured, x, t
        self._waiting = 0

    def __call__(self, rows: Any, x: Any = None) -> None:
        """Make one with these rows, of `x` where other images are given."""
        x = self._x if x is None else x
        if not self.captured.run_later(x, self._t, rows):
            self.settle()
            self.captured.run_rows(x, self._t, rows)
            return
        self._waiting += 1
        if self._waiting == SETTLED_EACH:
            self.settle()

    def settle(self) -> None:
        """Wait for them; RuntimeError where one was stopped."""
        self._waiting = 0
        _, reason = self.captured.settle()
        if reason is not None:
            raise RuntimeError(f"a step was stopped: {reason or 'a loss that is not finite'}")
