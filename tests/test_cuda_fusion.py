"""What a recording on a GPU makes one call: a layer's gradients, and that of the ReLU before it.

Bit for bit what the two calls give, on every way that a product or a convolution takes.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from types import ModuleType
from typing import Any

import numpy as np
import pytest
from cases import DTYPES, OP_CASES, Case
from device_ops import on_device_module

import pynet
from pynet import ops
from pynet._types import Array

device = on_device_module
pytestmark = pytest.mark.usefixtures("device")


def there(array: Array) -> Array:
    return pynet.to_device(array)


def assert_replays(
    device: ModuleType, body: Callable[[], Any], held: list[Array], out: Array, kernels: list[str]
) -> None:
    """A recording of body is these kernels, and twice, as calls and as a graph, gives its bits."""
    before, recording = out.copy(), device.Recording()
    recording.start()
    body()
    recording.stop()
    exact = pynet.to_numpy(out)
    for array in (*held, out):
        recording.hold(array)
    batch = there(np.zeros((1, 1), np.float32))
    recording.set_inputs(batch, batch, 0)
    assert recording.foreign() == recording.size()
    recording.optimize()
    assert [row[0] for row in recording.rows()] == kernels
    for _ in range(2):
        out[...] = before
        assert recording.play(0, recording.size())
        assert pynet.to_numpy(out).tobytes() == exact.tobytes()


def with_mask(shape: tuple[int, ...], dtype: Any) -> tuple[Array, Array]:
    """What a ReLU may have returned, with zeros of either sign and a NaN; and numbers beside it."""
    rng = np.random.default_rng(7)
    y = np.maximum(rng.standard_normal(shape), 0).astype(dtype)
    y.flat[0], y.flat[-1] = -0.0, np.nan
    return there(y), there(rng.standard_normal(shape).astype(dtype))


def chosen() -> Iterator[Case]:
    """Some of the small ones, and of those where each channel has filters of its own."""
    count = 0
    for case in OP_CASES["conv2d_dx"]:
        (dout, W, x_shape), kw = case.inputs(case.rng(), np.float32)
        if W.size * int(np.prod(x_shape)) < 200_000:
            count += 1
            if count % 6 == 1 or kw.get("groups") == x_shape[1]:
                yield case


WINOGRAD = [  # outputs in stores of 4 pixels, of 2, of 1; fused, with odd rows; added or not
    ((4, 128, 32, 32), 96, False),
    ((8, 96, 22, 22), 128, True),
    ((8, 96, 21, 21), 128, True),
    ((5, 64, 56, 56), 64, True),
    ((5, 64, 56, 55), 64, False),
]


def conv_with_relu(
    device: ModuleType, dout: Any, W: Any, x_shape: Any, *, add: bool, **kw: Any
) -> None:
    dout, W = there(dout), there(W)
    y, out = with_mask(x_shape, W.dtype)

    def body() -> None:
        ops.relu_backward(ops.conv2d_dx(dout, W, x_shape, **kw), y, out=out, add=add)

    assert_replays(device, body, [dout, W, y], out, ["conv2d_dx + relu_backward"])


@pytest.mark.parametrize("add", [False, True])
@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("case", list(chosen()), ids=str)
def test_convolutions(device: ModuleType, case: Case, dtype: Any, add: bool) -> None:
    args, kw = case.inputs(case.rng(), dtype)
    conv_with_relu(device, *args, add=add, **kw)


@pytest.mark.parametrize(("x_shape", "filters", "add"), WINOGRAD)
def test_winograd(device: ModuleType, x_shape: Any, filters: int, add: bool) -> None:
    rng = np.random.default_rng(0)
    W = rng.standard_normal((filters, x_shape[1], 3, 3)).astype(np.float32)
    dout = rng.standard_normal((x_shape[0], filters, *x_shape[2:])).astype(np.float32)
    conv_with_relu(device, dout, W, x_shape, add=add, pad=1)


@pytest.fixture(params=["float32", "tf32x3", "tf32", "bfloat16"])
def precision(request: pytest.FixtureRequest, device: ModuleType) -> Iterator[str]:
    device.set_precision(request.param)
    yield request.param
    device.set_precision("float32")


# Single sums, packs of 4, chunks of K, both halves of a pack beyond the edge.
PRODUCTS = [(5, 3, 7), (100, 50, 10), (64, 64, 4096), (33, 70, 20)]


def product_with_relu(device: ModuleType, shape: tuple[int, int, int], dtype: Any) -> None:
    M, N, K = shape
    rng = np.random.default_rng(M)
    dout, W = (there(rng.standard_normal(s).astype(dtype)) for s in ((M, K), (N, K)))
    y, out = with_mask((M, N), dtype)

    def body() -> None:
        ops.relu_backward(ops.gemm(dout, W, trans_b=True), y, out=out)

    assert_replays(device, body, [dout, W, y], out, ["gemm + relu_backward"])


@pytest.mark.parametrize("shape", PRODUCTS, ids=str)
@pytest.mark.parametrize("dtype", DTYPES)
def test_products(device: ModuleType, shape: tuple[int, int, int], dtype: Any) -> None:
    product_with_relu(device, shape, dtype)


@pytest.mark.usefixtures("precision")
def test_tensor_cores(device: ModuleType) -> None:
    product_with_relu(device, (33, 70, 20), np.float32)
    rng = np.random.default_rng(1)
    W, dout = (rng.standard_normal(s).astype(np.float32) for s in ((6, 4, 3, 3), (2, 6, 9, 8)))
    conv_with_relu(device, dout, W, (2, 4, 9, 8), add=True, pad=1)


def test_packed_operands(device: ModuleType, monkeypatch: pytest.MonkeyPatch) -> None:
    """Large products, where warpgroups multiply."""
    monkeypatch.setenv("PYNET_EXECUTOR_CAPABILITY", "90")
    device.set_precision("bfloat16")
    try:
        product_with_relu(device, (1000, 2047, 259), np.float32)
    finally:
        device.set_precision("float32")


def test_a_gradient_that_others_read_stays(device: ModuleType) -> None:
    rng = np.random.default_rng(3)
    dout, W = (there(rng.standard_normal(s).astype(np.float32)) for s in ((6, 4), (5, 4)))
    y, out = with_mask((6, 5), np.float32)

    def read_again() -> None:
        dx = ops.gemm(dout, W, trans_b=True)
        ops.relu_backward(dx, y, out=out)
        ops.relu_backward(dx, y, out=out, add=True)

    def added() -> None:
        ops.relu_backward(ops.gemm(dout, W, trans_b=True), y, out=out, add=True)

    held = [dout, W, y]
    assert_replays(device, read_again, held, out, ["gemm", "relu_backward", "relu_backward"])
    assert_replays(device, added, held, out, ["gemm", "relu_backward"])


def gradients(
    device: ModuleType, shape: tuple[int, int, int], dtype: Any, kernels: list[str]
) -> None:
    """Those of the weights (M, N) and biases of an affine layer, from K rows."""
    K, M, N = shape
    rng = np.random.default_rng(K)
    x, dout = (there(rng.standard_normal((K, n)).astype(dtype)) for n in (M, N))
    out = there(np.zeros((M + 1) * N, dtype))
    dW, db = out[: M * N].reshape(M, N), out[M * N :]

    def body() -> None:
        ops.gemm(x, dout, trans_a=True, out=dW)
        ops.sum_channels(dout, out=db)

    assert_replays(device, body, [x, dout], out, kernels)


TOGETHER = ["gemm + sum_channels"]
# One column, packs, tiles of every size, chunks of K; blocks of sums that are not full.
LAYERS = [
    (7, 3, 1),
    (100, 784, 50),
    (100, 50, 10),
    (256, 16, 24),
    (16, 30, 20000),
    (10, 1000, 1100),
]


@pytest.mark.parametrize("shape", LAYERS, ids=str)
@pytest.mark.parametrize("dtype", DTYPES)
def test_biases_beside_weights(device: ModuleType, shape: tuple[int, int, int], dtype: Any) -> None:
    gradients(device, shape, dtype, TOGETHER)


@pytest.mark.usefixtures("precision")
def test_biases_beside_tensor_cores(device: ModuleType) -> None:
    gradients(device, (100, 40, 10), np.float32, TOGETHER)


def test_biases_of_many_rows_stay(device: ModuleType) -> None:
    gradients(device, (257, 9, 10), np.float32, ["gemm", "sum_channels"])
