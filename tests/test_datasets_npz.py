"""A user's own arrays in an .npz file: what is accepted, and what is refused with which words."""

import io
import tracemalloc
import zipfile

import numpy as np
import pytest

from pynet.datasets import load_npz

RNG = np.random.default_rng(0)
X = RNG.random((12, 4))
T = np.arange(12) % 3


@pytest.fixture
def saved(tmp_path):
    def save(function=np.savez, **arrays):
        function(tmp_path / "data.npz", **arrays)
        return tmp_path / "data.npz"

    return save


def refused(path, words, **options):
    with pytest.raises(ValueError, match=rf"^\[load_npz\] data.npz: expected .*{words}") as caught:
        load_npz(path, **options)
    return str(caught.value)


@pytest.mark.parametrize("save", [np.savez, np.savez_compressed])
def test_split(saved, save):
    path = saved(save, x=X, t=T, other=np.arange(3))
    (x, t), (x_test, t_test) = load_npz(path)
    assert x.shape == (9, 4) and x_test.shape == (3, 4) and x.dtype == np.float32
    assert sorted(t_test) == [0, 1, 2]
    rows = {row.tobytes(): label for row, label in zip(X.astype(np.float32), T)}
    for part, labels in ((x, t), (x_test, t_test)):
        assert [rows[row.tobytes()] for row in part] == labels.tolist()
    again = load_npz(str(path), seed=0)
    np.testing.assert_array_equal(again[1][0], x_test)
    assert any((load_npz(path, seed=s)[1][0] != x_test).any() for s in (1, 2, 3))
    assert len(load_npz(path, test_fraction=0.5)[1][1]) == 6


def test_own_test_part_and_one_hot(saved):
    path = saved(x=X[:8], t=np.eye(5)[T[:8]], x_test=X[8:], t_test=T[8:])
    (x, t), (x_test, t_test) = load_npz(path, normalize=False)
    np.testing.assert_array_equal(x, X[:8])
    np.testing.assert_array_equal(x_test, X[8:])
    assert t.tolist() == T[:8].tolist() and t_test.tolist() == T[8:].tolist()
    (_, t), (_, t_test) = load_npz(path, one_hot_label=True)
    assert t.shape == (8, 5) and t_test.shape == (4, 5)
    np.testing.assert_array_equal(t_test, np.eye(5)[T[8:]])


def test_one_hot_has_the_classes_of_both_parts(saved):
    path = saved(x=X[:8], t=T[:8], x_test=X[8:], t_test=T[8:] + 4)
    (_, t), (_, t_test) = load_npz(path, one_hot_label=True)
    assert t.shape == (8, 7) and t_test.shape == (4, 7)


@pytest.mark.parametrize("dtype", ["?", "i1", "u1", ">i2", "<u4", "i8", "f2", ">f4", "f8"])
def test_number_types(saved, dtype):
    x = (X * 100).astype(dtype)
    part = (T > 0) | True
    path = saved(x=x, t=T, x_test=x, t_test=T.astype(">u2"))
    (got, _), (_, t_test) = load_npz(path)
    scale = 255 if dtype == "u1" else 1
    np.testing.assert_array_equal(got, x[part].astype(np.float32) / np.float32(scale))
    assert got.dtype == np.float32 and t_test.dtype == np.uint16 and t_test.dtype.isnative
    (got, _), _ = load_npz(path, normalize=False)
    np.testing.assert_array_equal(got, x)
    assert got.dtype == x.dtype.newbyteorder("=") and got.flags.writeable


def test_shapes(saved):
    for shape, flat, images in (
        ((4, 6), (4, 6), (4, 6)),
        ((4, 2, 3), (4, 6), (4, 1, 2, 3)),
        ((4, 2, 3, 5), (4, 30), (4, 2, 3, 5)),
    ):
        x = np.asfortranarray(RNG.random(shape))
        path = saved(x=x, t=T[:4], x_test=x, t_test=T[:4])
        np.testing.assert_array_equal(load_npz(path, False)[0][0], x.reshape(flat))
        got = load_npz(path, False, flatten=False)[0][0]
        np.testing.assert_array_equal(got, x.reshape(images))
        assert got.flags.c_contiguous


def test_nan_and_infinity_are_data(saved):
    x = X.copy()
    x[0, :2] = np.nan, np.inf
    (got, _), _ = load_npz(saved(x=x, t=T, x_test=x, t_test=T))
    np.testing.assert_array_equal(got, x.astype(np.float32))


@pytest.mark.parametrize(
    "arrays, words",
    [
        ({"t": T}, "arrays x and t, .* got t"),
        ({"x": X}, "arrays x and t, .* got x"),
        ({"a": X, "b": T}, "arrays x and t, .* got a, b"),
        ({}, "got an empty file"),
        ({"x": X, "t": T, "x_test": X}, "x_test and t_test or neither, got x, t, x_test"),
        ({"x": X, "t": T, "t_test": T}, "x_test and t_test or neither"),
        ({"x": X, "t": T[:11]}, r"t of 12 labels like x, got shape \(11,\)"),
        ({"x": X, "t": np.int64(3)}, "t of 12 labels"),
        ({"x": X[:, 0], "t": T}, r"x of shape \(N, D\).*, got \(12,\)"),
        ({"x": X.reshape(12, 1, 1, 2, 2), "t": T}, r"got \(12, 1, 1, 2, 2\)"),
        ({"x": X[:0], "t": T[:0]}, r"x with data as in its header, got shape \(0, 4\)"),
        ({"x": X[:1], "t": T[:1]}, "at least 2 samples to split, got 1"),
        ({"x": X + 1j, "t": T}, "x of a real number type, got complex128"),
        ({"x": X.astype(str), "t": T}, "x of a real number type, got <U"),
        ({"x": X, "t": T.astype("M8[s]")}, "t of a real number type, got datetime64"),
        ({"x": X, "t": T + 0.0}, r"t with integer class numbers .*, got float64 \(12,\)"),
        ({"x": X, "t": T[:, None]}, r"t with integer class numbers .*, got int64 \(12, 1\)"),
        ({"x": X, "t": T - 1}, "t from 0 to 65535, got -1 to 1"),
        ({"x": X, "t": T * 10**6}, "t from 0 to 65535, got 0 to 2000000"),
        ({"x": X, "t": np.eye(3)[T] * 2}, "t with one 1 and else 0 in each row"),
        ({"x": X, "t": np.ones((12, 3))}, "t with one 1 and else 0 in each row"),
        ({"x": X, "t": np.full((12, 3), np.nan)}, "t with one 1 and else 0 in each row"),
        ({"x": X, "t": T, "x_test": X[:, :3], "t_test": T}, r"x_test like x, .* \(12, 3\)"),
        ({"x": X, "t": T, "x_test": X.astype("u1"), "t_test": T}, "x_test like x, .* uint8"),
        ({"x": X, "t": T, "x_test": X, "t_test": T[:3]}, "t_test of 12 labels like x_test"),
        ({"x": X, "t": np.eye(3)[T], "x_test": X, "t_test": T + 1}, "t_test of 3 classes, got 4"),
        ({"x": X, "t": T + 1, "x_test": X, "t_test": np.eye(3)[T]}, "t of 3 classes, got 4"),
        (
            {"x": X, "t": np.eye(3)[T], "x_test": X, "t_test": np.eye(4)[T]},
            "t_test of 3 classes, got 4",
        ),
    ],
)
def test_what_is_wrong_is_said(saved, arrays, words):
    refused(saved(**arrays), words)


def test_pickled_objects_are_refused_and_never_run(saved, tmp_path):
    class Bomb:
        def __reduce__(self):
            return open, (str(tmp_path / "run"), "w")

    objects = np.empty(12, object)
    objects[:] = [Bomb() for _ in objects]
    refused(saved(x=X, t=objects), "t of a real number type, got pickled objects")
    records = np.zeros(12, [("a", object)])
    refused(saved(x=X, t=records), "t of a real number type, got pickled objects")
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize("save", [np.savez, np.savez_compressed])
def test_every_truncation_is_refused(saved, save):
    path = saved(save, x=X[:4, :2], t=T[:4])
    content = path.read_bytes()
    for length in range(len(content)):
        path.write_bytes(content[:length])
        refused(path, "")


@pytest.mark.parametrize("save", [np.savez, np.savez_compressed])
def test_flipped_bits_are_refused_or_harmless(saved, save):
    path = saved(save, x=X[:4, :2], t=T[:4], x_test=X[:4, :2], t_test=T[:4])
    content = path.read_bytes()
    harmless = 0
    for bit in range(0, len(content) * 8, 7):
        flipped = bytearray(content)
        flipped[bit // 8] ^= 1 << bit % 8
        path.write_bytes(bytes(flipped))
        try:
            (x, t), _ = load_npz(path, normalize=False)
        except ValueError as error:
            assert str(error).startswith("[load_npz] data.npz: expected ")
        else:  # in a time stamp or another field that no one reads
            harmless += 1
            np.testing.assert_array_equal(x, X[:4, :2])
            assert t.tolist() == T[:4].tolist()
    assert 0 < harmless < len(content) * 8 / 7 / 3


def zipped(path, members, method=zipfile.ZIP_DEFLATED):
    with zipfile.ZipFile(path, "w", method) as archive:
        for name, content in members:
            archive.writestr(name, content)
    return path


def npy(array):
    stream = io.BytesIO()
    np.save(stream, array)
    return stream.getvalue()


def test_bombs_are_refused_before_they_are_unpacked(tmp_path):
    big = npy(np.zeros((64, 1 << 20), np.uint8))
    path = zipped(tmp_path / "data.npz", [("x.npy", big), ("t.npy", npy(np.zeros(64, int)))])
    assert path.stat().st_size < 100_000
    tracemalloc.start()
    refused(path, r"at most 1048576 bytes of arrays \(max_bytes\), got 67", max_bytes=1 << 20)
    assert tracemalloc.get_traced_memory()[1] < 4 << 20
    tracemalloc.stop()
    assert load_npz(path, max_bytes=1 << 27)[0][0].shape == (48, 1 << 20)


def test_headers_that_lie_are_refused_before_anything_is_allocated(tmp_path):
    good, labels = npy(X), npy(T)
    for old, new in (
        (b"(12, 4)", b"(13, 4)"),
        (b"(12, 4), }        ", b"(12000000, 4000), "),
        (b"(12, 4), }     ", b"(-12, -4), }   "),
        (b"<f8", b"<f4"),
        (b"descr", b"discr"),
        (b"\x93NUMPY\x01", b"\x93NUMPY\x09"),
        (b"\x93NUMPY", b"\x93NIMPY"),
    ):
        assert good.count(old) == 1
        content = good.replace(old, new)
        refused(zipped(tmp_path / "data.npz", [("x.npy", content), ("t.npy", labels)]), "x ")
    for content in (good + b"x", good[:-1], good[:50], b""):
        refused(zipped(tmp_path / "data.npz", [("x.npy", content), ("t.npy", labels)]), "")


def test_other_zip_files(tmp_path):
    members = [("x.npy", npy(X)), ("t.npy", npy(T))]
    path = tmp_path / "data.npz"
    refused(zipped(path, members, zipfile.ZIP_BZIP2), "x stored or deflated, .*, got method 12")
    with pytest.warns(UserWarning, match="Duplicate name"):
        zipped(path, [*members, ("x.npy", npy(X))])
    refused(path, "one array x, got several")
    zipped(path, [*members, ("é.npy", npy(X))])
    path.write_bytes(path.read_bytes().replace("é".encode(), b"\xff\xff"))
    refused(path, "got a damaged or other one: 'utf-8' codec")
    np.save(tmp_path / "data", X)
    (tmp_path / "data.npy").replace(path)
    refused(path, r"an .npz file \(np.savez\), got a damaged or other one")


def test_arguments(saved, tmp_path):
    path = saved(x=X, t=T)
    with pytest.raises(FileNotFoundError, match=r"^\[load_npz\] none.npz: expected a file"):
        load_npz(tmp_path / "none.npz")
    with pytest.raises(OSError, match=r"^\[load_npz\] .*: expected a file, got a folder"):
        load_npz(tmp_path)
    with pytest.raises(TypeError, match=r"^\[load_npz\] path: expected a path, got None"):
        load_npz(None)
    with pytest.raises(ValueError, match=r"^\[load_npz\] test_fraction: expected .*, got 1"):
        load_npz(path, test_fraction=1)
    with pytest.raises(TypeError, match=r"^\[load_npz\] seed: expected .*, got None"):
        load_npz(path, seed=None)
