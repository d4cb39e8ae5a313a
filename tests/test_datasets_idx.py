"""IDX files: every element type, every truncation, flipped bits, bombs, pairs that do not fit."""

import gzip
import io
import os
import tracemalloc

import numpy as np
import pytest
from idx_files import DTYPES, idx_bytes

from pynet.datasets import files, load_idx, read_idx

IMAGES = np.arange(45, dtype=np.uint8).reshape(5, 3, 3)
LABELS = np.array([0, 3, 1, 2, 3], np.uint8)


@pytest.fixture
def path(tmp_path):
    return tmp_path / "train-images-idx3-ubyte.gz"


def read(path, content):
    path.write_bytes(content)
    return read_idx(path)


def refused(path, content, words=""):
    with pytest.raises(ValueError, match=rf"^\[read_idx\] {path.name}: expected .*{words}"):
        read(path, content)


@pytest.mark.parametrize("pack", [bytes, gzip.compress])
@pytest.mark.parametrize("code", DTYPES)
def test_round_trip(path, code, pack):
    rng = np.random.default_rng(code)
    for shape in ((7,), (3, 2), (4, 3, 2), (2, 3, 4, 5)):
        array = rng.integers(0, 100, shape).astype(DTYPES[code])
        result = read(path, pack(idx_bytes(array, code)))
        np.testing.assert_array_equal(result, array)
        assert result.dtype == array.dtype.newbyteorder("=") and result.dtype.isnative
        assert result.flags.c_contiguous and result.flags.writeable


def test_longer_than_a_chunk(path):
    array = np.random.default_rng(0).integers(0, 256, (3, files.CHUNK - 5), np.uint8)
    for content in (idx_bytes(array), gzip.compress(idx_bytes(array), 1)):
        np.testing.assert_array_equal(read(path, content), array)


def test_gzip_of_several_members(path):
    content = idx_bytes(IMAGES)
    joined = gzip.compress(content[:20]) + gzip.compress(content[20:])
    np.testing.assert_array_equal(read(path, joined), IMAGES)


@pytest.mark.parametrize("pack", [bytes, gzip.compress])
def test_every_truncation_is_refused(path, pack):
    content = pack(idx_bytes(IMAGES))
    for length in range(len(content)):
        refused(path, content[:length])


def test_every_bit_flip_of_the_header(path):
    content = idx_bytes(IMAGES)
    readable = 0
    for bit in range(16 * 8):
        flipped = bytearray(content)
        flipped[bit // 8] ^= 1 << bit % 8
        try:
            result = read(path, bytes(flipped))
        except ValueError as error:
            assert str(error).startswith(f"[read_idx] {path.name}: expected ")
        else:
            readable += 1
            assert result.nbytes == IMAGES.nbytes and result.tobytes() == IMAGES.tobytes()
    assert readable == 1  # 08 -> 09: int8 instead of uint8


def test_every_bit_flip_of_a_gzip_file(path):
    content = gzip.compress(idx_bytes(IMAGES), mtime=0)
    refusals = 0
    for bit in range(len(content) * 8):
        flipped = bytearray(content)
        flipped[bit // 8] ^= 1 << bit % 8
        try:
            np.testing.assert_array_equal(read(path, bytes(flipped)), IMAGES)
        except ValueError as error:
            refusals += 1
            assert str(error).startswith(f"[read_idx] {path.name}: expected ")
    assert refusals > 400  # the others are in the header's time stamp, system and flags


def test_random_bytes_after_a_good_header(path):
    rng = np.random.default_rng(3)
    for _ in range(300):
        header = bytes((0, 0, int(rng.choice(list(DTYPES))), int(rng.integers(1, 5))))
        content = header + rng.bytes(int(rng.integers(0, 60)))
        for packed in (content, gzip.compress(content)):
            refused(path, packed)


@pytest.mark.parametrize(
    "content, words",
    [
        (b"\0\0\x08\0", "1 to 4 dimensions, got 0"),
        (b"\0\0\x08\x05" + bytes(30), "1 to 4 dimensions, got 5"),
        (b"\0\0\x07\x01\0\0\0\x01a", "IDX header .*, got 00 00 07 01"),
        (b"\0\x01\x08\x01\0\0\0\x01a", "IDX header .*, got 00 01 08 01"),
        (b"PK\x03\x04", "IDX header .*, got 50 4b 03 04"),
        (b"\0\0\x08\x02\0\0\0", "8 bytes of dimensions, got 3 bytes"),
        (b"\0\0\x08\x02\0\0\0\x01\0\0\0\0", r"dimensions above 0, got \(1, 0\)"),
        (idx_bytes(IMAGES) + b"x", r"45 bytes after the header.* \(5, 3, 3\), got 46 bytes"),
        (idx_bytes(IMAGES)[:-1], "45 bytes after the header, .* got 44 bytes"),
        (
            gzip.compress(idx_bytes(IMAGES) + b"x", mtime=0),
            "45 bytes after the header, .* got more",
        ),
        (
            gzip.compress(idx_bytes(IMAGES)[:-1], mtime=0),
            "45 bytes after the header, .* got 44 bytes",
        ),
        (gzip.compress(b"", mtime=0), "IDX header .*, got an empty file"),
        (gzip.compress(idx_bytes(IMAGES), mtime=0) + b"x", "a whole gzip file, got a damaged one"),
        (b"\0\0\x0e\x04" + b"\xff" * 16 + b"x", f"{(2**32 - 1) ** 4 * 8} bytes"),
    ],
)
def test_what_is_wrong_is_said(path, content, words):
    refused(path, content, words)


def peak_of(function):
    tracemalloc.start()
    try:
        function()
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


def test_gzip_bomb_stops_early(path):
    packed = io.BytesIO()
    with gzip.GzipFile(fileobj=packed, mode="wb", compresslevel=9) as stream:
        stream.write(idx_bytes(IMAGES))
        for _ in range(64):
            stream.write(bytes(1 << 20))
    assert len(packed.getvalue()) < 100_000
    assert peak_of(lambda: refused(path, packed.getvalue(), "got more")) < 4 << 20


def test_reading_takes_little_more_than_the_array(path):
    for pack in (bytes, gzip.compress):
        path.write_bytes(pack(idx_bytes(np.zeros((32, 1 << 20), np.uint8))))
        assert peak_of(lambda: read_idx(path)) < 40 << 20


def test_sizes_that_the_file_cannot_hold_are_never_allocated(path):
    lie = idx_bytes(IMAGES, shape=(60000, 280, 280))
    for content in (lie, gzip.compress(lie)):
        assert peak_of(lambda content=content: refused(path, content)) < 4 << 20


def test_no_memory_is_said(path, monkeypatch):
    def refuse(*_):
        raise MemoryError

    monkeypatch.setattr(files.np, "empty", refuse)
    path.write_bytes(idx_bytes(IMAGES))
    with pytest.raises(MemoryError, match=r"^\[read_idx\] .*: expected 45 bytes of memory, got"):
        read_idx(path)


# ---- files that cannot be opened


def test_no_file(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"^\[read_idx\] none: expected a file, got none"):
        read_idx(tmp_path / "none")


def test_a_folder(tmp_path):
    with pytest.raises(OSError, match=r"^\[read_idx\] .*: expected a file, got a folder"):
        read_idx(tmp_path)


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no named pipes on this system")
def test_a_pipe_does_not_hang(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(OSError, match=r"^\[read_idx\] pipe: expected a file, got a device or pipe"):
        read_idx(tmp_path / "pipe")


def test_no_permission(path, monkeypatch):
    def refuse(*_):
        raise PermissionError(13, "Permission denied")

    path.write_bytes(idx_bytes(IMAGES))
    monkeypatch.setattr(files, "open", refuse, raising=False)
    with pytest.raises(OSError, match=r"expected a readable file, got 'Permission denied'"):
        read_idx(path)


def test_read_error(path, monkeypatch):
    class Broken(io.FileIO):
        def read(self, *_):
            raise OSError(5, "Input/output error")

    path.write_bytes(idx_bytes(IMAGES))
    monkeypatch.setattr(files, "open", lambda name, _: Broken(name), raising=False)
    with pytest.raises(OSError, match=r"^\[read_idx\] .* got 'Input/output error'"):
        read_idx(path)


@pytest.mark.parametrize("value", [None, 3, b"bytes", ["a"]])
def test_no_path(value):
    with pytest.raises(TypeError, match=r"^\[load_idx\] images: expected a path, got"):
        load_idx(value, "labels")


# ---- load_idx


@pytest.fixture
def pair(tmp_path):
    def write(images=IMAGES, labels=LABELS, image_code=0x08, label_code=0x08):
        (tmp_path / "x").write_bytes(idx_bytes(images, image_code))
        (tmp_path / "t.gz").write_bytes(gzip.compress(idx_bytes(labels, label_code)))
        return str(tmp_path / "x"), tmp_path / "t.gz"

    return write


def test_load_idx_options(pair):
    x, t = load_idx(*pair())
    np.testing.assert_array_equal(x, (IMAGES / np.float32(255)).reshape(5, 9))
    np.testing.assert_array_equal(t, LABELS)
    assert x.dtype == np.float32 and t.dtype == np.uint8
    x, t = load_idx(*pair(), normalize=False, flatten=False, one_hot_label=True)
    np.testing.assert_array_equal(x, IMAGES[:, None])
    np.testing.assert_array_equal(t, np.eye(4)[LABELS])


def test_load_idx_other_types(pair):
    colour = np.linspace(-1, 1, 5 * 3 * 4 * 4).reshape(5, 3, 4, 4)
    x, t = load_idx(*pair(colour, LABELS, 0x0E, 0x0C), flatten=False)
    np.testing.assert_array_equal(x, colour.astype(np.float32))  # not scaled: only uint8 is
    assert x.shape == (5, 3, 4, 4) and t.dtype == np.int32
    x, _ = load_idx(*pair(colour, LABELS, 0x0E), normalize=False)
    np.testing.assert_array_equal(x, colour.reshape(5, 48))
    assert x.dtype == np.float64


@pytest.mark.parametrize(
    "arguments, words",
    [
        ((IMAGES, LABELS[:4]), "t.gz: expected 5 labels like the images in x, got 4"),
        ((LABELS, LABELS), r"x: expected images \(N, H, W\) or \(N, C, H, W\), got uint8 \(5,\)"),
        ((IMAGES, IMAGES), r"t.gz: expected integers \(N,\), got uint8 \(5, 3, 3\)"),
        ((IMAGES, LABELS, 8, 0x0D), r"t.gz: expected integers \(N,\), got float32 \(5,\)"),
        ((IMAGES, LABELS - 4.0, 8, 0x09), "t.gz: expected labels 0 to 65535, got labels -4 to -1"),
        ((IMAGES, LABELS * 70000.0, 8, 0x0C), "got labels 0 to 210000"),
    ],
)
def test_load_idx_pairs_that_do_not_fit(pair, arguments, words):
    with pytest.raises(ValueError, match=rf"^\[load_idx\] .*{words}"):
        load_idx(*pair(*arguments))
