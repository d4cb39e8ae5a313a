"""Every op on the compiled core, on every instruction set of this machine, by the reference."""

from __future__ import annotations

import inspect
import zlib
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
from bounds import assert_close, call, expected
from cases import DTYPES, EXACT_OPS, OP_CASES, Case
from random_cases import random_case

from pynet import _core, backend, ops, reference

ISAS = tuple(_core.isas())
THREADS = (1, 2, 3, 4, 7, 16)
SHAPES_PER_OP = 1000  # with the dtypes and ops, more than 20,000

UNDECIDED = {
    "dout",
    "t",
    "row_weights",
    "column_weights",
}  # arguments that do not decide an op's dtype
STATE = {"running_mean", "running_var", "mean", "std", "scale"}  # and arrays that come in it
UPDATES = tuple(op for op in OP_CASES if op.endswith("_update"))


@pytest.fixture(autouse=True)
def core() -> Iterator[None]:
    """All of this file runs on the core, and leaves its settings as they were."""
    isa, threads, winograd = _core.isa(), _core.num_threads(), _core.winograd()
    with backend.use("core"):
        yield
    _core.set_isa(isa)
    _core.set_winograd(winograd)
    _core.set_num_threads(threads)


@pytest.fixture(params=ISAS)
def isa(request: pytest.FixtureRequest) -> str:
    """Each instruction set that this machine can run."""
    _core.set_isa(request.param)
    assert _core.isa() == request.param
    return request.param


def bits(outputs: list[Any]) -> list[bytes]:
    return [np.asarray(o).tobytes() for o in outputs]


# ---- the table is complete ---------------------------------------------------------------------


def test_every_op_has_cases() -> None:
    assert set(OP_CASES) == set(ops.__all__)


@pytest.mark.parametrize("op", OP_CASES)
def test_one_signature_everywhere(op: str) -> None:
    """Names, kinds and defaults of the arguments are the reference's."""

    def arguments(module: Any) -> list[tuple[str, Any, Any]]:
        parameters = inspect.signature(getattr(module, op)).parameters.values()
        return [(p.name, p.kind, p.default) for p in parameters]

    assert arguments(ops) == arguments(reference)
    assert callable(getattr(_core, op))


# ---- values ------------------------------------------------------------------------------------


def wrong(case: Case, inputs: Any, outputs: list[Any], limits: list[Any], dtype: Any) -> list[str]:
    """What is wrong with the op's outputs, on any instruction set."""
    found = []
    for isa in ISAS:
        _core.set_isa(isa)
        try:
            results = call(ops, case.op, *inputs)
            for actual, exact, limit in zip(results, outputs, limits, strict=True):
                assert_close(actual, exact, limit, dtype, "result")
        except Exception as error:  # all cases are run, and all that is wrong is reported
            found.append(f"{case} on {isa}: {type(error).__name__}: {error}")
    return found


def report(found: list[str]) -> None:
    assert not found, "\n".join([f"{len(found)} wrong outputs", *found[:20]])


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("op", OP_CASES)
def test_equals_reference(op: str, dtype: Any) -> None:
    found = []
    for case in OP_CASES[op]:
        inputs = case.inputs(case.rng(), dtype)
        found += wrong(case, inputs, *expected(case, *inputs, dtype), dtype)
    report(found)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("op", EXACT_OPS)
def test_exact_on_random_shapes(op: str, dtype: Any) -> None:
    """Data in {-1, 0, 1}: no sum is rounded, so there is one right answer, whatever the order."""
    _core.set_winograd(False)  # whose transforms round
    rng = np.random.default_rng(zlib.crc32(op.encode()))
    found = []
    for _ in range(SHAPES_PER_OP):
        case = random_case(op, rng)
        inputs = case.exact_inputs(rng, dtype)
        outputs = call(reference, op, *inputs)
        found += wrong(case, inputs, outputs, [0.0] * len(outputs), dtype)
    report(found)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("op", EXACT_OPS)
def test_exact_on_the_table(op: str, dtype: Any) -> None:
    _core.set_winograd(False)
    found = []
    for case in OP_CASES[op]:
        if "avg" in op and not halves(case):
            continue  # a mean of three is rounded
        inputs = case.exact_inputs(case.rng(), dtype)
        outputs = call(reference, op, *inputs)
        found += wrong(case, inputs, outputs, [0.0] * len(outputs), dtype)
    report(found)


@pytest.mark.filterwarnings("ignore::RuntimeWarning")
@pytest.mark.parametrize("groups", [1, 2, 4])
@pytest.mark.parametrize("stride", [1, 2])
@pytest.mark.parametrize("width", [5, 21])
def test_an_infinity_stays_in_its_windows(isa: str, width: int, stride: int, groups: int) -> None:
    """Vectors that reach beyond a row must not multiply what they find there, not even by 0."""
    rng = np.random.default_rng(0)
    W = rng.standard_normal((8, 4 // groups, 3, 3)).astype("f4")
    for pad in (0, 1):
        kw: dict[str, Any] = {"stride": stride, "pad": pad, "groups": groups}
        for row, column in [(0, 0), (2, 0), (3, width - 1), (4, width // 2)]:
            x = rng.standard_normal((2, 4, 5, width)).astype("f4")
            dout = rng.standard_normal(ops.conv2d(x, W, **kw).shape).astype("f4")
            x[0, 1, row, column] = np.inf
            arrived = {"conv2d": (x, W), "conv2d_dW": (dout, x, W.shape)}
            spoiled = dout.copy()
            spoiled[1, 2, row // stride % dout.shape[2], column // stride % dout.shape[3]] = np.inf
            arrived["conv2d_dx"] = (spoiled, W, x.shape)
            for op, args in arrived.items():
                actual, exact = getattr(ops, op)(*args, **kw), getattr(reference, op)(*args, **kw)
                assert np.array_equal(np.isfinite(actual), np.isfinite(exact)), (op, pad, row)


def halves(case: Case) -> bool:
    """Whether every window of an average divides by a power of two."""
    return case.terms in (1, 2, 4, 8, 16) and case.kwargs.get("count_pad", True)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("op", OP_CASES)
def test_same_bits_for_any_number_of_threads(op: str, dtype: Any, isa: str) -> None:
    for case in OP_CASES[op]:
        args, kw = case.inputs(case.rng(), dtype)
        results = {}
        for threads in THREADS:
            _core.set_num_threads(threads)
            results[threads] = bits(call(ops, op, args, kw))
        differ = [n for n in THREADS if results[n] != results[1]]
        assert not differ, f"{case}: not the bits of 1 thread with {differ}"


# ---- arguments ---------------------------------------------------------------------------------


def parameters(op: str) -> list[str]:
    return list(inspect.signature(getattr(reference, op)).parameters)


def ops_with(parameter: str) -> list[str]:
    return [op for op in OP_CASES if parameter in parameters(op)]


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("op", ops_with("out"))
def test_out_receives_the_result(op: str, dtype: Any) -> None:
    for case in OP_CASES[op]:
        args, kw = case.inputs(case.rng(), dtype)
        if "out" in kw:
            continue
        results = call(ops, op, args, kw)
        out = {"out": np.full_like(results[0], 7)}
        if op in ("batch_norm_backward", "group_norm_backward"):
            out |= {"dgamma": np.full_like(results[1], 7), "dbeta": np.full_like(results[2], 7)}
        assert bits(call(ops, op, args, {**kw, **out})) == bits(results), str(case)
        # `call` has copied the arrays: once more, to see that they are what is filled.
        given = getattr(ops, op)(*args, **kw, **out)
        given = given if isinstance(given, tuple) else (given,)
        assert all(any(g is o for g in given) for o in out.values()), str(case)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("op", ops_with("add"))
def test_add_adds_into_out(op: str, dtype: Any, isa: str) -> None:
    for case in OP_CASES[op]:
        rng = case.rng()
        args, kw = case.inputs(rng, dtype)
        (exact, *_), (bound, *_) = expected(case, args, kw, dtype)
        out = rng.standard_normal(exact.shape).astype(dtype)
        (total,) = call(ops, op, args, {**kw, "out": out, "add": True})
        eps = np.finfo(dtype).eps
        limit = bound + 4 * eps * (np.abs(out) + np.abs(exact))
        assert_close(total, exact.astype(float) + out, limit, dtype, str(case))


@pytest.mark.parametrize("op", OP_CASES)
def test_any_memory_layout(op: str) -> None:
    """Fortran order, gaps, reversed axes and read-only arrays give the bits of plain arrays."""

    def scattered(a: np.ndarray) -> np.ndarray:
        wide = np.zeros(tuple(3 * n for n in a.shape), a.dtype)
        view = wide[tuple(slice(2, None, 3) for _ in a.shape)]
        view[...] = a
        return view

    def reverse(a: np.ndarray) -> np.ndarray:
        turned = (slice(None, None, -1),) * a.ndim
        return a[turned].copy()[turned]

    def frozen(a: np.ndarray) -> np.ndarray:
        locked = a.copy()
        locked.flags.writeable = False
        return locked

    fixed = {"p", "v", "h", "m", "running_mean", "running_var", "out"}  # written to
    fixed |= {"g"} if op in UPDATES else set()
    names = parameters(op)
    for case in OP_CASES[op][:12]:
        args, kw = case.inputs(case.rng(), np.float32)
        plain = bits(call(ops, op, args, kw))
        for layout in (np.asfortranarray, scattered, reverse, frozen):
            strange = tuple(
                layout(a) if isinstance(a, np.ndarray) and name not in fixed else a
                for name, a in zip(names, args)
            )
            assert bits(call(ops, op, strange, kw)) == plain, f"{case}: {layout.__name__}"


@pytest.mark.parametrize("op", [op for op in OP_CASES if op not in UPDATES])
def test_dtype_of_the_result(op: str) -> None:
    """Integers and float16 count as float32; one float64 among those that decide decides."""
    names = parameters(op)
    case = OP_CASES[op][min(3, len(OP_CASES[op]) - 1)]
    args, kw = case.exact_inputs(case.rng(), np.float32)
    arrays = [i for i, a in enumerate(args) if isinstance(a, np.ndarray) and a.dtype == "f4"]
    state = [i for i in arrays if names[i] in STATE]
    floats = [i for i in arrays if i not in state]
    deciding = [i for i in floats if names[i] not in UNDECIDED] or floats[:1]

    def run(changed: list[int], dtype: Any) -> list[bytes]:
        converted = [a.astype(dtype) if i in changed else a for i, a in enumerate(args)]
        return bits(call(ops, op, tuple(converted), kw))

    single, double = run([], None), run(arrays, np.float64)
    assert single != double or op in ("sum", "norm", "squared_error")  # these return Python's float
    if all(np.array_equal(args[i], np.rint(args[i])) for i in floats):
        for narrow in (np.float16, np.int8, np.int64):
            assert run(floats, narrow) == single, narrow
    assert run([i for i in floats if i not in deciding], np.float64) == single
    for i in deciding:
        assert run([i, *state], np.float64) == double, names[i]
