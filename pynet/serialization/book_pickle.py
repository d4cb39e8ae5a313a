"""The book's weight files: pickles of a dict name -> ndarray, read by an interpreter of our own.

A pickle is a program for a stack machine, and Python's machine can call any function. This one
runs the instructions that a dict of arrays needs. The names in the file are looked up in a short
table; nothing is imported, and NumPy's own functions are not called either, because they trust
their arguments (a shape that fills the memory, a type with objects in it). Arrays are made here,
from a shape and bytes whose sizes must agree.
Nothing from the file is shown, hashed or compared before its type is known: a few bytes can
describe a tuple of tuples whose `repr` never ends.

Python's `pickle.Unpickler` with a strict `find_class` would still hash any nested key, extend any
object and reserve memory for any index before anybody could look.
"""

from __future__ import annotations

import enum
import math
import pickletools
from typing import Any, BinaryIO, cast

import numpy as np
from numpy.typing import NDArray

from pynet.serialization.arrays import NUMERIC, Arrays, FormatError

# An array takes about 30 instructions, so this is for files of a few thousand arrays.
_INSTRUCTION_LIMIT = 200_000
_MAX_NDIM = 32
_PROTOCOL = 5

_VALUES = frozenset(
    "INT BININT BININT1 BININT2 LONG LONG1 LONG4 FLOAT BINFLOAT "
    "STRING BINSTRING SHORT_BINSTRING UNICODE SHORT_BINUNICODE BINUNICODE BINUNICODE8 "
    "BINBYTES SHORT_BINBYTES BINBYTES8 BYTEARRAY8".split()
)
_CONSTANTS = {"NONE": None, "NEWTRUE": True, "NEWFALSE": False}
_TUPLES = {"TUPLE1": 1, "TUPLE2": 2, "TUPLE3": 3}


class _Global(enum.Enum):
    """What a name in the file may stand for."""

    NDARRAY = enum.auto()
    DTYPE = enum.auto()
    RECONSTRUCT = enum.auto()
    FROMBUFFER = enum.auto()
    SCALAR = enum.auto()
    ENCODE = enum.auto()
    BYTES = enum.auto()


_GLOBALS = {
    "numpy ndarray": _Global.NDARRAY,
    "numpy dtype": _Global.DTYPE,
    # NumPy 1 and NumPy 2:
    "numpy.core.multiarray _reconstruct": _Global.RECONSTRUCT,
    "numpy._core.multiarray _reconstruct": _Global.RECONSTRUCT,
    "numpy.core.numeric _frombuffer": _Global.FROMBUFFER,
    "numpy._core.numeric _frombuffer": _Global.FROMBUFFER,
    "numpy.core.multiarray scalar": _Global.SCALAR,
    "numpy._core.multiarray scalar": _Global.SCALAR,
    # How protocols 0 to 2 write bytes:
    "_codecs encode": _Global.ENCODE,
    "__builtin__ bytes": _Global.BYTES,
    "builtins bytes": _Global.BYTES,
}


class _DType:
    """A type under construction: the code comes with REDUCE, the byte order with BUILD."""

    def __init__(self, code: str) -> None:
        self.code = code
        self.order = "="


class _Array:
    """An array under construction: empty from REDUCE, filled by BUILD."""

    def __init__(self, value: NDArray[Any] | None = None) -> None:
        self.value = value


class _Bounded:
    """What pickletools needs of a file; `read(n)` reserves no more than the file can fill."""

    def __init__(self, stream: BinaryIO, size: int) -> None:
        self.stream, self.size = stream, size
        self.readline, self.tell = stream.readline, stream.tell

    def read(self, n: int) -> bytes:
        return self.stream.read(min(n, self.size))


def read(stream: BinaryIO, size: int) -> Arrays:
    """The dict in a pickle of `size` bytes; FormatError if it holds anything else."""
    try:
        root = _Machine(size).run(cast("BinaryIO", _Bounded(stream, size)))
        rest = stream.read(1)
    except FormatError:
        raise
    # pickletools: ValueError; too little on the stack: IndexError; a memo never set: KeyError.
    except (ValueError, LookupError, OverflowError) as error:
        got = f"a damaged one ({type(error).__name__}: {error})"
        raise FormatError(f"expected a whole pickle, got {got}") from error
    if rest:
        raise FormatError("expected one pickle, got more bytes after its end")
    if not isinstance(root, dict):
        raise FormatError(f"expected a pickled dict of arrays, got {_kind(root)}")
    arrays = {}
    for name, value in root.items():
        if not isinstance(value, _Array) or value.value is None:
            raise FormatError(f"expected an array of numbers for {name!r:.80}, got {_kind(value)}")
        arrays[name] = value.value
    return arrays


class _Machine:
    """The stack machine of pickle, with the instructions that a dict of arrays needs."""

    def __init__(self, size: int) -> None:
        self.stack: list[Any] = []
        self.marks: list[list[Any]] = []  # the stacks below the marks
        self.memo: dict[int, Any] = {}
        # Each byte of the file is at most decoded once and copied once into an array; more means
        # that bytes are used again and again to fill the memory.
        self.bytes_left = 2 * size

    def run(self, stream: BinaryIO) -> object:
        """Run to the STOP instruction; what is then on the stack."""
        for count, (opcode, argument, _) in enumerate(pickletools.genops(stream)):
            if count >= _INSTRUCTION_LIMIT:
                raise FormatError(f"expected at most {_INSTRUCTION_LIMIT} instructions, got more")
            if opcode.name == "STOP":
                return self.stack.pop()
            self._step(opcode.name, argument)
        raise FormatError("expected a whole pickle, got one without an end")

    def _step(self, name: str, argument: Any) -> None:
        push, pop = self.stack.append, self.stack.pop
        if name in _VALUES:
            push(argument)
        elif name in _CONSTANTS:
            push(_CONSTANTS[name])
        elif name in _TUPLES:
            push(tuple(pop() for _ in range(_TUPLES[name]))[::-1])
        elif name in ("PUT", "BINPUT", "LONG_BINPUT"):
            self.memo[argument] = self.stack[-1]
        elif name == "MEMOIZE":
            self.memo[len(self.memo)] = self.stack[-1]
        elif name in ("GET", "BINGET", "LONG_BINGET"):
            push(self.memo[argument])
        elif name == "GLOBAL":
            push(_find(argument))
        elif name == "STACK_GLOBAL":
            attribute, module = pop(), pop()
            if not isinstance(module, str) or not isinstance(attribute, str):
                raise FormatError(f"expected the name of a function, got {_kind(attribute)}")
            push(_find(f"{module} {attribute}"))
        elif name == "MARK":
            self.marks.append(self.stack)
            self.stack = []
        elif name == "EMPTY_TUPLE":
            push(())
        elif name == "TUPLE":
            items = self._pop_mark()
            self.stack.append(tuple(items))
        elif name == "EMPTY_DICT":
            push({})
        elif name == "DICT":
            items = self._pop_mark()
            self.stack.append({})
            self._set(items)
        elif name == "SETITEM":
            value, key = pop(), pop()
            self._set([key, value])
        elif name == "SETITEMS":
            self._set(self._pop_mark())
        elif name == "REDUCE":
            arguments, function = pop(), pop()
            push(self._reduce(function, arguments))
        elif name == "BUILD":
            state = pop()
            self._build(self.stack[-1], state)
        elif name != "FRAME" and not (name == "PROTO" and argument <= _PROTOCOL):
            raise FormatError(f"expected a pickled dict of arrays, got the instruction {name}")

    def _pop_mark(self) -> list[Any]:
        items, self.stack = self.stack, self.marks.pop()
        return items

    def _set(self, items: list[Any]) -> None:
        target = self.stack[-1]
        for key, value in zip(items[::2], items[1::2], strict=True):
            # Keys are checked before they are hashed: that of a deep tuple can break the stack.
            if not isinstance(target, dict) or not isinstance(key, str):
                got = f"{_kind(key)} as a key of {_kind(target)}"
                raise FormatError(f"expected a dict name -> array, got {got}")
            target[key] = value

    def _reduce(self, function: object, arguments: object) -> object:
        match function, arguments:
            case _Global.RECONSTRUCT, (_Global.NDARRAY, (0,), b"b" | "b"):
                return _Array()
            case _Global.DTYPE, (str(code), int(), int()):
                if code not in NUMERIC:
                    raise FormatError(f"expected bool, integers or floats, got type {code!r:.80}")
                return _DType(code)
            case _Global.FROMBUFFER, (raw, _DType() as dtype, shape, "C" | "F" as order):
                return _Array(self._array(dtype, shape, order, raw))
            case _Global.FROMBUFFER, (raw, _DType() as dtype, shape, "K", tuple(axes)):
                stored = self._array(dtype, shape, "C", raw)
                if not _are_sizes(axes):
                    raise FormatError("expected axis numbers, got other values")
                return _Array(np.ascontiguousarray(stored.transpose(axes)))
            case _Global.SCALAR, (_DType() as dtype, raw):
                return _Array(self._array(dtype, (), "C", raw))
            case _Global.ENCODE, (str(text), "latin1"):
                self._spend(len(text))
                return text.encode("latin1")
            case _Global.BYTES, ():
                return b""
        raise FormatError(f"expected a call that makes an array, got one of {_kind(function)}")

    def _build(self, target: object, state: object) -> None:
        match target, state:
            # version, order, subtype, names and fields (None: a plain type), size, alignment, ...
            case _DType(), (3 | 4, "<" | ">" | "|" | "=" as order, None, None, None, -1, -1, *_):
                target.order = order
            case _Array(), (1, shape, _DType() as dtype, int(fortran), raw):
                target.value = self._array(dtype, shape, "F" if fortran else "C", raw)
            case _:
                raise FormatError(f"expected the state of an array, got one for {_kind(target)}")

    def _array(self, dtype: _DType, shape: object, order: str, raw: object) -> NDArray[Any]:
        if isinstance(raw, str):  # Python 2
            raw = raw.encode("latin1")
        if not isinstance(raw, (bytes, bytearray)):
            raise FormatError(f"expected bytes of an array, got {_kind(raw)}")
        if not isinstance(shape, tuple) or not _are_sizes(shape):
            raise FormatError(f"expected the shape of an array, got {_kind(shape)}")
        stored = np.dtype(dtype.order + dtype.code)
        if math.prod(shape) * stored.itemsize != len(raw):
            got = f"shape {shape} of {stored} in {len(raw)} bytes"
            raise FormatError(f"expected bytes for the whole array, got {got}")
        self._spend(len(raw))
        array = np.ndarray(shape, stored, raw, order="F" if order == "F" else "C")
        return np.array(array, stored.newbyteorder("="), order="C")

    def _spend(self, nbytes: int) -> None:
        self.bytes_left -= nbytes
        if self.bytes_left < 0:
            raise FormatError("expected each array once, got one that is built again and again")


def _find(name: str) -> _Global:
    if name not in _GLOBALS:
        module, _, attribute = name.partition(" ")
        got = f"{module}.{attribute}".removeprefix("__builtin__.")
        raise FormatError(f"expected only NumPy arrays in a pickle, got {got!r:.120}")
    return _GLOBALS[name]


def _are_sizes(values: tuple[Any, ...]) -> bool:
    return len(values) <= _MAX_NDIM and all(type(n) is int and 0 <= n < 2**63 for n in values)


def _kind(value: object) -> str:
    """What `value` is, for a message."""
    match value:
        case _Global():
            return f"numpy's {value.name.lower()}"
        case _Array():
            return "an unfinished array" if value.value is None else "an array"
        case _DType():
            return "a dtype"
        case None:
            return "None"
    return type(value).__name__
