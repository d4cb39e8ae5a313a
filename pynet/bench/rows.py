"""What is measured: training steps, inference, and kernels, with the work that each one takes."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import numpy as np

from pynet.bench.nets import NETS, flops

Arrays = dict[str, Any]
STEPS_COMPARED = 20  # before a step is timed, so many must give the peer's losses


class Step(NamedTuple):
    """A training step on a batch."""

    net: str
    batch: int
    optimizer: str  # SGD, Momentum or Adam
    lr: float


class Inference(NamedTuple):
    """The scores of a batch."""

    net: str
    batch: int


class Kernel(NamedTuple):
    """One op; what its sizes mean is in `OPS`."""

    op: str
    sizes: dict[str, int]


class Training(NamedTuple):
    """MNIST until the test accuracy is reached, in a process of its own, with import and all.

    Batches are drawn anew each epoch and shifted by up to a pixel, the rate decays by the epoch,
    and after each epoch the whole test set is evaluated.
    """

    step: Step
    accuracy: float
    epochs: int  # at most
    decay: float  # of the learning rate, each epoch
    shift: int  # pixels


class Memory(NamedTuple):
    """The peak of a process that trains on so many images, one epoch."""

    step: Step
    images: int


class Row(NamedTuple):
    """One line of the table."""

    name: str
    work: Step | Inference | Kernel | Training | Memory
    flops: float  # 0 for a whole run
    bytes: float | None  # inputs read and outputs written once; None for a whole net
    tolerance: float  # of losses or results, relative to the largest
    quick: bool = False


# ---- kernels: what they read and write, and how much there is to compute -------------------------


def _normal(*shapes: tuple[int, ...]) -> list[Any]:
    rng = np.random.default_rng(0)
    return [rng.standard_normal(shape, dtype=np.float32) for shape in shapes]


def conv_sides(s: dict[str, int]) -> tuple[tuple[int, ...], tuple[int, ...], tuple[int, ...]]:
    """The shapes of x, W and y."""
    OH = (s["H"] + 2 * s["pad"] - s["dilation"] * (s["F"] - 1) - 1) // s["stride"] + 1
    W = (s["FN"], s["C"] // s["groups"], s["F"], s["F"])
    return (s["N"], s["C"], s["H"], s["H"]), W, (s["N"], s["FN"], OH, OH)


def _gemm(s: dict[str, int]) -> Arrays:
    M, N, K = s["M"], s["N"], s["K"]
    A, B = _normal((K, M) if s["trans_a"] else (M, K), (N, K) if s["trans_b"] else (K, N))
    return {"A": A, "B": B}


def _conv(s: dict[str, int]) -> Arrays:
    x, W, y = conv_sides(s)
    return dict(zip(("x", "W", "dout"), _normal(x, W, y)))


def _pool(s: dict[str, int]) -> Arrays:
    OH = (s["H"] - s["F"]) // s["stride"] + 1
    x, dout = _normal((s["N"], s["C"], s["H"], s["H"]), (s["N"], s["C"], OH, OH))
    return {"x": x, "dout": dout}


def _whole_planes(s: dict[str, int]) -> Arrays:
    x, dout = _normal((s["N"], s["C"], s["H"], s["H"]), (s["N"], s["C"]))
    return {"x": x, "dout": dout}


def _labels(s: dict[str, int]) -> Arrays:
    (x,) = _normal((s["N"], s["D"]))
    return {"x": x, "t": np.random.default_rng(1).integers(0, s["D"], s["N"])}


def _norm(s: dict[str, int]) -> Arrays:
    shape = (s["N"], s["C"], s["H"], s["H"])
    x, dout, gamma, beta = _normal(shape, shape, (s["C"],), (s["C"],))
    return {"x": x, "dout": dout, "gamma": gamma, "beta": beta}


def _flat(s: dict[str, int]) -> Arrays:
    x, dout = _normal((s["n"],), (s["n"],))
    return {"x": x, "dout": dout}


class Op(NamedTuple):
    """What an op reads, and how much it computes and moves."""

    inputs: Callable[[dict[str, int]], Arrays]
    flops: Callable[[dict[str, int]], float]
    floats: Callable[[dict[str, int]], float]  # moved between memory and the processor at least


def _conv_flops(s: dict[str, int]) -> float:
    _, W, y = conv_sides(s)
    return 2.0 * np.prod(y) * np.prod(W[1:])


def _conv_floats(s: dict[str, int]) -> float:
    return float(sum(np.prod(shape) for shape in conv_sides(s)))


def _pool_out(s: dict[str, int]) -> float:
    return float(s["N"] * s["C"] * ((s["H"] - s["F"]) // s["stride"] + 1) ** 2)


def _image(s: dict[str, int]) -> float:
    return float(s["N"] * s["C"] * s["H"] ** 2)


_CONV = Op(_conv, _conv_flops, _conv_floats)


def _each(passes: float) -> Op:
    """An op over a flat array that moves this many floats for each element."""
    return Op(_flat, lambda s: float(s["n"]), lambda s: passes * s["n"])


OPS = {
    "gemm": Op(
        _gemm,
        lambda s: 2.0 * s["M"] * s["N"] * s["K"],
        lambda s: float(s["M"] * s["K"] + s["K"] * s["N"] + s["M"] * s["N"]),
    ),
    "conv2d": _CONV,
    "conv2d_dx": _CONV,
    "conv2d_dW": _CONV,
    "max_pool2d": Op(_pool, _image, lambda s: _image(s) + 2 * _pool_out(s)),
    "max_pool2d_backward": Op(_pool, _pool_out, lambda s: _image(s) + 2 * _pool_out(s)),
    "avg_pool2d": Op(_pool, _image, lambda s: _image(s) + _pool_out(s)),
    "avg_pool2d_backward": Op(_pool, _pool_out, lambda s: _image(s) + _pool_out(s)),
    "global_avg_pool2d": Op(_whole_planes, _image, _image),
    "global_avg_pool2d_backward": Op(_whole_planes, _image, _image),
    "softmax_cross_entropy": Op(  # and its gradient
        _labels, lambda s: 10.0 * s["N"] * s["D"], lambda s: 4.0 * s["N"] * s["D"]
    ),
    "batch_norm": Op(_norm, lambda s: 7 * _image(s), lambda s: 2 * _image(s)),
    "batch_norm_relu": Op(_norm, lambda s: 8 * _image(s), lambda s: 2 * _image(s)),
    "batch_norm_backward": Op(_norm, lambda s: 9 * _image(s), lambda s: 3 * _image(s)),
    "relu": _each(2),
    "relu_backward": _each(3),
    "sigmoid": _each(2),
    "tanh": _each(2),
    "gelu": _each(2),
    "sgd_update": _each(3),
    "momentum_update": _each(5),
    "adam_update": _each(7),
}


# ---- the table ----------------------------------------------------------------------------------


def _steps() -> Iterator[Row]:
    quick = {"two-layer-1", "two-layer-100", "simple-conv-100"}
    for net, batch, optimizer, lr, tolerance in (
        *(("two-layer", batch, "SGD", 0.01, 1e-5) for batch in (1, 10, 100, 1000)),
        ("mlp6", 100, "Adam", 0.001, 1e-3),
        ("simple-conv", 100, "Adam", 0.001, 1e-3),
        ("lenet5", 100, "Adam", 0.001, 1e-3),
        ("deep-conv", 100, "Adam", 0.001, 1e-3),
        ("resnet20", 128, "Momentum", 0.01, 5e-3),
    ):
        name = f"{net}-{batch}"
        work = Step(net, batch, optimizer, lr)
        yield Row(
            f"step/{name}", work, flops(NETS[net], batch, True), None, tolerance, name in quick
        )


def _inference() -> Iterator[Row]:
    for net in ("simple-conv", "deep-conv"):
        work = flops(NETS[net], 1, False)
        yield Row(f"infer/{net}-1", Inference(net, 1), work, None, 1e-4, net == "simple-conv")


def _kernel(name: str, op: str, sizes: dict[str, int], quick: bool = False) -> Row:
    found = OPS[op]
    tolerance = 1e-4 if "dW" in op or op == "gemm" else 2e-5
    floats = 4.0 * found.floats(sizes)
    return Row(f"{op}/{name}", Kernel(op, sizes), found.flops(sizes), floats, tolerance, quick)


def _gemms() -> Iterator[Row]:
    shapes = [(n, n, n, 0, 0) for n in (64, 128, 256, 512, 1024, 2048)]
    # Affine of the book's nets: forward, dW, dx
    layers = [(784, 50, batch) for batch in (1, 10, 100, 1000)]
    layers += [(50, 10, batch) for batch in (1, 10, 100, 1000)]
    for inputs, n, batch in (*layers, (100, 100, 100), (4320, 100, 1), (4320, 100, 100)):
        shapes += [(batch, n, inputs, 0, 0), (inputs, n, batch, 1, 0), (batch, inputs, n, 0, 1)]
    # convolutions as products: (FN, N*OH*OW, C*FH*FW)
    shapes += [(30, 57600, 25, 0, 0), (16, 78400, 9, 0, 0), (64, 6400, 288, 0, 0)]
    for M, N, K, trans_a, trans_b in shapes:
        name = f"{M}x{N}x{K}" + "-tA" * trans_a + "-tB" * trans_b
        sizes = {"M": M, "N": N, "K": K, "trans_a": trans_a, "trans_b": trans_b}
        yield _kernel(name, "gemm", sizes, name in ("512x512x512", "100x50x784"))


def _convolutions() -> Iterator[Row]:
    kinds: dict[str, tuple[int, ...]] = {  # N, C, H, FN, F, stride, pad, dilation, groups
        "simple-conv-5x5-c1": (100, 1, 28, 30, 5, 1, 0, 1, 1),
        "3x3-c16": (100, 16, 28, 16, 3, 1, 1, 1, 1),
        "3x3-c32": (100, 32, 14, 64, 3, 1, 1, 1, 1),
        "3x3-c64": (32, 64, 56, 64, 3, 1, 1, 1, 1),
        "3x3-c256": (32, 256, 14, 256, 3, 1, 1, 1, 1),
        "7x7-s2-c3": (16, 3, 224, 64, 7, 2, 3, 1, 1),
        "11x11-s4-c3": (16, 3, 224, 64, 11, 4, 2, 1, 1),
        "3x3-s2-c64": (32, 64, 56, 128, 3, 2, 1, 1, 1),
        "1x1-c256": (32, 256, 28, 128, 1, 1, 0, 1, 1),
        "3x3-groups4": (32, 64, 28, 64, 3, 1, 1, 1, 4),
        "3x3-depthwise": (32, 64, 28, 64, 3, 1, 1, 1, 64),
        "3x3-s2-depthwise": (32, 64, 56, 64, 3, 2, 1, 1, 64),
        "7x7-depthwise": (32, 64, 28, 64, 7, 1, 3, 1, 64),
        "3x3-dilation2": (32, 64, 28, 64, 3, 1, 2, 2, 1),
    }
    names = ("N", "C", "H", "FN", "F", "stride", "pad", "dilation", "groups")
    for kind, numbers in kinds.items():
        for op in ("conv2d", "conv2d_dx", "conv2d_dW"):
            yield _kernel(kind, op, dict(zip(names, numbers)), kind == "3x3-c32")


def _others() -> Iterator[Row]:
    for name, N, C, H, F in (("2x2", 100, 30, 24, 2), ("3x3-s2", 32, 64, 112, 3)):
        sizes = {"N": N, "C": C, "H": H, "F": F, "stride": 2}
        yield _kernel(name, "max_pool2d", sizes, F == 2)
        yield _kernel(name, "max_pool2d_backward", sizes)
        yield _kernel(name, "avg_pool2d", sizes)
        yield _kernel(name, "avg_pool2d_backward", sizes)
    for op in ("global_avg_pool2d", "global_avg_pool2d_backward"):
        yield _kernel("32x64x56x56", op, {"N": 32, "C": 64, "H": 56})
    for N, D in ((100, 10), (128, 1000), (4096, 1000)):
        yield _kernel(f"{N}x{D}", "softmax_cross_entropy", {"N": N, "D": D}, D == 10)
    for N, C, H in ((100, 100, 1), (32, 64, 56)):
        for op in ("batch_norm", "batch_norm_relu", "batch_norm_backward"):
            yield _kernel(f"{N}x{C}x{H}x{H}", op, {"N": N, "C": C, "H": H}, H == 56)
    for op in ("relu", "relu_backward", "sigmoid", "tanh", "gelu"):
        for n in (1 << 14, 1 << 24):  # in cache and out of it
            yield _kernel(str(n), op, {"n": n}, op == "relu")
    for op in ("sgd_update", "momentum_update", "adam_update"):
        for n in (1 << 14, 1 << 23):
            yield _kernel(str(n), op, {"n": n}, op == "adam_update" and n == 1 << 14)


def _runs() -> Iterator[Row]:
    """Whole processes: what they take is not a matter of samples in turn."""
    work = Training(Step("simple-conv", 100, "Momentum", 0.05), 0.99, 20, 0.8, 1)
    yield Row("mnist/simple-conv-99.0", work, 0.0, None, 0.0)
    memory = Memory(Step("deep-conv", 100, "Adam", 0.001), 1000)
    yield Row("memory/deep-conv-100", memory, 0.0, None, 0.0)


_PARTS = (_steps, _inference, _gemms, _convolutions, _others, _runs)
ROWS = {row.name: row for part in _PARTS for row in part()}
