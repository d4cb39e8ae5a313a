"""torch: as it comes, with channels_last and fused optimizers, and compiled."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import torch
from torch import nn

from pynet.bench import nets
from pynet.bench.peers.base import Model, Peer, Unsupported, Weights
from pynet.bench.rows import STEPS_COMPARED, Kernel, Step

aten = torch.ops.aten


class Residual(nn.Module):
    """body(x) + shortcut(x)."""

    def __init__(self, body: nn.Module, shortcut: nn.Module) -> None:
        super().__init__()
        self.body, self.shortcut = body, shortcut

    def forward(self, x: Any) -> Any:
        return self.body(x) + self.shortcut(x)


def filled(module: Any, W: Any, b: Any) -> Any:
    """The module with these parameters."""
    with torch.no_grad():
        module.weight.copy_(torch.from_numpy(W))
        if b is not None:
            module.bias.copy_(torch.from_numpy(b))
    return module


def build(layers: tuple[Any, ...], weights: Iterator[tuple[Any, Any]], images: bool) -> Any:
    """The layers of torch.nn."""
    made: list[Any] = []
    for layer in layers:
        if isinstance(layer, nets.Affine):
            W, b = next(weights)
            made += [nn.Flatten()] if images else []
            images = False
            made.append(filled(nn.Linear(*W.shape), W.T.copy(), b))
        elif isinstance(layer, nets.Conv):
            W, b = next(weights)
            sizes = (W.shape[1], layer.FN, layer.F, layer.stride, layer.pad)
            made.append(filled(nn.Conv2d(*sizes, bias=b is not None), W, b))
        elif isinstance(layer, nets.BatchNorm):
            kind = nn.BatchNorm2d if images else nn.BatchNorm1d
            gamma, beta = next(weights)
            made.append(filled(kind(len(gamma), eps=1e-6), gamma, beta))
        elif isinstance(layer, nets.MaxPool):
            made.append(nn.MaxPool2d(layer.F))
        elif isinstance(layer, nets.Relu):
            made.append(nn.ReLU())
        elif isinstance(layer, nets.GlobalPool):
            made.append(nn.AdaptiveAvgPool2d(1))
        elif isinstance(layer, nets.Dropout):
            made.append(nn.Dropout(layer.ratio))
        else:
            body = build(layer.body, weights, images)
            shortcut = build(layer.shortcut, weights, images)
            made.append(Residual(body, shortcut if layer.shortcut else nn.Identity()))
    return nn.Sequential(*made)


class Eager(Peer):
    """torch as it comes: NCHW, one call after the other."""

    channels_last = False
    fused = False

    def __init__(self, threads: int) -> None:
        super().__init__(threads)
        torch.set_num_threads(threads)

    def _laid(self, a: Any) -> Any:
        if self.channels_last and a.ndim == 4:
            return a.to(memory_format=torch.channels_last)
        return a

    def _model(self, net: nets.Net, weights: Weights) -> Any:
        model = build(net.layers, iter(weights), len(net.shape) == 3)
        return model.to(memory_format=torch.channels_last) if self.channels_last else model

    def model(self, net: nets.Net, weights: Weights, work: Step) -> Model:
        model = self._model(net, weights)
        rule = torch.optim.Adam if work.optimizer == "Adam" else torch.optim.SGD
        options = {"momentum": 0.9} if work.optimizer == "Momentum" else {}
        if self.fused:
            options["fused"] = True
        optimizer = rule(model.parameters(), lr=work.lr, **options)
        adapted = _epsilons() if work.optimizer == "Adam" else iter(())

        def step(x: Any, t: Any) -> float:
            optimizer.param_groups[0].update(next(adapted, {}))
            optimizer.zero_grad()
            scores = model(self._laid(torch.from_numpy(x)))
            loss = nn.functional.cross_entropy(scores, torch.from_numpy(t))
            loss.backward()
            optimizer.step()
            return loss.item()

        def predict(x: Any) -> Any:
            model.eval()
            with torch.inference_mode():
                scores = model(self._laid(torch.from_numpy(x))).numpy()
            model.train()
            return scores

        return Model(step, predict, lambda rate: optimizer.param_groups[0].update(lr=rate))

    def infer(self, net: nets.Net, weights: Weights) -> Callable[[Any], Any]:
        model = self._model(net, weights).eval()

        def infer(x: Any) -> Any:
            with torch.inference_mode():
                return model(self._laid(torch.from_numpy(x))).numpy()

        return infer

    def kernel(self, kernel: Kernel, inputs: dict[str, Any]) -> Callable[[], Any]:
        op, s = kernel
        i = {name: self._laid(torch.from_numpy(a)) for name, a in inputs.items()}
        x, dout = i.get("x"), i.get("dout")
        laid_out = op.startswith(("conv", "max_pool", "avg_pool", "global_avg", "batch_norm"))
        if self.channels_last and not laid_out and not op.endswith("update"):
            raise Unsupported  # the same as eager
        if op == "gemm":
            A, B = i["A"].T if s["trans_a"] else i["A"], i["B"].T if s["trans_b"] else i["B"]
            C = torch.empty(s["M"], s["N"])
            return lambda: torch.mm(A, B, out=C)
        if op == "conv2d":
            options = (s["stride"], s["pad"], s["dilation"], s["groups"])
            return lambda: nn.functional.conv2d(x, i["W"], None, *options)
        if op.startswith("conv2d_"):
            of_x = op == "conv2d_dx"
            pairs = [[s[name]] * 2 for name in ("stride", "pad", "dilation")]
            args = (dout, x, i["W"], None, *pairs, False, [0, 0], s["groups"])
            return lambda: aten.convolution_backward(*args, [of_x, not of_x, False])[not of_x]
        if op.startswith("max_pool2d"):
            window = ([s["F"]] * 2, [s["stride"]] * 2, [0, 0], [1, 1], False)
            if op == "max_pool2d":
                return lambda: aten.max_pool2d_with_indices(x, *window)[0]
            _, arg = aten.max_pool2d_with_indices(x, *window)
            return lambda: aten.max_pool2d_with_indices_backward(dout, x, *window, arg)
        if op.startswith("avg_pool2d"):
            means = ([s["F"]] * 2, [s["stride"]] * 2, [0, 0], False, True, None)
            if op == "avg_pool2d":
                return lambda: aten.avg_pool2d(x, *means)
            return lambda: aten.avg_pool2d_backward(dout, x, *means)
        if op == "global_avg_pool2d":
            return lambda: i["x"].mean((2, 3))
        if op == "global_avg_pool2d_backward":
            return lambda: i["dout"][:, :, None, None].expand_as(x) / s["H"] ** 2
        if op == "softmax_cross_entropy":
            return lambda: _cross_entropy_gradient(x, i["t"])
        if op.startswith("batch_norm"):
            gamma, beta = i["gamma"], i["beta"]
            state = (torch.zeros_like(gamma), torch.ones_like(gamma))
            if op != "batch_norm_backward":
                forward = partial(aten.native_batch_norm, x, gamma, beta, *state, True, 0.1, 1e-6)
                relu = op == "batch_norm_relu"
                return lambda: forward()[0].relu_() if relu else forward()[0]
            _, mean, invstd = aten.native_batch_norm(x, gamma, beta, *state, True, 0.1, 1e-6)
            args = (dout, x, gamma, *state, mean, invstd, True, 1e-6, [True, True, True])
            return lambda: aten.native_batch_norm_backward(*args)[0]
        if op in ("relu", "sigmoid", "tanh"):
            function = getattr(torch, op)
            return lambda: function(x)
        if op == "gelu":
            return lambda: nn.functional.gelu(x)
        if op == "relu_backward":
            y = torch.relu(x)
            return lambda: aten.threshold_backward(dout, y, 0)
        return self._update(op, x, dout)

    def _update(self, op: str, p: Any, g: Any) -> Callable[[], Any]:
        p = nn.Parameter(p.clone())
        p.grad = g
        fused = {"fused": True} if self.fused else {}
        optimizer: Any
        if op == "adam_update":
            optimizer = torch.optim.Adam([p], lr=0.001, eps=1e-6, **fused)
        else:
            momentum = 0.9 if op == "momentum_update" else 0.0
            optimizer = torch.optim.SGD([p], lr=0.01, momentum=momentum, **fused)

        def update() -> Any:
            optimizer.step()
            return p.detach()

        return update


def _epsilons() -> Iterator[dict[str, float]]:
    """Adam's eps for each of the steps that are compared.

    pynet's 1e-7 stands beside the root of the running mean as it is, torch's after its correction.
    """
    for t in range(1, STEPS_COMPARED + 1):
        yield {"eps": 1e-7 / (1 - 0.999**t) ** 0.5}


def _cross_entropy_gradient(x: Any, t: Any) -> Any:
    y = aten._log_softmax(x, 1, False)
    loss, total = aten.nll_loss_forward(y, t, None, 1, -100)
    dy = aten.nll_loss_backward(torch.ones_like(loss), y, t, None, 1, -100, total)
    return aten._log_softmax_backward_data(dy, y, 1, torch.float32)


class Tuned(Eager):
    """What torch's own guide to tuning recommends on a CPU."""

    channels_last = True
    fused = True


class Compiled(Eager):
    """The model compiled; kernels alone are left to eager mode."""

    def _model(self, net: nets.Net, weights: Weights) -> Any:
        # Else it takes the next net for another shape of the last, and gives up after eight.
        torch.compiler.reset()
        return torch.compile(super()._model(net, weights), dynamic=False)

    def kernel(self, kernel: Kernel, inputs: dict[str, Any]) -> Callable[[], Any]:
        raise Unsupported
