"""What is measured on a GPU: products, convolutions, passes over memory, steps, MNIST."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from pynet.bench.rows import OPS, ROWS, Kernel, Step, Training

SQUARES = (512, 1024, 2048, 4096, 8192)
CONV_OPS = ("conv2d", "conv2d_dx", "conv2d_dW")
FIRST = ("simple-conv-5x5-c1", "7x7-s2-c3", "11x11-s4-c3")
# Floats that a kernel moves at least where a tensor does not stay in the cache: the logits once and
# their gradient; x for the statistics and again for y; dout and x twice, y and dx; seven arrays.
FLOATS_EACH = {
    "softmax_cross_entropy": 2,
    "batch_norm_relu": 3,
    "batch_norm_relu_backward": 6,
    "adam_update": 7,
    "copy": 2,
}


class Row(NamedTuple):
    name: str
    work: Kernel | Step | Training
    tolerance: float  # of what a peer computes, relative to the largest number
    precision: str = "float32"  # of pynet.set_precision

    @property
    def flops(self) -> float:
        if isinstance(self.work, Kernel) and self.work.op.startswith(("gemm", "conv2d")):
            return OPS[self.work.op].flops(self.work.sizes)
        return 0.0

    @property
    def bytes(self) -> float:
        """0 for what is not bound by memory."""
        if not isinstance(self.work, Kernel) or self.work.op not in FLOATS_EACH:
            return 0.0
        elements = 1.0
        for name, size in self.work.sizes.items():
            elements *= size**2 if name == "H" else size
        return 4.0 * FLOATS_EACH[self.work.op] * elements


def _square(kind: str, n: int, precision: str, tolerance: float) -> Row:
    sizes = {"M": n, "N": n, "K": n, "trans_a": 0, "trans_b": 0}
    return Row(f"gemm/{kind}/{n}x{n}x{n}", Kernel("gemm", sizes), tolerance, precision)


def _gemms() -> Iterator[Row]:
    for n in SQUARES:
        yield _square("fp32", n, "float32", 1e-4)
    for n in (2048, 4096, 8192):
        yield _square("tf32x3", n, "tf32x3", 1e-4)
    for n in (4096, 8192):
        yield _square("bf16", n, "bfloat16", 2e-2)
    squares = {f"gemm/{n}x{n}x{n}" for n in (64, 128, 256, *SQUARES)}
    for name, row in ROWS.items():
        if name.startswith("gemm/") and name not in squares:
            yield Row(name.replace("gemm/", "gemm/fp32/"), row.work, row.tolerance)


def _convolutions() -> Iterator[Row]:
    for shape in ("3x3-c16", "3x3-c32", "3x3-c64", "3x3-c256"):
        for op in CONV_OPS:
            yield Row(f"conv3x3/{op}/{shape}", ROWS[f"{op}/{shape}"].work, 1e-4)
    for shape in FIRST:
        for op in ("conv2d", "conv2d_dW"):  # what is before a first layer needs no gradient
            yield Row(f"first/{op}/{shape}", ROWS[f"{op}/{shape}"].work, 1e-4)


def _passes() -> Iterator[Row]:
    """Arrays of several times the cache of any GPU."""
    images = {"N": 256, "C": 64, "H": 56}
    for op, sizes in (
        ("softmax_cross_entropy", {"N": 65536, "D": 1000}),
        ("batch_norm_relu", images),
        ("batch_norm_relu_backward", images),
        ("adam_update", {"n": 1 << 25}),
    ):
        yield Row(f"pass/{op}", Kernel(op, sizes), 1e-4)


def _steps() -> Iterator[Row]:
    for name in ("step/two-layer-100", "step/simple-conv-100", "step/deep-conv-100"):
        yield Row(name, ROWS[name].work, ROWS[name].tolerance)
    yield Row("mnist/simple-conv-99.0", ROWS["mnist/simple-conv-99.0"].work, 0.0)


# What whole targets hang on comes first, if there should not be time for all.
TABLE = {row.name: row for part in (_steps, _passes, _convolutions, _gemms) for row in part()}
COPY = Row("copy", Kernel("copy", {"n": 1 << 26}), 0.0)


def tiny(row: Row) -> Row:
    """The same row on so little that the executor of tests/cuda_host takes no time for it."""
    if not isinstance(row.work, Kernel):
        return row
    most = {"M": 20, "N": 2, "K": 24, "C": 3, "FN": 4, "D": 12, "n": 1000}
    sizes = {name: min(size, most.get(name, size)) for name, size in row.work.sizes.items()}
    if row.work.op == "gemm":
        sizes["N"] = min(row.work.sizes["N"], 18)
    if "H" in sizes:
        sizes["H"] = min(sizes["H"], sizes.get("F", 3) + sizes.get("stride", 1) + 2)
    return row._replace(work=Kernel(row.work.op, sizes))
