"""The book's helpers."""

from __future__ import annotations

import numpy as np
import pytest

from pynet.util import col2im, conv_output_size, im2col, shuffle_dataset, smooth_curve


@pytest.mark.parametrize(("length", "result"), [(10, 9), (11, 11), (12, 12), (100, 100)])
def test_smooth_curve_keeps_the_length_from_11_on(length, result):
    assert len(smooth_curve(np.arange(float(length)))) == result


def test_smooth_curve_is_a_weighted_mean_of_11_neighbours():
    np.testing.assert_allclose(smooth_curve(np.full(20, 3.0)), 3.0)
    peak = np.zeros(31)
    peak[15] = 1.0
    smooth = smooth_curve(peak)
    window = np.kaiser(11, 2) / np.kaiser(11, 2).sum()
    np.testing.assert_allclose(smooth[10:21], window)
    assert not smooth[:10].any() and not smooth[21:].any()


def test_smooth_curve_mirrors_the_ends():
    x = np.random.default_rng(0).standard_normal(20)
    window = np.kaiser(11, 2) / np.kaiser(11, 2).sum()
    first = [x[abs(i)] for i in range(-5, 6)]
    np.testing.assert_allclose(smooth_curve(x)[0], np.dot(window, first))


@pytest.mark.parametrize("shape", [(6, 2), (6, 1, 2, 2)])
def test_shuffle_dataset_draws_one_permutation(shape):
    x = np.arange(np.prod(shape)).reshape(shape)
    t = np.arange(6)
    np.random.seed(3)
    order = np.random.permutation(6)
    np.random.seed(3)
    x2, t2 = shuffle_dataset(x, t)
    np.testing.assert_array_equal(t2, order)
    np.testing.assert_array_equal(x2, x[order])


def test_shuffle_dataset_refuses_different_lengths():
    with pytest.raises(ValueError, match=r"\[shuffle_dataset\] t: expected 6 .*, got 5"):
        shuffle_dataset(np.zeros((6, 2)), np.zeros(5))


def test_conv_output_size_is_a_float_and_not_floored():
    assert conv_output_size(28, 5) == 24.0
    assert isinstance(conv_output_size(28, 5), float)
    assert conv_output_size(8, 3, 2) == 3.5
    assert conv_output_size(7, 5, stride=1, pad=2) == 7.0


@pytest.mark.parametrize(("N", "rows"), [(1, 9), (10, 90)])
def test_im2col_of_the_book(N, rows):
    x = np.random.default_rng(0).standard_normal((N, 3, 7, 7))
    assert im2col(x, 5, 5, stride=1, pad=0).shape == (rows, 75)


@pytest.mark.parametrize("dtype", [np.float32, np.float64, np.uint8])
@pytest.mark.parametrize(("stride", "pad"), [(1, 0), (2, 1), (3, 2)])
def test_im2col_lists_windows_in_the_books_order(dtype, stride, pad):
    x = np.random.default_rng(0).integers(0, 255, (2, 3, 6, 5)).astype(dtype)
    padded = np.pad(x, ((0, 0), (0, 0), (pad, pad), (pad, pad)))
    FH, FW = 3, 2
    OH, OW = (6 + 2 * pad - FH) // stride + 1, (5 + 2 * pad - FW) // stride + 1
    want = [
        padded[n, :, y * stride : y * stride + FH, x_ * stride : x_ * stride + FW].ravel()
        for n in range(2)
        for y in range(OH)
        for x_ in range(OW)
    ]
    col = im2col(x, FH, FW, stride, pad)
    np.testing.assert_array_equal(col, want)
    assert col.dtype == (np.float64 if dtype == np.float64 else np.float32)


@pytest.mark.parametrize(("stride", "pad"), [(1, 0), (1, 1), (2, 1)])
def test_col2im_is_the_adjoint_so_overlaps_add(stride, pad):
    rng = np.random.default_rng(1)
    x = rng.standard_normal((2, 3, 6, 5))
    col = im2col(x, 3, 2, stride, pad)
    other = rng.standard_normal(col.shape)
    image = col2im(other, x.shape, 3, 2, stride, pad)
    assert image.shape == x.shape
    assert np.vdot(col, other) == pytest.approx(np.vdot(x, image), rel=1e-12)


def test_col2im_counts_how_often_a_pixel_was_seen():
    seen = col2im(np.ones((4, 4)), (1, 1, 3, 3), 2, 2)
    assert seen[0, 0].tolist() == [[1, 2, 1], [2, 4, 2], [1, 2, 1]]


def test_star_import_brings_np():
    scope: dict = {}
    exec("from pynet.util import *", scope)
    assert scope["np"] is np and "smooth_curve" in scope
