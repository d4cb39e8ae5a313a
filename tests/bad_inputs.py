"""What is done to every argument of every op, right and wrong: the table behind test_bad_input.

A `Call` changes some arguments of an op's specimen. `refused()` yields those that must fail, and
whom the message may name; `accepted()` those that must compute, and what they must equal.
"""

from __future__ import annotations

import inspect
from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np
from bad_input_specimens import F32, parameters

from pynet import reference

SIZES = {"stride": 1, "pad": 0, "dilation": 1, "kernel": 1, "FH": 1, "FW": 1}  # least
SIZES |= {"groups": 1, "n": 1}

SHAPES = ("x_shape", "W_shape")
OUTPUTS = ("out", "dgamma", "dbeta")
# Changed in place.
STATE = ("p", "m", "v", "v_max", "h", "u", "sign", "step", "running_mean", "running_var")
MAY_BE_NONE = ("b", "running_mean", "running_var")  # and what has None as its default
ANY_SHAPE = "activation relu sigmoid tanh scale clip dropout softmax log_softmax sum norm".split()
ANY_RANK = ("sum_channels", "local_response_norm")  # from 2 on
# Axes that nothing else fixes.
FREE_AXES = {
    ("gemm", "A"): (0,),
    ("conv2d", "x"): (0, 2, 3),
    ("conv2d", "W"): (2, 3),
    ("conv2d_max_pool2d", "x"): (0, 2, 3),
    ("conv2d_max_pool2d", "W"): (2, 3),
    ("conv2d_dx", "W"): (3,),  # with a stride of 2 as many windows fit
    ("im2col", "x"): (0, 1, 2, 3),
    ("max_pool2d", "x"): (0, 1, 2, 3),
    ("avg_pool2d", "x"): (0, 1, 2, 3),
    ("global_avg_pool2d", "x"): (0, 1, 2, 3),
    ("sum_channels", "x"): (0, 1, 2, 3),
    ("batch_norm", "x"): (0, 2, 3),
    ("group_norm", "x"): (0, 2, 3),
    ("local_response_norm", "x"): (0, 1, 2, 3),
    ("resample2d", "x"): (0, 1, 2, 3),
    ("softmax_cross_entropy", "x"): (1,),
    ("softmax_cross_entropy_backward", "y"): (1,),
}


class NoRepr:
    def __repr__(self) -> str:
        raise RuntimeError("no repr")


class Call(NamedTuple):
    label: str
    changes: dict[str, Any]
    names: tuple[str, ...] = ()  # what the message may name
    errors: tuple[type[Exception], ...] = (ValueError, TypeError, IndexError, MemoryError)
    equal: dict[str, Any] | None = None  # the plain arguments that give the same result


# ---- arrays ------------------------------------------------------------------------------------


def gaps(a: np.ndarray) -> np.ndarray:
    wide = np.zeros(tuple(2 * n for n in a.shape), a.dtype)
    view = wide[(slice(1, None, 2),) * a.ndim]
    view[...] = a
    return view


def reversed_axes(a: np.ndarray) -> np.ndarray:
    turned = (slice(None, None, -1),) * a.ndim
    return a[turned].copy()[turned]


def misaligned(a: np.ndarray) -> np.ndarray:
    view = np.zeros(a.nbytes + 1, np.uint8)[1:].view(a.dtype).reshape(a.shape)
    view[...] = a
    return view


def swapped(a: np.ndarray) -> np.ndarray:
    return a.astype(a.dtype.newbyteorder())


def frozen(a: np.ndarray) -> np.ndarray:
    a = a.copy()
    a.flags.writeable = False
    return a


def masked(a: np.ndarray) -> np.ndarray:
    hidden = np.zeros(a.shape, bool)
    hidden.flat[-1] = True
    return np.ma.masked_array(a, hidden)


def longer(a: np.ndarray, axis: int) -> np.ndarray:
    return np.concatenate([a, a.take([0], axis)], axis)


def no_numbers(a: np.ndarray) -> dict[str, Any]:
    """What is no array of real numbers."""
    bad = {kind: a.astype(kind) for kind in ("O", "S8", "U8", "F", "D", "M8[s]", "m8[s]")}
    if np.dtype(np.longdouble).itemsize > 8:
        bad["longdouble"] = a.astype(np.longdouble)
    bad |= {"structured": a.astype([("f", a.dtype)]), "masked": masked(a)}
    bad |= {"ragged": [[1.0, 2.0], [3.0]], "words": ["1", "2"], "word": "1", "dict": {1: 2}}
    bad |= {"long word": "\N{EURO SIGN}" * 100, "no repr": NoRepr()}
    return {**bad, "set": {1.0}, "huge integers": [2**70], "thing": object(), "None": None}


def may_be_none(op: str, name: str) -> bool:
    default = inspect.signature(getattr(reference, op)).parameters[name].default
    return default is None or name in MAY_BE_NONE


def array_calls(op: str, arguments: dict[str, Any]) -> Iterator[Call]:
    arrays = {k: v for k, v in arguments.items() if isinstance(v, np.ndarray)}
    related = (*arrays, *(name for name in arguments if name in (*SIZES, *SHAPES)))
    for name, a in arrays.items():
        for label, bad in no_numbers(a).items():
            if bad is not None or not may_be_none(op, name):
                yield Call(f"{name} {label}", {name: bad}, (name,), (TypeError, ValueError))
        if op not in ("sum", "norm"):
            for axis in range(a.ndim):
                yield Call(f"{name} empty in {axis}", {name: a.take([], axis)}, related)
        if op in ANY_SHAPE:
            continue
        for axis in range(a.ndim):
            if axis not in FREE_AXES.get((op, name), ()):
                yield Call(f"{name} longer in {axis}", {name: longer(a, axis)}, related)
        for label, bad in {"1 more axis": a[None], "1 less axis": a[0], "0-d": a.flat[0]}.items():
            if not (name == "b" and np.ndim(bad) == 0) and op not in ANY_RANK:
                yield Call(f"{name} {label}", {name: bad}, related)


def layout_calls(arguments: dict[str, Any]) -> Iterator[Call]:
    """Layouts that must compute, or in state that is changed in place must be refused."""
    layouts = [swapped, gaps, reversed_axes, misaligned, np.asfortranarray, frozen]
    for name, a in arguments.items():
        if not isinstance(a, np.ndarray):
            continue
        for layout in layouts:
            odd = layout(a)
            if odd.dtype == a.dtype and odd.flags.carray:
                continue  # no change: Fortran order of one axis, other byte order of one byte
            label = f"{name} {layout.__name__}"
            if name in STATE:
                yield Call(label, {name: odd}, (name,), (ValueError, TypeError))
            else:
                yield Call(label, {name: odd}, equal={})
        for axis in range(a.ndim) if name not in STATE else ():
            same = np.broadcast_to(a.take([0], axis), a.shape)
            yield Call(f"{name} stride 0", {name: same}, equal={name: same.copy()})
        if name in STATE:
            yield Call(f"{name} list", {name: a.tolist()}, (name,), (TypeError,))
            if name != "p" or len(arguments) > 3:  # with other state, which is float32
                yield Call(f"{name} float64", {name: a.astype(float)}, (*STATE,), (TypeError,))
            yield Call(f"{name} integers", {name: a.astype(int)}, (name,), (TypeError,))
        else:
            yield Call(f"{name} unmasked", {name: np.ma.masked_array(a)}, equal={})
            yield Call(f"{name} subclass", {name: a.view(type("Odd", (np.ndarray,), {}))}, equal={})
            if name != "mask" and "running_mean" not in arguments:
                plain = np.array(a.tolist())
                yield Call(f"{name} list", {name: a.tolist()}, equal={name: plain})


# ---- outputs -----------------------------------------------------------------------------------


def output_calls(op: str, arguments: dict[str, Any], results: dict[str, Any]) -> Iterator[Call]:
    """results: an array like each of the outputs, by the name of its argument."""
    for name, like in results.items():
        wrong = [(ValueError, layout(like)) for layout in (frozen, gaps, misaligned)]
        wrong += [(TypeError, swapped(like)), (TypeError, like.astype(np.float64))]
        wrong += [(TypeError, like.astype(int)), (TypeError, like.tolist()), (TypeError, "out")]
        wrong += [(ValueError, like[None]), (ValueError, like[..., :0])]
        wrong += [(ValueError, np.array(like[0])), (TypeError, masked(like))]
        wrong += [(ValueError, longer(like, axis)) for axis in range(like.ndim)]
        if like.ndim > 1:
            wrong += [(ValueError, np.asfortranarray(like)), (ValueError, like.ravel())]
        for error, out in wrong:
            yield Call(f"{name} of another kind", {name: out}, (name,), (error,))
        for other, a in arguments.items():
            if isinstance(a, np.ndarray) and a.dtype == like.dtype:
                whole = np.concatenate([a.ravel(), like.ravel()[1:]])
                x, out = whole[: a.size].reshape(a.shape), whole[a.size - 1 :].reshape(like.shape)
                yield Call(f"{name} overlaps {other}", {other: x, name: out}, (name,))
        yield Call(f"{name} fresh", {name: np.full_like(like, 7)}, equal={})
    for a, b in (("out", "dgamma"), ("dgamma", "dbeta")):
        if {a, b} <= set(results):
            whole = np.zeros(results[a].size + results[b].size, F32)
            first = whole[: results[a].size].reshape(results[a].shape)
            second = whole[results[a].size - 1 :][: results[b].size].reshape(results[b].shape)
            yield Call(f"{b} overlaps {a}", {a: first, b: second}, (b,))
    if "add" in parameters(op):
        yield Call("add into nothing", {"add": True}, ("out",))
    if op == "gemm":
        yield Call("beta times nothing", {"beta": 1.0}, ("out",))
    state = [name for name in arguments if name in STATE]
    for a, b in zip(state, state[1:]):
        yield Call(f"{a} is {b}", {b: arguments[a]}, (b,))
    if "p" in state:
        yield Call("p is g", {"g": arguments["p"]}, ("p",))


# ---- sizes and numbers -------------------------------------------------------------------------

NO_SIZES = (-1, -(2**31), 2**31, 2**63 - 1, 2**63, 2**64, -(2**63) - 1, 1.0, 1.5, float("nan"))
NO_SIZES += (True, "2", b"2", 1j, {1, 2}, [], (1,), (1, 2, 3), (1, 2.0), (True, 1), (1, -1))
NO_SIZES += ((2**64, 1), np.array([1.0, 2.0]), np.bool_(True), object(), "\N{EURO SIGN}" * 99)
NO_LENGTHS = (0, -1, 2**31 - 1, 2**31, 2**63 - 1, 2**64, 1.0, True, "3", None)
NO_SHAPES = (None, 4, "1234", (), (2, 4, 6), (2, 4, 6, 5, 1), np.array(4), {2, 4, 6, 5}, 2.0)
NO_NUMBERS = (None, "1", b"1", 1j, np.complex64(1), [1.0], (1.0,), np.array([1.0]), object())
NO_NUMBERS += (np.array("1"), True, float("nan"), float("inf"), -float("inf"), 10**400)
NO_NUMBERS += (np.float32("nan"), np.array(np.inf))
ADAMS = ("adam_update", "adamw_update", "nadam_update", "amsgrad_update")
OUT_OF_RANGE = {
    ("dropout", "ratio"): (-0.1, 1.1),
    ("batch_norm", "eps"): (-1e-9,),
    ("group_norm", "eps"): (-1e-9,),
    ("local_response_norm", "k"): (0.0, -1.0),
    ("local_response_norm", "alpha"): (-1e-9,),
    ("local_response_norm_backward", "alpha"): (-1e-9,),
    **{(op, beta): (1.0, -0.1, 2) for op in ADAMS for beta in ("beta1", "beta2")},
    ("clip", "low"): (0.6,),
    ("clip", "high"): (-0.6,),
}


def number_calls(op: str, arguments: dict[str, Any]) -> Iterator[Call]:
    for name, value in arguments.items():
        if name in SIZES:
            bad: list[Any] = [*NO_SIZES, *[0, (0, 1), (1, 0)] * SIZES[name]]
            if not (name == "stride" and "kernel" in arguments):
                bad.append(None)
            if name in ("FH", "FW", "groups", "n"):
                bad.append((1, 1))
            for size in bad:
                yield Call(f"{name}={size!r}", {name: size}, (name,), (ValueError, TypeError))
        elif name in SHAPES:
            for shape in NO_SHAPES:
                yield Call(f"{name}={shape!r}", {name: shape}, (name,), (ValueError, TypeError))
            for axis in range(4):
                for n in NO_LENGTHS:
                    shape = (*value[:axis], n, *value[axis + 1 :])
                    yield Call(f"{name}={shape}", {name: shape}, (*arguments, "out"))
        elif isinstance(value, float):
            for number in (*NO_NUMBERS, *OUT_OF_RANGE.get((op, name), ())):
                names = ("low", "high") if op == "clip" else (name,)
                yield Call(f"{name}={number!r}", {name: number}, names, (ValueError, TypeError))
    for name in {"seed", "layer", "step", "iter"} & set(arguments):
        for number in (1.5, None, "1", True, float("nan"), np.float32(1), [1], object()):
            yield Call(f"{name}={number!r}", {name: number}, (name,), (TypeError,))
    if "name" in arguments:
        for bad in (None, 1, b"elu", "ELU", "elu ", "", "elu\0", "\ud800", ["elu"], NoRepr()):
            yield Call(f"{type(bad)} name", {"name": bad}, ("name",), (ValueError, TypeError))
    if op in ADAMS:
        for number in (0, -1, 2**53 + 1, 2**64):
            yield Call(f"iter={number}", {"iter": number}, ("iter",), (ValueError,))
    if op == "dropout":
        yield Call("ratio=1, inverted", {"ratio": 1.0, "inverted": True}, ("ratio",))


# ---- the whole table ---------------------------------------------------------------------------


def calls(op: str, arguments: dict[str, Any], results: dict[str, Any]) -> Iterator[Call]:
    yield from array_calls(op, arguments)
    yield from layout_calls(arguments)
    yield from output_calls(op, arguments, results)
    yield from number_calls(op, arguments)
