"""The book's pickles load; no pickle can run code, fill the memory or bring the process down."""

import os
import pickle
import struct
import tracemalloc

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from weight_cases import BOOK, VARIED, Call, loads_or_is_refused, refused, same

from pynet.serialization import load_params


@pytest.mark.parametrize("dump", [pickle.dumps, pickle._dumps])
@pytest.mark.parametrize("protocol", range(6))
@pytest.mark.parametrize("arrays", [BOOK, VARIED, {}])
def test_pickles_of_all_protocols(tmp_path, dump, protocol, arrays):
    (tmp_path / "a").write_bytes(dump(arrays, protocol))
    same(load_params(tmp_path / "a"), arrays)


def test_one_array_under_two_names(tmp_path):
    W = np.arange(3.0)
    (tmp_path / "a").write_bytes(pickle.dumps({"W1": W, "W2": W}))
    loaded = load_params(tmp_path / "a")
    assert loaded["W1"] is loaded["W2"]
    same(loaded, {"W1": W, "W2": W})


# ---- pickles, instruction by instruction -------------------------------------------------------


def text(value):
    data = value.encode()
    return b"X" + struct.pack("<I", len(data)) + data


def raw(data):
    return b"B" + struct.pack("<I", len(data)) + data


def glob(module, name, protocol=3):
    if protocol < 4:
        return f"c{module}\n{name}\n".encode()
    return text(module) + text(name) + b"\x93"


def number(n):
    return b"\x8a" + bytes([9]) + n.to_bytes(9, "little", signed=True)


def dtype(code="f8", order="<", protocol=3, fields=b"NNN"):
    return (
        glob("numpy", "dtype", protocol)
        + text(code)
        + b"K\x00K\x01\x87R(K\x03"
        + text(order)
        + fields
        + b"J\xff\xff\xff\xffJ\xff\xff\xff\xffK\x00tb"
    )


def array(module="numpy.core.multiarray", shape=b"K\x02\x85", kind=None, data=None, protocol=3):
    """An array as NumPy 1 pickled it, by default array([1., 2.])."""
    return (
        glob(module, "_reconstruct", protocol)
        + glob("numpy", "ndarray", protocol)
        + b"K\x00\x85C\x01b\x87R(K\x01"
        + shape
        + (dtype(protocol=protocol) if kind is None else kind)
        + b"\x89"
        + (raw(np.array([1.0, 2.0]).tobytes()) if data is None else data)
        + b"tb"
    )


def book(value, protocol=3):
    return b"\x80" + bytes([protocol]) + b"}" + text("W1") + value + b"s."


@pytest.mark.parametrize("protocol", [3, 4])
@pytest.mark.parametrize("module", ["numpy.core.multiarray", "numpy._core.multiarray"])
def test_pickles_that_numpy_1_and_numpy_2_wrote(tmp_path, module, protocol):
    data = book(array(module, protocol=protocol), protocol)
    if np.lib.NumpyVersion(np.__version__) >= "2.0.0" or "_core" not in module:
        assert (pickle.loads(data)["W1"] == [1, 2]).all()  # so the craft is right
    (tmp_path / "a").write_bytes(data)
    same(load_params(tmp_path / "a"), {"W1": np.array([1.0, 2.0])})


def test_a_pickle_of_python_2(tmp_path):
    """There bytes are text; NumPy reads them with encoding="latin1"."""
    data = np.array([1.0, -2.5]).tobytes()
    old = b"U" + bytes([len(data)]) + data
    (tmp_path / "a").write_bytes(book(array(data=old), 2))
    same(load_params(tmp_path / "a"), {"W1": np.array([1.0, -2.5])})


@pytest.mark.parametrize("protocol", range(6))
@pytest.mark.parametrize("wrap", [lambda c: c, lambda c: {"W1": c}, lambda c: {"W1": (BOOK, c)}])
def test_a_pickle_that_calls_the_system(tmp_path, protocol, wrap):
    marker = tmp_path / "executed"
    data = pickle.dumps(wrap(Call(os.system, f"touch {marker}")), protocol)
    refused(tmp_path, data, f"expected only NumPy arrays in a pickle, got '{os.system.__module__}.")
    assert not marker.exists()
    pickle.loads(data)
    assert marker.exists()  # so the craft is right


@pytest.mark.parametrize(
    "function",
    [eval, exec, getattr, __import__, open, os.unlink, np.load, np.fromfile, np.memmap, np.save],
)
def test_other_functions(tmp_path, function):
    refused(tmp_path, pickle.dumps({"W1": Call(function, "x")}), function.__name__)


@pytest.mark.parametrize(
    "value, got",
    [
        (b"(S'x'\nios\nsystem\n", "INST"),
        (b"(cnumpy\nndarray\no", "OBJ"),
        (glob("numpy", "ndarray") + b")\x81", "NEWOBJ"),
        (glob("numpy", "ndarray") + b")}\x92", "NEWOBJ_EX"),
        (b"Pname\n", "PERSID"),
        (b"K\x01Q", "BINPERSID"),
        (b"\x82\x01", "EXT1"),
        (b"\x97", "NEXT_BUFFER"),
        (b"]", "EMPTY_LIST"),
        (b"\x8f", "EMPTY_SET"),
        (b"(\x91", "FROZENSET"),
        (glob("numpy.core.multiarray", "_reconstruct.__globals__"), "__globals__"),
        (glob("numpy.core.multiarray", "__builtins__.eval", 4), "__builtins__.eval"),
        (glob("numpy", "ndarray.tofile", 4), "ndarray.tofile"),
        (glob("numpy.core.multiarray ", "_reconstruct"), "_reconstruct"),
        (b"K\x01K\x02\x93", "got int"),
        (glob("_codecs", "encode") + text("x") + text("utf8") + b"\x86R", "encode"),
        (glob("_codecs", "encode") + text("x") + text("hex") + b"\x86R", "encode"),
        (glob("_codecs", "encode") + text("日") + text("latin1") + b"\x86R", "latin-1"),
        (glob("builtins", "bytes") + b"K\x05\x85R", "bytes"),
        (glob("numpy", "ndarray") + b"K\x02\x85R", "ndarray"),
        (glob("_codecs", "encode") + b"}b", "encode"),
        (glob("numpy", "ndarray") + b"N}" + text("x") + b"K\x01s\x86b", "ndarray"),
        (b"}K\x01b", "for dict"),
        (b"K\x01", "got int"),
        (b"G" + bytes(8), "got float"),
        (b"N", "None"),
        (text("x"), "got str"),
        (b"}", "got dict"),
        (b"}" + text("W") + array() + b"s", "got dict"),
        (b"K\x01\x85", "got tuple"),
        (dtype(), "a dtype"),
        (array()[:-1], "a key of"),
        (array().partition(b"(K\x01")[0], "unfinished"),
        (dtype("O8", "|"), "'O8'"),
        (dtype("V16", "|"), "'V16'"),
        (dtype("S5", "|"), "'S5'"),
        (dtype("M8"), "'M8'"),
        (dtype("c16"), "'c16'"),
        (dtype("f16"), "'f16'"),
        (dtype("f3"), "'f3'"),
        (dtype("f8,O8"), "'f8,O8'"),
        (dtype("(1000000000,)f8"), "'(1000000000,)f8'"),
        (dtype(order="!"), "one for a dtype"),
        (dtype(fields=b"N" + text("a") + b"\x85}"), "one for a dtype"),
        (dtype(fields=text("x") + b"NN"), "one for a dtype"),
        (array(shape=b"K\x03\x85"), "shape (3,) of float64 in 16 bytes"),
        (array(shape=b"K\x01\x85"), "shape (1,)"),
        (array(shape=b")"), "shape ()"),
        (array(shape=number(2**62) + b"\x85"), f"({2**62},)"),
        (array(shape=number(2**61) + b"K\x08K\x02\x87"), "16 bytes"),  # 2**65, 0 in 64 bits
        (array(shape=number(2**63) + b"\x85"), "got tuple"),
        (array(shape=number(-2) + b"\x85"), "got tuple"),
        (array(shape=number(-1) + number(-2) + b"\x86"), "got tuple"),
        (array(shape=b"K\x00" + number(2**62) + number(2**62) + b"\x87", data=b"C\x00"), "too"),
        (array(shape=b"(" + b"K\x01" * 33 + b"t", data=raw(bytes(8))), "got tuple"),
        (array(shape=b"\x88\x85", data=raw(bytes(8))), "got tuple"),
        (array(shape=b"G" + struct.pack(">d", 2) + b"\x85"), "got tuple"),
        (array(shape=b"K\x02"), "got int"),
        (array(data=b"K\x10"), "got int"),
        (array(data=b"]"), "EMPTY_LIST"),
        (array(data=text("日" * 16)), "latin-1"),
        (array(kind=b"N"), "an array"),
        (array().replace(b"K\x00\x85C\x01b", number(2**40) + b"\x85C\x01b"), "reconstruct"),
        (array().replace(b"cnumpy\nndarray\n", b"cnumpy\nmatrix\n"), "numpy.matrix"),
        (array().replace(b"cnumpy\nndarray\n", b"cnumpy\ndtype\n"), "reconstruct"),
        (b"h\x05", "damaged"),
        (b"0", "POP"),
        (b"t", "damaged"),
        (b"R", "of dict"),
        (b"b", "for dict"),
        (b"\x85", "damaged"),
        (b"\xff", "damaged"),
        (b"\x8b\xff\xff\xff\x7f", "damaged"),
        (b"\x8b\xff\xff\xff\xff", "damaged"),
        (b"\x8e" + b"\xff" * 8, "damaged"),
        (b"B\xff\xff\xff\xff", "damaged"),
        (b"I" + b"9" * 10_000 + b"\n", "damaged"),
    ],
)
def test_pickles_that_hold_anything_else(tmp_path, value, got):
    refused(tmp_path, book(value, 4), got)


@pytest.mark.parametrize(
    "data, got",
    [
        (b"\x80\x03.", "damaged"),
        (b"\x80\x03N.", "None"),
        (b"\x80\x03" + array() + b".", "an array"),
        (b"\x80\x03}K\x01" + array() + b"s.", "got int as a key of dict"),
        (b"\x80\x03})" + array() + b"s.", "got tuple as a key of dict"),
        (b"\x80\x03})" + array() + b"u.", "damaged"),
        (b"\x80\x03}(" + text("a") + b"u.", "damaged"),
        (b"\x80\x03)" + text("a") + array() + b"s.", "a key of tuple"),
        (b"\x80\x03}q\x00" + text("a") + b"h\x00s.", "for 'a', got dict"),
        (book(array()) + b"\0", "more bytes"),
        (book(array()) + book(array()), "more bytes"),
        (b"\x80\x06}.", "PROTO"),
        (b"\x80\x03}" + b"(" * 200_001 + b".", "instructions"),
    ],
)
def test_pickles_that_are_no_dict_of_arrays(tmp_path, data, got):
    refused(tmp_path, data, got)


def test_pickles_that_would_fill_the_memory_or_never_end(tmp_path):
    encode = glob("_codecs", "encode") + b"q\x01" + text("x" * 100_000) + text("latin1")
    floats = text("x") + raw(bytes(80_000)) + b"q\x03s"
    again = text("W") + array(shape=number(10_000) + b"\x85", data=b"h\x03") + b"s"
    deep = b")" + b"\x85" * 60_000  # its hash would exhaust the stack
    wide = b")q\x05" + b"h\x05\x86q\x05" * 100  # its repr has 2**100 parts
    frombuffer = glob("numpy.core.numeric", "_frombuffer") + b"("
    cases = [
        (b"\x80\x03" + encode + b"\x86q\x02R" + b"h\x01h\x02R" * 1_000 + b".", "again and again"),
        (b"\x80\x03}" + floats + again * 5_000 + b".", "again and again"),
        (b"\x80\x03}" + deep + b"Ns.", "tuple as a key"),
        (b"\x80\x03}" + wide + b"Ns.", "tuple as a key"),
        (book(deep), "for 'W1', got tuple"),
        (book(wide), "for 'W1', got tuple"),
        (b"\x80\x03" + wide + b".", "got tuple"),
        (book(wide + b"s"), "damaged"),
        (book(wide + text("a") + b"\x93"), "got str"),
        (book(text("a") + wide + b"\x93"), "got tuple"),
        (book(wide + b")R"), "of tuple"),
        (book(wide + b")b"), "for tuple"),
        (book(glob("numpy", "dtype") + wide + b"K\x00K\x01\x87R"), "dtype"),
        (book(glob("numpy", "dtype") + wide + b"R"), "dtype"),
        (book(dtype(fields=wide + b"NN")), "one for a dtype"),
        (book(array(shape=wide)), "got tuple"),
        (book(array(shape=wide + b"\x85")), "got tuple"),
        (book(array(data=wide)), "got tuple"),
        (book(frombuffer + b"C\x00" + dtype() + b"K\x00\x85" + text("K") + wide + b"tR"), "axis"),
        (book(frombuffer + b"C\x00" + dtype() + wide + text("C") + b"tR"), "got tuple"),
        (book(frombuffer + b"C\x00" + dtype() + b"K\x00\x85" + wide + b"tR"), "frombuffer"),
        (book(b"\x8e" + (2**40).to_bytes(8, "little")), "damaged"),
        (book(b"\x96" + (2**62).to_bytes(8, "little")), "damaged"),
    ]
    for data, got in cases:
        tracemalloc.start()
        try:
            refused(tmp_path, data, got)
            assert tracemalloc.get_traced_memory()[1] < 40 << 20
        finally:
            tracemalloc.stop()


def test_an_index_that_would_fill_the_memory_of_cpython(tmp_path):
    """There the memo is a list, here a dict: the index costs nothing."""
    (tmp_path / "a").write_bytes(book(array() + b"r\xff\xff\xff\x7f"))
    same(load_params(tmp_path / "a"), {"W1": np.array([1.0, 2.0])})


INSTRUCTIONS = st.sampled_from(
    [bytes([n]) for n in b"(.0)tR}sub2N\x85\x86\x87\x88\x93\x94h\x00h\x01K\x00K\x02C\x01b"]
    + [array(), dtype(), text("W1"), raw(bytes(16)), glob("_codecs", "encode")]
    + [glob("numpy", "ndarray"), glob("numpy.core.multiarray", "_reconstruct"), b"C\x01b"]
)


@given(st.lists(INSTRUCTIONS, max_size=30))
def test_random_instructions(tmp_path_factory, instructions):
    path = tmp_path_factory.getbasetemp() / "random.pkl"
    path.write_bytes(b"\x80\x04}" + b"".join(instructions) + b".")
    loads_or_is_refused(path)
