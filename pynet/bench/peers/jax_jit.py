"""JAX: whole steps as one compiled function, and kernels."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
from jax import lax

from pynet.bench import nets
from pynet.bench.peers.base import Model, Peer, Unsupported, Weights
from pynet.bench.rows import Kernel, Step


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


def updated(work: Step, lr: Any, p: Any, g: Any, state: Any, iter_: Any) -> tuple[Any, Any]:
    """A parameter and its state after a step."""
    if work.optimizer == "SGD":
        return p - lr * g, state
    v, h = state
    if work.optimizer == "Momentum":
        v = 0.9 * v - lr * g
        return p + v, (v, h)
    v, h = v + 0.1 * (g - v), h + 0.001 * (g * g - h)
    rate = lr * jnp.sqrt(1 - 0.999**iter_) / (1 - 0.9**iter_)
    return p - rate * v / (jnp.sqrt(h) + 1e-7), (v, h)


class Jax(Peer):
    """Everything under `jax.jit`."""

    def model(self, net: nets.Net, weights: Weights, work: Step) -> Model:
        flat, tree = jax.tree.flatten([tuple(pair) for pair in weights])
        params = [jnp.asarray(a) for a in flat]
        state = [(jnp.zeros_like(p), jnp.zeros_like(p)) for p in params]
        iter_, lr = jnp.float32(0), jnp.float32(work.lr)

        def loss_of(params: Any, x: Any, t: Any, key: Any) -> Any:
            pairs = iter(jax.tree.unflatten(tree, params))
            scores = forward(net.layers, pairs, x, key)
            rows = jnp.take_along_axis(jax.nn.log_softmax(scores), t[:, None], 1)
            return -rows.mean()

        @jax.jit
        def train(params: Any, state: Any, iter_: Any, lr: Any, x: Any, t: Any) -> Any:
            key = jax.random.fold_in(jax.random.key(0), iter_.astype(jnp.int32))
            loss, grads = jax.value_and_grad(loss_of)(params, x, t, key)
            iter_ += 1
            new = [updated(work, lr, *each, iter_) for each in zip(params, grads, state)]
            return [p for p, _ in new], [s for _, s in new], iter_, loss

        def step(x: Any, t: Any) -> float:
            nonlocal params, state, iter_
            params, state, iter_, loss = train(params, state, iter_, lr, x, t)
            return float(loss)

        @jax.jit
        def scores(params: Any, x: Any) -> Any:
            return forward(net.layers, iter(jax.tree.unflatten(tree, params)), x, None)

        def set_rate(rate: float) -> None:
            nonlocal lr
            lr = jnp.float32(rate)

        return Model(step, lambda x: jax.device_get(scores(params, x)), set_rate)

    def infer(self, net: nets.Net, weights: Weights) -> Callable[[Any], Any]:
        params = [tuple(None if a is None else jnp.asarray(a) for a in pair) for pair in weights]
        run = jax.jit(lambda params, x: forward(net.layers, iter(params), x, None))
        return lambda x: jax.device_get(run(params, x))

    def kernel(self, kernel: Kernel, inputs: dict[str, Any]) -> Callable[[], Any]:
        i = {name: jnp.asarray(a) for name, a in inputs.items()}
        if kernel.op.endswith("_update"):
            return _update(kernel.op, i["x"], i["dout"])
        function, names = _kernel(*kernel)
        compiled, args = jax.jit(function), [i[name] for name in names]
        return lambda: compiled(*args).block_until_ready()


def _kernel(op: str, s: dict[str, int]) -> tuple[Callable[..., Any], tuple[str, ...]]:
    """The function of an op, and the names of its arguments."""

    def conv(x: Any, W: Any) -> Any:
        pad, dilation = [(s["pad"], s["pad"])] * 2, [s["dilation"]] * 2
        options = {"rhs_dilation": dilation, "feature_group_count": s["groups"]}
        return lax.conv_general_dilated(x, W, [s["stride"]] * 2, pad, **options)

    def pool(x: Any) -> Any:
        window, stride = (1, 1, s["F"], s["F"]), (1, 1, s["stride"], s["stride"])
        return lax.reduce_window(x, -jnp.inf, lax.max, window, stride, "VALID")

    def means(x: Any) -> Any:
        window, stride = (1, 1, s["F"], s["F"]), (1, 1, s["stride"], s["stride"])
        return lax.reduce_window(x, 0.0, lax.add, window, stride, "VALID") / s["F"] ** 2

    def plane_means(x: Any) -> Any:
        return x.mean((2, 3))

    def norm(x: Any, gamma: Any, beta: Any) -> Any:
        mean, var = x.mean((0, 2, 3), keepdims=True), x.var((0, 2, 3), keepdims=True)
        scaled = gamma[:, None, None] * lax.rsqrt(var + 1e-6)
        return (x - mean) * scaled + beta[:, None, None]

    def loss(x: Any, t: Any) -> Any:
        return -jnp.take_along_axis(jax.nn.log_softmax(x), t[:, None], 1).mean()

    if op == "gemm":
        ta, tb = s["trans_a"], s["trans_b"]
        return lambda A, B: (A.T if ta else A) @ (B.T if tb else B), ("A", "B")
    # backward: the forward function once more, where its gradient needs it
    return {
        "conv2d": (conv, ("x", "W")),
        "conv2d_dx": (lambda x, W, dout: jax.vjp(conv, x, W)[1](dout)[0], ("x", "W", "dout")),
        "conv2d_dW": (lambda x, W, dout: jax.vjp(conv, x, W)[1](dout)[1], ("x", "W", "dout")),
        "max_pool2d": (pool, ("x",)),
        "max_pool2d_backward": (lambda x, dout: jax.vjp(pool, x)[1](dout)[0], ("x", "dout")),
        "avg_pool2d": (means, ("x",)),
        "avg_pool2d_backward": (lambda x, dout: jax.vjp(means, x)[1](dout)[0], ("x", "dout")),
        "global_avg_pool2d": (plane_means, ("x",)),
        "global_avg_pool2d_backward": (
            lambda x, dout: jax.vjp(plane_means, x)[1](dout)[0],
            ("x", "dout"),
        ),
        "softmax_cross_entropy": (jax.grad(loss), ("x", "t")),
        "batch_norm": (norm, ("x", "gamma", "beta")),
        "batch_norm_relu": (
            lambda *args: jnp.maximum(norm(*args), 0),
            ("x", "gamma", "beta"),
        ),
        "batch_norm_backward": (
            lambda x, gamma, beta, dout: jax.vjp(norm, x, gamma, beta)[1](dout)[0],
            ("x", "gamma", "beta", "dout"),
        ),
        "relu": (lambda x: jnp.maximum(x, 0), ("x",)),
        "relu_backward": (lambda x, dout: jnp.where(x > 0, dout, 0), ("x", "dout")),
        "sigmoid": (jax.nn.sigmoid, ("x",)),
        "tanh": (jnp.tanh, ("x",)),
        "gelu": (lambda x: jax.nn.gelu(x, approximate=False), ("x",)),
    }[op]


def _update(op: str, p: Any, g: Any) -> Callable[[], Any]:
    """An update in place: what goes in is given away."""
    name = {"sgd": "SGD", "momentum": "Momentum", "adam": "Adam"}[op.removesuffix("_update")]
    work = Step("", 1, name, 0.001 if name == "Adam" else 0.01)
    state = (jnp.zeros_like(p), jnp.zeros_like(p))
    count = 0

    @partial(jax.jit, donate_argnums=(0, 1))
    def changed(p: Any, state: Any, g: Any, iter_: Any) -> Any:
        return updated(work, work.lr, p, g, state, iter_)

    def update() -> Any:
        nonlocal p, state, count
        count += 1
        p, state = changed(p, state, g, jnp.float32(count))
        return p.block_until_ready()

    return update
