"""JAX: whole steps as one compiled function; products and convolutions alone."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import jax
import jax.numpy as jnp
from jax import lax

from suite import nets
from suite.peers.base import Peer, Unsupported, Weights
from suite.rows import Kernel, Step


def forward(layers: tuple[Any, ...], pairs: Iterator[Any], x: Any, key: Any) -> Any:
    """The scores; key is None outside training."""
    for layer in layers:
        if isinstance(layer, nets.Affine):
            W, b = next(pairs)
            x = x.reshape(len(x), -1) @ W + b
        elif isinstance(layer, nets.Conv):
            W, b = next(pairs)
            pad = [(layer.pad, layer.pad)] * 2
            x = lax.conv_general_dilated(x, W, [layer.stride] * 2, pad)
            x = x if b is None else x + b[:, None, None]
        elif isinstance(layer, nets.BatchNorm):
            if key is None:
                raise Unsupported
            gamma, beta = next(pairs)
            axes, wide = ((0,), (-1,)) if x.ndim == 2 else ((0, 2, 3), (-1, 1, 1))
            mean, var = x.mean(axes, keepdims=True), x.var(axes, keepdims=True)
            x = (x - mean) * lax.rsqrt(var + 1e-6) * gamma.reshape(wide) + beta.reshape(wide)
        elif isinstance(layer, nets.MaxPool):
            window = (1, 1, layer.F, layer.F)
            x = lax.reduce_window(x, -jnp.inf, lax.max, window, window, "VALID")
        elif isinstance(layer, nets.Relu):
            x = jnp.maximum(x, 0)
        elif isinstance(layer, nets.GlobalPool):
            x = x.mean((2, 3))
        elif isinstance(layer, nets.Dropout):
            if key is not None:
                key, own = jax.random.split(key)
                keep = 1 - layer.ratio
                x = jnp.where(jax.random.bernoulli(own, keep, x.shape), x / keep, 0)
        else:
            body = forward(layer.body, pairs, x, key)
            x = body + forward(layer.shortcut, pairs, x, key)
    return x


def updated(work: Step, p: Any, g: Any, state: Any, iter_: Any) -> tuple[Any, Any]:
    if work.optimizer == "SGD":
        return p - work.lr * g, state
    v, h = state
    if work.optimizer == "Momentum":
        v = 0.9 * v - work.lr * g
        return p + v, (v, h)
    v, h = v + 0.1 * (g - v), h + 0.001 * (g * g - h)
    rate = work.lr * jnp.sqrt(1 - 0.999**iter_) / (1 - 0.9**iter_)
    return p - rate * v / (jnp.sqrt(h) + 1e-7), (v, h)


class Jax(Peer):
    def step(self, net: nets.Net, weights: Weights, work: Step) -> Callable[[Any, Any], float]:
        flat, tree = jax.tree.flatten([tuple(pair) for pair in weights])
        params = [jnp.asarray(a) for a in flat]
        state = [(jnp.zeros_like(p), jnp.zeros_like(p)) for p in params]
        iter_ = jnp.float32(0)

        def loss_of(params: Any, x: Any, t: Any, key: Any) -> Any:
            pairs = iter(jax.tree.unflatten(tree, params))
            scores = forward(net.layers, pairs, x, key)
            rows = jnp.take_along_axis(jax.nn.log_softmax(scores), t[:, None], 1)
            return -rows.mean()

        @jax.jit
        def train(params: Any, state: Any, iter_: Any, x: Any, t: Any) -> Any:
            key = jax.random.fold_in(jax.random.key(0), iter_.astype(jnp.int32))
            loss, grads = jax.value_and_grad(loss_of)(params, x, t, key)
            iter_ += 1
            new = [updated(work, *each, iter_) for each in zip(params, grads, state)]
            return [p for p, _ in new], [s for _, s in new], iter_, loss

        def step(x: Any, t: Any) -> float:
            nonlocal params, state, iter_
            params, state, iter_, loss = train(params, state, iter_, x, t)
            return float(loss)

        return step

    def infer(self, net: nets.Net, weights: Weights) -> Callable[[Any], Any]:
        params = [tuple(None if a is None else jnp.asarray(a) for a in pair) for pair in weights]
        run = jax.jit(lambda params, x: forward(net.layers, iter(params), x, None))
        return lambda x: jax.device_get(run(params, x))

    def kernel(self, kernel: Kernel, inputs: dict[str, Any]) -> Callable[[], Any]:
        op, s = kernel
        i = {name: jnp.asarray(a) for name, a in inputs.items()}
        function: Any
        if op == "gemm":
            ta, tb = s["trans_a"], s["trans_b"]
            function = jax.jit(lambda A, B: (A.T if ta else A) @ (B.T if tb else B))
            args = (i["A"], i["B"])
        elif op.startswith("conv2d"):

            def conv(x: Any, W: Any) -> Any:
                pad, dilation = [(s["pad"], s["pad"])] * 2, [s["dilation"]] * 2
                stride = [s["stride"]] * 2
                return lax.conv_general_dilated(
                    x, W, stride, pad, rhs_dilation=dilation, feature_group_count=s["groups"]
                )

            which = {"conv2d_dx": 0, "conv2d_dW": 1}.get(op)
            if which is None:
                function, args = jax.jit(conv), (i["x"], i["W"])
            else:
                function = jax.jit(lambda x, W, dout: jax.vjp(conv, x, W)[1](dout)[which])
                args = (i["x"], i["W"], i["dout"])
        else:
            raise Unsupported
        return lambda: function(*args).block_until_ready()
