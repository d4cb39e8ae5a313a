"""Bad input to every op: a clear error that names the argument, nothing written, nothing broken.

The table is in bad_inputs.py. After each error the same objects must still give the right answer.
"""

from __future__ import annotations

import re
from typing import Any

import numpy as np
import pytest
from bad_input_specimens import F32, normal, parameters, specimen
from bad_inputs import OUTPUTS, STATE, Call, calls

from pynet import backend, ops, reference

ERRORS = (ValueError, TypeError, IndexError, MemoryError)


@pytest.fixture(autouse=True)
def core() -> Any:
    with backend.use("core"):
        yield


def memory_of(value: Any) -> np.ndarray:
    """The array that owns the memory of another: all that a wrong write might reach."""
    while isinstance(value.base, np.ndarray):
        value = value.base
    return value


def answer(module: Any, op: str, arguments: dict[str, Any]) -> list[np.ndarray]:
    """What a call returns and what it changes; the state is put back as it was."""
    state = {k: v for k, v in arguments.items() if k in STATE and isinstance(v, np.ndarray)}
    before = {k: v.copy() for k, v in state.items()}
    result = getattr(module, op)(**arguments)
    results = list(result) if isinstance(result, tuple) else [] if result is None else [result]
    after = [np.array(r) for r in (*results, *state.values())]
    for name, a in state.items():
        a[...] = before[name]
    return after


class Subject:
    """An op with valid arguments and their right answer."""

    def __init__(self, op: str, arguments: dict[str, Any] | None = None) -> None:
        self.op = op
        self.arguments = specimen(op) if arguments is None else arguments
        self.right = answer(ops, op, self.arguments)

    def results(self) -> dict[str, np.ndarray]:
        """An array like each of the outputs that the op would write into."""
        names = [name for name in OUTPUTS if name in parameters(self.op)]
        return dict(zip(names, self.right))

    def complaint(self, call: Call) -> str | None:
        """What is wrong about what happens, in words."""
        arguments = {**self.arguments, **call.changes}
        memory = [memory_of(v) for v in arguments.values() if isinstance(v, np.ndarray)]
        before = [m.tobytes() for m in memory]
        try:
            results = answer(ops, self.op, arguments)
        except Exception as error:
            if call.equal is not None:
                return f"expected a result, got {type(error).__name__}: {error}"
            if not isinstance(error, call.errors):
                return f"expected {call.errors}, got {type(error).__name__}: {error}"
            form = rf"\[{self.op}\] (\w+): expected .+, got .+"
            found = re.fullmatch(form, str(error), re.DOTALL)
            if not found or found[1] not in call.names:
                return f"expected a message about {', '.join(call.names)}, got: {error}"
            if [m.tobytes() for m in memory] != before:
                return "something was written"
        else:
            if call.equal is None:
                return "expected an error, got a result"
            expected = self.right
            if call.equal:
                expected = answer(ops, self.op, {**self.arguments, **call.equal})
            if not same(results, expected):
                return f"expected {expected}, got {results}"
        again = answer(ops, self.op, self.arguments)
        return None if same(again, self.right) else "the next call is wrong"


def same(a: list[np.ndarray], b: list[np.ndarray]) -> bool:
    return [(x.dtype, x.shape, x.tobytes()) for x in a] == [
        (y.dtype, y.shape, y.tobytes()) for y in b
    ]


def check(subject: Subject, table: list[Call]) -> None:
    found = [(call, subject.complaint(call)) for call in table]
    wrong = [f"{subject.op}, {call.label}: {text}" for call, text in found if text]
    assert not wrong, "\n".join([f"{len(wrong)} of {len(table)}", *wrong])


@pytest.mark.parametrize("op", ops.__all__)
def test_every_argument_of_every_op(op: str) -> None:
    subject = Subject(op)
    for actual, expected in zip(
        subject.right, answer(reference, op, subject.arguments), strict=True
    ):
        np.testing.assert_allclose(actual, expected, rtol=1e-4, atol=1e-5)
    table = list(calls(op, subject.arguments, subject.results()))
    assert len(table) > 20
    check(subject, table)
    given = set(subject.arguments) | set(OUTPUTS)
    flags = {"add", "relu", "trans_a", "trans_b", "train", "unbiased", "inverted", "count_pad"}
    assert set(parameters(op)) - given - flags <= {"beta"}, "an argument that is not in the table"


@pytest.mark.parametrize("op", ops.__all__)
def test_nan_and_infinity_are_data(op: str) -> None:
    subject = Subject(op)
    for name, a in subject.arguments.items():
        if not isinstance(a, np.ndarray) or a.dtype.kind != "f":
            continue
        for value in (np.nan, np.inf, -np.inf, np.finfo(F32).max, 1e-45):
            odd = a.copy()
            odd.flat[::2] = value
            results = answer(ops, op, {**subject.arguments, name: odd})
            assert [r.shape for r in results] == [r.shape for r in subject.right]
    check(subject, [Call("afterwards", {}, equal={})])


@pytest.mark.parametrize("op", [op for op in ops.__all__ if "out" in parameters(op)])
def test_out_that_is_an_input(op: str) -> None:
    """Either computed right, where the docstring allows it, or refused."""
    subject = Subject(op)
    for name, a in subject.arguments.items():
        if isinstance(a, np.ndarray) and a.shape == subject.right[0].shape and a.dtype == F32:
            mine = a.copy()
            try:
                results = answer(ops, op, {**subject.arguments, name: mine, "out": mine})
            except ValueError as error:
                assert str(error).startswith(f"[{op}] out: expected memory apart from the inputs")
                np.testing.assert_array_equal(mine, a)
            else:
                assert same(results, subject.right), name


# ---- sizes -------------------------------------------------------------------------------------

MOST = 2**31 - 1
ONE, MANY = np.ones((1, 1, 1, 1), F32), np.ones((4096, 1, 1, 1), F32)
TOO_LARGE: list[tuple[str, dict[str, Any]]] = [
    ("im2col", {"x": ONE, "FH": 1, "FW": 1, "pad": 500_000}),  # 10^12 elements
    ("im2col", {"x": ONE, "FH": MOST, "FW": MOST, "pad": MOST}),
    ("im2col", {"x": ONE, "FH": 1, "FW": 1, "pad": MOST}),
    ("im2col", {"x": ONE, "FH": MOST, "FW": 1, "pad": MOST, "dilation": MOST}),
    ("col2im", {"col": ONE[0, 0], "x_shape": (1, 1, MOST, MOST), "FH": 1, "FW": 1, "stride": MOST}),
    ("col2im", {"col": ONE[0, 0], "x_shape": (2**42, 1, 1, 1), "FH": 1, "FW": 1}),
    ("conv2d", {"x": ONE, "W": ONE, "pad": MOST}),
    ("conv2d", {"x": MANY, "W": ONE, "pad": (0, MOST), "dilation": MOST}),
    ("conv2d_dx", {"dout": ONE, "W": ONE, "x_shape": (10**6, 10**6, 3, 3)}),
    ("conv2d_dx", {"dout": ONE, "W": ONE, "x_shape": (1, 1, MOST, MOST), "stride": MOST}),
    ("conv2d_dx", {"dout": ONE, "W": ONE, "x_shape": (1, 1, 2**21, 2**20), "stride": MOST}),
    ("conv2d_dx", {"dout": ONE, "W": ONE, "x_shape": (2**63 - 1,) * 4}),
    ("conv2d_dW", {"dout": ONE, "x": ONE, "W_shape": (1, 1, MOST, MOST), "pad": MOST // 2}),
    ("conv2d_dW", {"dout": ONE, "x": ONE, "W_shape": (2**40, 1, 1, 1)}),
    ("max_pool2d", {"x": ONE, "kernel": MOST, "pad": MOST - 1}),
    ("max_pool2d", {"x": MANY, "kernel": (1, MOST), "pad": (0, MOST - 1), "stride": 1}),
    ("avg_pool2d", {"x": ONE, "kernel": 2**20, "pad": 2**20 - 1, "stride": 1}),
    ("avg_pool2d_backward", {"dout": ONE, "x_shape": (1, 1, 2**21, 2**20), "kernel": MOST}),
    ("avg_pool2d_backward", {"dout": ONE, "x_shape": (1, 1, 2**21, 2**20), "kernel": 2**20}),
    ("max_pool2d_backward", {"dout": ONE, "arg": ONE, "x_shape": (2**62, 4, 1, 1), "kernel": 1}),
    ("global_avg_pool2d_backward", {"dout": ONE[0, 0], "x_shape": (1, 1, 2**21, 2**20)}),
    ("global_avg_pool2d_backward", {"dout": ONE[0, 0], "x_shape": (1, 1, 2**32, 2**32)}),
    ("gemm", {"A": np.broadcast_to(F32(1), (2**21, 1)), "B": np.broadcast_to(F32(1), (1, 2**20))}),
    ("gemm", {"A": np.broadcast_to(F32(1), (2**31, 1)), "B": np.broadcast_to(F32(1), (1, 2**31))}),
    ("gemm", {"A": np.broadcast_to(F32(1), (1, 2**42)), "B": np.broadcast_to(F32(1), (2**42, 1))}),
    *((op, {"x": np.broadcast_to(F32(1), (2**21, 2**20))}) for op in ("relu", "sum", "softmax")),
    *((op, {"x": np.broadcast_to(F32(1), (2**21, 2**38))}) for op in ("relu", "norm", "softmax")),
    ("softmax_cross_entropy", {"x": normal(1, 2), "t": np.broadcast_to(np.int8(1), (2**50,))}),
]


@pytest.mark.parametrize(("op", "arguments"), TOO_LARGE)
def test_sizes_beyond_memory_are_refused_at_once(op: str, arguments: dict[str, Any]) -> None:
    with pytest.raises((ValueError, MemoryError)) as caught:
        getattr(ops, op)(**arguments)
    assert re.match(rf"\[{op}\] \w+: expected .+, got .+", str(caught.value))
    check(Subject(op), [Call("afterwards", {}, equal={})])


def test_the_largest_strides_and_paddings_that_make_sense() -> None:
    """What lies outside of the image costs nothing and changes nothing."""
    x, W = normal(2, 3, 6, 5), normal(4, 3, 3, 3)
    for far, near in (({"stride": MOST}, {"stride": 9}), ((MOST, MOST), (99, 99))):
        if isinstance(far, tuple):
            keys = ("stride", "pad")
            far, near = dict(zip(keys, far)), dict(zip(keys, near))
        np.testing.assert_array_equal(ops.conv2d(x, W, **far), ops.conv2d(x, W, **near))
        np.testing.assert_array_equal(ops.im2col(x, 3, 3, **far), ops.im2col(x, 3, 3, **near))
        y, col = ops.conv2d(x, W, **near), ops.im2col(x, 3, 3, **near)
        for op, args in (("conv2d_dx", (y, W, x.shape)), ("conv2d_dW", (y, x, W.shape))):
            np.testing.assert_array_equal(
                getattr(ops, op)(*args, **far), getattr(ops, op)(*args, **near)
            )
        np.testing.assert_array_equal(
            ops.col2im(col, x.shape, 3, 3, **far), ops.col2im(col, x.shape, 3, 3, **near)
        )
    wide = {"stride": MOST, "pad": MOST, "dilation": MOST}
    usual = {"stride": 99, "pad": 99, "dilation": 99}
    np.testing.assert_array_equal(ops.conv2d(x, W, **wide), ops.conv2d(x, W, **usual))
    y, arg = ops.max_pool2d(x, 2, stride=MOST)
    np.testing.assert_array_equal(y, x[:, :, :2, :2].max(axis=(2, 3), keepdims=True))
    assert ops.max_pool2d_backward(y, arg, x.shape, 2, stride=MOST).sum() == y.sum()


def test_a_window_that_is_almost_all_padding() -> None:
    x = normal(1, 1, 1, 3)
    for size in (MOST, 10**6):
        window = {"kernel": (1, size), "pad": (0, size // 2), "stride": 1}
        y, arg = ops.max_pool2d(x, **window)
        dx = ops.max_pool2d_backward(y, arg, x.shape, **window)
        assert dx.sum() == y.sum()
        y = ops.avg_pool2d(x, **window, count_pad=False)
        np.testing.assert_allclose(y, np.full_like(y, x.mean()), rtol=1e-5)
        dx = ops.avg_pool2d_backward(y, x.shape, **window, count_pad=False)
        np.testing.assert_allclose(dx.sum(), y.sum(), rtol=1e-5)


NO_OUTPUT = [
    ("conv2d", {"x": normal(2, 3, 2, 5), "W": normal(4, 3, 3, 3)}, "x"),
    ("conv2d", {"x": normal(2, 3, 4, 5), "W": normal(4, 3, 3, 3), "dilation": 2}, "x"),
    ("conv2d", {"x": normal(2, 3, 4, 5), "W": normal(4, 3, 2, 2), "dilation": MOST}, "x"),
    ("conv2d_dx", {"dout": ONE, "W": normal(1, 1, 3, 3), "x_shape": (1, 1, 2, 2)}, "x_shape"),
    ("conv2d_dW", {"dout": ONE, "x": ONE, "W_shape": (1, 1, 3, 3)}, "x"),
    ("im2col", {"x": ONE, "FH": 2, "FW": 1}, "x"),
    ("im2col", {"x": ONE, "FH": MOST, "FW": MOST}, "x"),
    ("col2im", {"col": ONE[0, 0], "x_shape": (1, 1, 1, 1), "FH": 2, "FW": 1}, "x_shape"),
    ("max_pool2d", {"x": ONE, "kernel": 2}, "kernel"),
    ("avg_pool2d", {"x": ONE, "kernel": 2}, "kernel"),
    ("max_pool2d", {"x": normal(1, 1, 4, 4), "kernel": 2, "pad": 2}, "pad"),
    ("avg_pool2d", {"x": normal(1, 1, 4, 4), "kernel": 2, "pad": (0, 3)}, "pad"),
    ("conv2d", {"x": normal(1, 4, 3, 3), "W": normal(6, 1, 1, 1), "groups": 3}, "groups"),
    ("conv2d", {"x": normal(1, 4, 3, 3), "W": normal(3, 2, 1, 1), "groups": 2}, "W"),
    ("conv2d", {"x": normal(1, 4, 3, 3), "W": normal(6, 3, 1, 1), "groups": MOST}, "groups"),
    ("softmax", {"x": F32(1)}, "x"),
    ("log_softmax", {"x": F32(1)}, "x"),
    ("sum_channels", {"x": normal(3)}, "x"),
    ("sum_channels", {"x": normal(3, 3, 3)}, "x"),
    ("batch_norm", {**specimen("batch_norm"), "x": normal(2, 4, 3)}, "x"),
    ("batch_norm", {**specimen("batch_norm"), "train": False, "running_mean": None}, None),
    ("batch_norm", {**specimen("batch_norm"), "train": False, "running_var": None}, None),
    ("gemm", {"A": normal(3, 4), "B": normal(5, 4)}, "B"),
    ("gemm", {"A": normal(2, 3, 4), "B": normal(3, 4, 5)}, "B"),
    ("gemm", {"A": normal(3), "B": normal(3, 4)}, "A"),
    ("gemm", {"A": normal(1, 2, 3, 4), "B": normal(1, 2, 4, 5)}, "A"),
]


@pytest.mark.parametrize(("op", "arguments", "name"), NO_OUTPUT)
def test_sizes_that_do_not_fit(op: str, arguments: dict[str, Any], name: str | None) -> None:
    name = name or next(k for k, v in arguments.items() if v is None)
    with pytest.raises(ValueError, match=rf"^\[{op}\] {name}: expected .+, got .+"):
        getattr(ops, op)(**arguments)


# ---- labels and places -------------------------------------------------------------------------

RANGE = "expected numbers in 0 .. {}, got {} as element {}"
LABELS: list[tuple[Any, type[Exception], str]] = [
    ([0, -1, 2, 1], IndexError, RANGE.format(4, -1, 1)),
    ([0, 1, 2, 5], IndexError, RANGE.format(4, 5, 3)),
    ([2**40, 1, 2, 5], IndexError, RANGE.format(4, 2**40, 0)),
    ([-(2**63), 1, 2, 3], IndexError, RANGE.format(4, -(2**63), 0)),
    (np.array([0, 1, 2**64 - 1, 3], np.uint64), IndexError, RANGE.format(4, 2**64 - 1, 2)),
    (np.array([0, 1, -128, 3], np.int8), IndexError, RANGE.format(4, -128, 2)),
    (np.array([0, 1, 2, 3], np.float32), TypeError, "expected integers, got dtype float32"),
    (np.array([0, 1, 0, 1], bool), TypeError, "expected integers, got dtype bool"),
    (np.eye(4), ValueError, "expected class numbers of shape"),
    (np.eye(4, 6), ValueError, "expected class numbers of shape"),
    (np.eye(3, 5), ValueError, "expected class numbers of shape"),
    (np.eye(4, 5)[None], ValueError, "expected class numbers of shape"),
    (np.zeros((4, 1), int), ValueError, "expected class numbers of shape"),
    (np.zeros(5, int), ValueError, "expected class numbers of shape"),
    (np.zeros(3, int), ValueError, "expected class numbers of shape"),
    (np.int64(1), ValueError, "expected class numbers of shape"),
]


@pytest.mark.parametrize("op", ["softmax_cross_entropy", "softmax_cross_entropy_backward"])
@pytest.mark.parametrize(("t", "error", "message"), LABELS)
def test_labels(op: str, t: Any, error: type[Exception], message: str) -> None:
    subject = Subject(op)
    with pytest.raises(error, match="^" + re.escape(f"[{op}] t: {message}")):
        getattr(ops, op)(**{**subject.arguments, "t": t})
    check(subject, [Call("labels", {"t": t}, ("t",), (error,))])


def test_one_row_takes_one_label_in_any_shape() -> None:
    x = normal(1, 5)
    results = [ops.softmax_cross_entropy(x, t)[0] for t in (3, [3], [[3]], np.eye(5)[[3]])]
    assert results == [results[0]] * 4
    with pytest.raises(IndexError, match=re.escape(RANGE.format(4, 5, 0))):
        ops.softmax_cross_entropy(x, [[5]])


@pytest.mark.parametrize("place", [-1, 6, 2**31 - 1, 2**31, 2**32, 2**40, 2**64 - 1])
def test_places_of_maxima_out_of_range(place: int) -> None:
    subject = Subject("max_pool2d_backward")  # of windows of 3 x 2
    right = subject.arguments["arg"]
    for dtype in (np.int32, np.int64, np.uint64, np.int8):
        if np.iinfo(dtype).min <= place <= np.iinfo(dtype).max:
            arg = right.astype(dtype)
            check(subject, [Call("in range", {"arg": arg}, equal={})])
            arg.flat[7] = place
            check(subject, [Call("out of range", {"arg": arg}, ("arg",), (IndexError,))])
            with pytest.raises(IndexError, match=re.escape(RANGE.format(5, place, 7))):
                ops.max_pool2d_backward(**{**subject.arguments, "arg": arg})


@pytest.mark.parametrize("arg", [normal(2, 4, 6, 2), np.ones((2, 4, 6, 2), bool)])
def test_places_of_maxima_of_another_kind(arg: np.ndarray) -> None:
    check(Subject("max_pool2d_backward"), [Call("arg", {"arg": arg}, ("arg",), (TypeError,))])
