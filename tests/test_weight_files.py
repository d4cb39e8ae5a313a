"""Weight files: three kinds, told apart by content; damage and bombs are refused."""

import io
import os
import pickle
import struct
import tracemalloc
import zipfile

import numpy as np
import pytest
import safetensors.numpy
from hypothesis import given
from hypothesis import strategies as st
from weight_cases import BOOK, VARIED, Call, loads_or_is_refused, refused, same

from pynet.serialization import load_params, save_params

# ---- good files --------------------------------------------------------------------------------


@pytest.mark.parametrize("ending", [".safetensors", ".npz", ".pkl", ".PKL"])
@pytest.mark.parametrize("arrays", [BOOK, VARIED, {}])
def test_everything_comes_back(tmp_path, ending, arrays):
    path = tmp_path / f"params{ending}"
    save_params(path, arrays)
    same(load_params(path), arrays)
    for other in (".pkl", ".npz", ".safetensors", ""):  # the content decides
        renamed = tmp_path / f"renamed{other}"
        renamed.write_bytes(path.read_bytes())
        same(load_params(renamed), arrays)


def test_pickles_are_what_the_book_reads(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    save_params("params.pkl", VARIED)
    with open("params.pkl", "rb") as file:
        params = pickle.load(file)
    assert type(params) is dict
    same(params, VARIED)


def test_npz_is_what_numpy_reads_and_equal_arrays_give_equal_files(tmp_path):
    path = tmp_path / "params.npz"
    files = set()
    for _ in range(2):
        save_params(path, VARIED)
        files.add(path.read_bytes())
    assert len(files) == 1
    with np.load(path) as params:
        same(dict(params), VARIED)


def test_files_of_numpy_and_safetensors(tmp_path):
    arrays = {name: array for name, array in VARIED.items() if name != "file"}
    np.savez(tmp_path / "a", **arrays)
    same(load_params(tmp_path / "a.npz"), arrays)
    np.savez_compressed(tmp_path / "a", **arrays)
    same(load_params(tmp_path / "a.npz"), arrays)
    safetensors.numpy.save_file(BOOK, tmp_path / "b", metadata={"format": "np"})
    same(load_params(tmp_path / "b"), BOOK)


# ---- npz ---------------------------------------------------------------------------------------


def npy(header, data=b"", version=b"\x01\x00"):
    return b"\x93NUMPY" + version + struct.pack("<H", len(header)) + header + data


def npz(*members, method=zipfile.ZIP_STORED):
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", method) as archive:
        for name, data in members:
            archive.writestr(zipfile.ZipInfo(name), data, compress_type=method)
    return stream.getvalue()


def header(descr="'<f8'", shape="(2,)", order="False"):
    return f"{{'descr': {descr}, 'fortran_order': {order}, 'shape': {shape}}}".encode()


GOOD = npy(header(), np.array([1.0, 2.0]).tobytes())


@pytest.mark.parametrize(
    "data, got",
    [
        (npz(("W.npy", npy(header(shape="(3,)"), bytes(16)))), "shape (3,)"),
        (npz(("W.npy", npy(header(shape="(1,)"), bytes(16)))), "shape (1,)"),
        (npz(("W.npy", npy(header(shape=f"({2**40},)"), bytes(16)))), "shape"),
        (npz(("W.npy", npy(header(shape=f"({2**61}, 8)"), b""))), "shape"),
        (npz(("W.npy", npy(header(shape="(-2, -1)"), bytes(16)))), "negative"),
        (npz(("W.npy", npy(header(shape=f"(0, {2**62}, {2**62})")))), ""),
        (npz(("W.npy", npy(header(descr="'|O'"), bytes(16)))), "object"),
        (npz(("W.npy", npy(header(descr="[('a', '<f8')]"), bytes(16)))), "[('a', '<f8')]"),
        (npz(("W.npy", npy(header(descr="'<c16'"), bytes(32)))), "complex128"),
        (npz(("W.npy", npy(header(descr="'<U2'"), bytes(16)))), "<U2"),
        (npz(("W.npy", npy(header(descr="__import__('os')"), bytes(16)))), ""),
        (npz(("W.npy", npy(b"-" * 2000 + b"1"))), ""),
        (npz(("W.npy", npy(b"(" * 2000))), ""),
        (npz(("W.npy", npy(b" " * 5000 + header(), bytes(16)))), ""),
        (npz(("W.npy", npy(header(), bytes(16), b"\x03\x00"))), "version"),
        (npz(("W.npy", b"text")), ""),
        (npz(("W.npy", b"")), ""),
        (npz(("W.txt", GOOD)), "'W.txt'"),
        (npz(("W", GOOD)), "'W'"),
        (npz(("W.npy", GOOD), method=zipfile.ZIP_BZIP2), "deflated"),
        (npz(("W.npy", GOOD), method=zipfile.ZIP_LZMA), "deflated"),
        (npz(("W.npy", GOOD)).replace(b"\xf0?", b"\xf1?"), "CRC"),
        (npz(("W.npy", GOOD))[:-3], ""),
    ],
)
def test_wrong_npz(tmp_path, data, got):
    refused(tmp_path, data, got)


def test_npz_with_objects_or_with_a_name_twice(tmp_path):
    stream = io.BytesIO()
    np.savez(stream, W=np.array([Call(os.system, "true")], object))
    refused(tmp_path, stream.getvalue(), "object")
    with pytest.warns(UserWarning, match="Duplicate"):
        data = npz(("W.npy", GOOD), ("W.npy", GOOD))
    refused(tmp_path, data, "'W.npy'")


def test_npz_that_would_fill_the_memory(tmp_path):
    data = npz(("W.npy", bytes(80 << 20)), method=zipfile.ZIP_DEFLATED)
    tracemalloc.start()
    try:
        refused(tmp_path, data, "expected at most")
        assert tracemalloc.get_traced_memory()[1] < 4 << 20
    finally:
        tracemalloc.stop()


def test_npz_that_claims_to_be_small(tmp_path):
    """Both size fields say 144 bytes; what unpacks to more is found out."""
    data = npz(("W.npy", GOOD + bytes(1 << 20)), method=zipfile.ZIP_DEFLATED)
    size = struct.pack("<I", len(GOOD) + (1 << 20))
    assert data.count(size) == 2
    refused(tmp_path, data.replace(size, struct.pack("<I", len(GOOD))), "CRC")


# ---- damage of all kinds -----------------------------------------------------------------------


def small_files():
    arrays = {"W": np.arange(3, dtype="f4")}
    stream = io.BytesIO()
    np.savez_compressed(stream, **arrays)
    return {
        "pickle 0": pickle.dumps(arrays, 0),
        "pickle 3": pickle.dumps(arrays, 3),
        "pickle 5": pickle.dumps(arrays, 5),
        "npz": stream.getvalue(),
        "safetensors": safetensors.numpy.save(arrays),
    }


@pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::UserWarning")
@pytest.mark.parametrize("kind", small_files())
def test_flipped_bits(tmp_path, kind):
    path = tmp_path / "a"
    data = bytearray(small_files()[kind])
    outcomes = set()
    for position in range(len(data)):
        for bit in range(8):
            data[position] ^= 1 << bit
            path.write_bytes(data)
            outcomes.add(loads_or_is_refused(path))
            data[position] ^= 1 << bit
    assert False in outcomes


@pytest.mark.parametrize("kind", small_files())
def test_truncation(tmp_path, kind):
    whole = small_files()[kind]
    path = tmp_path / "a"
    for length in range(len(whole)):
        path.write_bytes(whole[:length])
        assert not loads_or_is_refused(path)
    path.write_bytes(whole)
    assert loads_or_is_refused(path)


@given(st.binary(max_size=100), st.sampled_from([b"", b"\x80\x03", b"PK\x03\x04", b"PK\x05\x06"]))
def test_random_bytes(tmp_path_factory, data, beginning):
    path = tmp_path_factory.getbasetemp() / "random"
    path.write_bytes(beginning + data)
    loads_or_is_refused(path)


# ---- arguments ---------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["params", "params.txt", "pkl", ".npz", "params.safetensors.gz"])
def test_endings(tmp_path, name):
    expected = r"^\[save_params\] path: expected a name that ends in .*, got "
    with pytest.raises(ValueError, match=expected):
        save_params(tmp_path / name, BOOK)
    assert os.listdir(tmp_path) == []


@pytest.mark.parametrize("ending", [".safetensors", ".npz", ".pkl"])
def test_what_a_file_cannot_hold(tmp_path, ending):
    path = tmp_path / f"params{ending}"
    save_params(path, BOOK)
    for params, error in [
        ({"W": np.array([None])}, TypeError),
        ({"W": np.ones(1, "c16")}, TypeError),
        ({"W": 1.0}, TypeError),
        ({1: np.ones(1)}, TypeError),
        ([np.ones(1)], TypeError),
        ({"a\0b": np.ones(1)}, ValueError),
        ({"": np.ones(1)}, ValueError),
    ]:
        with pytest.raises(error, match=r"^\[save_params\] params: expected .*, got "):
            save_params(path, params)
        same(load_params(path), BOOK)
    assert os.listdir(tmp_path) == [path.name]


def test_missing_and_special_files(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    for name, error in [
        ("missing.pkl", FileNotFoundError),
        ("", IsADirectoryError),
        ("pipe", OSError),
    ]:
        with pytest.raises(error, match=r"^\[load_params\] path: expected a readable file"):
            load_params(tmp_path / name)
    with pytest.raises(FileNotFoundError, match=r"^\[save_params\] path: expected to write"):
        save_params(tmp_path / "missing" / "params.pkl", BOOK)
    (tmp_path / "empty").write_bytes(b"")
    with pytest.raises(ValueError, match="got 0 bytes of something else"):
        load_params(tmp_path / "empty")
