"""Checkpoints: what goes in comes out, and no bit can change unseen."""

import json
import math
import os
import warnings

import numpy as np
import pytest
import safetensors.numpy

from pynet.serialization import (
    checkpoint,
    load_checkpoint,
    load_params,
    previous_path,
    save_checkpoint,
    save_params,
)

RNG = np.random.default_rng(0)
DTYPES = "f8 f4 f2 i8 i4 i2 i1 u8 u4 u2 u1 ?".split()

ARRAYS = {
    **{f"dtype {code}": RNG.integers(0, 2, (3, 4)).astype(code) for code in DTYPES},
    "extremes u8": np.array([0, 2**64 - 1], "u8"),
    "extremes i8": np.array([-(2**63), 2**63 - 1]),
    "special f4": np.array([np.nan, -np.nan, np.inf, -np.inf, -0.0, 1e-45], "f4"),
    "0-d": np.array(2.5, "f4"),
    "scalar": np.float64(0.1),
    "empty": np.zeros((0,), "f4"),
    "empty 3-D": np.zeros((2, 0, 3)),
    "one": np.ones((1, 1, 1, 1), "f4"),
    "Fortran": np.asfortranarray(RNG.normal(size=(3, 5))),
    "transposed": RNG.normal(size=(2, 3, 4)).transpose(1, 2, 0),
    "reversed": RNG.normal(size=(5, 4))[::-1, ::-2],
    "every second": np.arange(20, dtype="f4")[1::2],
    "broadcast": np.broadcast_to(np.float32(3), (4, 5)),
    "big endian": np.arange(6, dtype=">f8").reshape(2, 3),
    "misaligned": np.frombuffer(b"\0" + np.arange(4.0).tobytes(), "f8", offset=1),
    "conv1/W": RNG.normal(size=(2, 1, 3, 3)).astype("f4"),
    '"quotes", \\ and \n 日本': np.arange(3),
}

META = {
    "step": 12345678901234567890,
    "loss": [0.1, 1e-300, math.inf, None, True],
    "optimizer": {"name": "Adam", "lr": 1e-3},
    "digest": {"sha256": "0" * 64},
    '{"sha256":"' + "0" * 64 + '"': '"pynet":"{\\"sha256\\":\\"' + "1" * 64,
    "text": "\u65e5\u672c \ud800 \0 \" ' \\ \n",
    "rng": list(range(2**32, 2**32 + 600)),
    "": {},
}


def bits(array):
    native = np.asarray(array).astype(array.dtype.newbyteorder("="))
    return native.dtype, native.shape, native.tobytes()


def test_everything_comes_back(tmp_path):
    path = tmp_path / "net.safetensors"
    save_checkpoint(path, ARRAYS, META)
    arrays, meta = load_checkpoint(path)
    assert set(arrays) == set(ARRAYS)
    for name, array in ARRAYS.items():
        assert bits(arrays[name]) == bits(array), name
        assert type(arrays[name]) is np.ndarray
        assert arrays[name].flags.writeable and arrays[name].flags.c_contiguous
    assert meta == META
    assert load_params(path).keys() == ARRAYS.keys()


def test_nothing_comes_back_as_nothing(tmp_path):
    save_checkpoint(tmp_path / "a", {}, {})
    assert load_checkpoint(tmp_path / "a") == ({}, {})


def test_metadata_of_other_kinds(tmp_path):
    meta = {"nan": math.nan, "tuple": (1, (2,)), "numpy": np.float64(0.1)}
    save_checkpoint(tmp_path / "a", {}, meta)
    back = load_checkpoint(tmp_path / "a")[1]
    assert math.isnan(back["nan"])
    assert back["tuple"] == [1, [2]]
    assert back["numpy"] == 0.1


def test_the_file_is_an_ordinary_safetensors_file(tmp_path):
    path = tmp_path / "net.safetensors"
    save_checkpoint(path, ARRAYS, META)
    arrays = safetensors.numpy.load_file(path)
    assert {name: bits(a) for name, a in arrays.items()} == {
        name: bits(a) for name, a in ARRAYS.items()
    }
    with safetensors.safe_open(path, "numpy") as file:
        entry = json.loads(file.metadata()["pynet"])
    assert (entry["format"], entry["version"], entry["meta"]) == ("pynet checkpoint", 1, META)
    data = path.read_bytes()
    start = data.index(entry["sha256"].encode())
    blank = data[:start] + b"0" * 64 + data[start + 64 :]
    assert checkpoint.hashlib.sha256(blank).hexdigest() == entry["sha256"]


def test_equal_contents_give_equal_files(tmp_path):
    files = set()
    for order in (1, -1, 1, -1):
        arrays = dict(list(ARRAYS.items())[::order])
        save_checkpoint(tmp_path / "a", arrays, META)
        files.add((tmp_path / "a").read_bytes())
    assert len(files) == 1


@pytest.mark.parametrize("load", [load_checkpoint, load_params])
def test_each_flipped_bit_is_seen(tmp_path, load):
    path = tmp_path / "net.safetensors"
    arrays = {"W": np.arange(3, dtype="f4"), "t": np.array([True]), "e": np.zeros((0, 2))}
    for word in ("", "a", "aa"):
        save_checkpoint(path, arrays, {"lr": 1.0, "word": word})
        whole = path.read_bytes()
        if b"}  " in whole:  # padding of the header, which JSON does not see
            break
    assert b"}  " in whole
    data = bytearray(whole)
    for position in range(len(data)):
        for bit in range(8):
            data[position] ^= 1 << bit
            path.write_bytes(data)
            with pytest.raises(ValueError, match=rf"^\[{load.__name__}\] path: expected .*, got "):
                load(path)
            data[position] ^= 1 << bit
    path.write_bytes(data)
    assert data == whole and load(path)


@pytest.mark.parametrize("load", [load_checkpoint, load_params])
def test_each_length_but_the_right_one_is_seen(tmp_path, load):
    path = tmp_path / "net.safetensors"
    save_checkpoint(path, {"W": np.arange(5.0)}, {"step": 1})
    whole = path.read_bytes()
    for data in [whole[:n] for n in range(len(whole))] + [whole + b"\0", whole + whole]:
        path.write_bytes(data)
        with pytest.raises(ValueError, match=rf"^\[{load.__name__}\] path: expected .*, got "):
            load(path)


def test_bits_of_weights_in_safetensors_are_covered_too(tmp_path):
    path = tmp_path / "net.safetensors"
    save_params(path, {"W": np.arange(3.0)})
    data = bytearray(path.read_bytes())
    data[-1] ^= 1
    path.write_bytes(data)
    with pytest.raises(ValueError, match="the file is damaged"):
        load_params(path)


def sealed(header, data=b"", length=None):
    """A file with any header and a right digest."""
    if isinstance(header, dict):
        header = json.dumps(header, separators=(",", ":")).encode()
    length = len(header) if length is None else length
    whole = length.to_bytes(8, "little") + header + data
    digest = checkpoint.hashlib.sha256(whole).hexdigest().encode()
    return whole.replace(b"0" * 64, digest, 1)


def entry(**changes):
    fields = {"sha256": "0" * 64, "format": "pynet checkpoint", "version": 1, "meta": {}}
    return {"__metadata__": {"pynet": json.dumps({**fields, **changes}, separators=(",", ":"))}}


F4 = {"dtype": "F32", "shape": [1], "data_offsets": [0, 4]}
NESTED = ',"more":' + "[" * 100_000


@pytest.mark.parametrize(
    "data, got",
    [
        (b"", "0 bytes"),
        (b"\x80\x04}.", "4 bytes"),
        ((2**63).to_bytes(8, "little") + b"{}", "10 bytes"),
        ((2**64 - 1).to_bytes(8, "little") + b"{}", "10 bytes"),
        (safetensors.numpy.save({"W": np.ones(2)}), "got none"),
        (safetensors.numpy.save({"W": np.ones(2)}, {"pynet": "0"}), "got none"),
        (sealed(entry(version=2)), "'pynet checkpoint' version 2"),
        (sealed(entry(version=[1] * 10_000)), "version"),
        (sealed(entry(format="other")), "'other' version 1"),
        (sealed(entry(meta=[])), "pynet checkpoint"),
        (sealed(entry()["__metadata__"]), "__metadata__"),
        (
            sealed(b'{"__metadata__":{"pynet":"{\\"sha256\\":\\"' + b"0" * 64 + b'\\"'),
            "Unterminated",
        ),
        (
            sealed({"__metadata__": {"pynet": entry()["__metadata__"]["pynet"][:-1] + NESTED}}),
            "recursion",
        ),
        (sealed({**entry(), "W": F4}), "SafetensorError"),  # no data
        (sealed({**entry(), "W": F4}, bytes(5)), "SafetensorError"),  # too much
        (sealed({**entry(), "W": {**F4, "shape": [2]}}, bytes(4)), "SafetensorError"),
        (sealed({**entry(), "W": {**F4, "shape": [-1]}}, bytes(4)), "SafetensorError"),
        (sealed({**entry(), "W": {**F4, "shape": [2**32] * 4}}, bytes(4)), "SafetensorError"),
        (sealed({**entry(), "W": {**F4, "dtype": "F128"}}, bytes(4)), "SafetensorError"),
        (sealed({**entry(), "W": {**F4, "data_offsets": [4, 0]}}, bytes(4)), "SafetensorError"),
        (sealed({**entry(), "W": F4, "V": F4}, bytes(4)), "SafetensorError"),  # overlap
        (sealed({**entry(), "W": {**F4, "dtype": "BF16", "shape": [2]}}, bytes(4)), "BF16"),
        (sealed({**entry(), "W": F4}, bytes(4), length=70), "got none"),
    ],
)
def test_wrong_files(tmp_path, data, got):
    path = tmp_path / "net.safetensors"
    path.write_bytes(data)
    with pytest.raises(ValueError, match=r"^\[load_checkpoint\] path: expected .*, got ") as error:
        load_checkpoint(path)
    assert got in str(error.value) and repr(str(path)) in str(error.value)
    assert len(str(error.value)) < 1000


def test_the_crafted_files_are_right_but_for_their_fault(tmp_path):
    path = tmp_path / "net.safetensors"
    path.write_bytes(sealed({**entry(meta={"a": 1}), "W": F4}, bytes(4)))
    arrays, meta = load_checkpoint(path)
    assert bits(arrays["W"]) == bits(np.zeros(1, "f4")) and meta == {"a": 1}


def test_a_missing_file(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"\[load_checkpoint\] path: expected .*missing"):
        load_checkpoint(tmp_path / "missing")


LOOP = {}
LOOP["a"] = LOOP


@pytest.mark.parametrize(
    "arrays, meta, error, message",
    [
        ([], {}, TypeError, "arrays: expected a dict of arrays, got list"),
        ({"W": [1, 2]}, {}, TypeError, "arrays: expected an array for 'W', got list"),
        ({"W": None}, {}, TypeError, "arrays: expected an array for 'W', got NoneType"),
        ({1: np.ones(1)}, {}, TypeError, "arrays: expected names of type str, got 1"),
        ({"W": np.array([None])}, {}, TypeError, "for 'W', got object"),
        ({"W": np.array(["a"])}, {}, TypeError, "for 'W', got <U1"),
        ({"W": np.ones(1, "c8")}, {}, TypeError, "for 'W', got complex64"),
        ({"W": np.ones(1, "M8[s]")}, {}, TypeError, "for 'W', got datetime64"),
        ({"W": np.ones(1, "f4,i4")}, {}, TypeError, "for 'W', got "),
        ({"W": np.ones(1, np.longdouble)}, {}, TypeError, "for 'W', got "),
        ({"": np.ones(1)}, {}, ValueError, "arrays: expected a plain name, got ''"),
        ({"__metadata__": np.ones(1)}, {}, ValueError, "a plain name, got '__metadata__'"),
        ({"\ud800": np.ones(1)}, {}, ValueError, "a plain name"),
        ({}, None, TypeError, "meta: expected a dict, got NoneType"),
        ({}, {1: 2}, TypeError, "meta: expected keys of type str, got 1"),
        ({}, {"a": [{2: 3}]}, TypeError, r"meta\['a'\]\[0\]: expected keys of type str, got 2"),
        ({}, {"a": {"b": np.int64(1)}}, TypeError, r"meta\['a'\]\['b'\]: expected .*, got int64"),
        ({}, {"a": np.ones(1)}, TypeError, r"meta\['a'\]: expected .*, got ndarray"),
        ({}, {"a": b"x"}, TypeError, r"meta\['a'\]: expected .*, got bytes"),
        ({}, LOOP, ValueError, "meta: expected a few levels, got endless nesting"),
        ({}, {"a": "x" * (17 << 20)}, ValueError, "meta: expected at most 16777216 bytes"),
    ],
)
def test_what_a_file_cannot_hold(tmp_path, arrays, meta, error, message):
    path = tmp_path / "net.safetensors"
    save_checkpoint(path, {"W": np.ones(1)}, {})
    with pytest.raises(error, match=rf"^\[save_checkpoint\] .*{message}"):
        save_checkpoint(path, arrays, meta)
    assert load_checkpoint(path)[0].keys() == {"W"}
    assert os.listdir(tmp_path) == ["net.safetensors"]


# ---- the previous checkpoint -------------------------------------------------------------------


def save_steps(path, *steps):
    for step in steps:
        save_checkpoint(path, {"W": np.full(4, step)}, {"step": step}, keep_previous=True)


def test_the_previous_one_is_kept(tmp_path):
    path = tmp_path / "run.1" / "net.safetensors"
    path.parent.mkdir()
    save_steps(path, 1)
    assert os.listdir(path.parent) == ["net.safetensors"]
    save_steps(path, 2, 3)
    assert previous_path(path) == str(path.parent / "net.previous.safetensors")
    assert load_checkpoint(path)[1] == {"step": 3}
    assert load_checkpoint(previous_path(path))[1] == {"step": 2}
    save_checkpoint(path, {}, {"step": 4})
    assert load_checkpoint(previous_path(path))[1] == {"step": 2}
    assert len(os.listdir(path.parent)) == 2


def test_fallback_to_the_previous_one(tmp_path):
    path = tmp_path / "net.safetensors"
    save_steps(path, 1, 2)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert load_checkpoint(path, fallback=True)[1] == {"step": 2}
    data = bytearray(path.read_bytes())
    data[-1] ^= 4
    path.write_bytes(data)
    with pytest.raises(ValueError, match="the file is damaged"):
        load_checkpoint(path)
    expected = r"\[load_checkpoint\] path: expected SHA-256 .*damaged; the previous one is used: "
    with pytest.warns(UserWarning, match=expected) as seen:
        arrays, meta = load_checkpoint(path, fallback=True)
    assert meta == {"step": 1} and (arrays["W"] == 1).all()
    assert seen[0].filename == __file__
    path.unlink()
    with pytest.warns(UserWarning, match="No such file"):
        assert load_checkpoint(path, fallback=True)[1] == {"step": 1}


def test_fallback_where_both_are_damaged_tells_of_the_newest(tmp_path):
    path = tmp_path / "net.safetensors"
    save_steps(path, 1, 2)
    path.write_bytes(path.read_bytes()[:-1])
    with open(previous_path(path), "wb") as file:
        file.write(b"")
    with pytest.raises(ValueError, match="SHA-256") as error:
        load_checkpoint(path, fallback=True)
    assert "previous" not in str(error.value)
    with pytest.raises(FileNotFoundError):
        load_checkpoint(tmp_path / "missing", fallback=True)


def test_a_save_over_a_damaged_newest_keeps_one_that_loads(tmp_path):
    path = tmp_path / "net.safetensors"
    save_steps(path, 1, 2)
    path.write_bytes(b"damaged")
    save_steps(path, 3)
    assert load_checkpoint(path)[1] == {"step": 3}
