"""Convolution, its two gradients, and the book's im2col and col2im."""

from __future__ import annotations

from pynet._types import Array, ArrayLike, Pair, Shape
from pynet.backend import of


def conv2d(
    x: ArrayLike,
    W: ArrayLike,
    b: ArrayLike | None = None,
    *,
    stride: Pair = 1,
    pad: Pair = 0,
    dilation: Pair = 1,
    groups: int = 1,
    relu: bool = False,
    out: Array | None = None,
) -> Array:
    """Return `y[n,f,i,j] = b[f] + sum over c,p,q of W[f,c,p,q] * x[n, c, i*s + p*d - pad, ...]`.

    Shapes: x (N, C, H, W), W (FN, C/groups, FH, FW), b (FN,), a scalar or None,
    y (N, FN, OH, OW) with OH = (H + 2*pad - dilation*(FH-1) - 1) // stride + 1. Outside the image
    x counts as 0. With groups, filter f sees the f*groups//FN-th part of the channels. With
    `relu` it is max(0, y), as `relu` of the result gives it.

    Raises ValueError when shapes do not fit, an output side is below 1, or a stride, dilation or
    padding is out of range.

    In float32, 3x3 filters with stride 1 on several channels take Winograd's way where that is
    faster: 2.25 to 4 times fewer products, an error of up to 4e-6 of the largest |y| (normal data,
    up to 512 channels) where the direct way has 1e-6, and an infinity or NaN in x may spoil the
    4x4 outputs around it (with dilation: of those that are a multiple of it away).
    `pynet.set_winograd(False)` or PYNET_WINOGRAD=0 turns it off.

    Source: Chellapilla, Puri and Simard, "High Performance Convolutional Neural Networks for
    Document Processing", 2006 (im2col and one matrix product; here the columns are never built);
    Lavin and Gray, "Fast Algorithms for Convolutional Neural Networks", 2016.
    """
    return of(x).conv2d(
        x,
        W,
        b,
        stride=stride,
        pad=pad,
        dilation=dilation,
        groups=groups,
        relu=relu,
        out=out,
    )


def conv2d_max_pool2d(
    x: ArrayLike,
    W: ArrayLike,
    b: ArrayLike | None,
    kernel: Pair,
    *,
    stride: Pair = 1,
    pad: Pair = 0,
    dilation: Pair = 1,
    groups: int = 1,
    relu: bool = False,
) -> tuple[Array, Array]:
    """Return `max_pool2d(conv2d(x, W, b), kernel)` and its arg, the convolution never stored.

    Shapes: x (N, C, H, W), W (FN, C/groups, FH, FW), b (FN,), a scalar or None, y and arg
    (N, FN, OH // kernel, OW // kernel), with OH, OW and the options of `conv2d`. The windows lie
    side by side: their stride is `kernel`, and there is no padding. With `relu` it is the maximum
    of max(0, ...). The bits are those of the ops one after the other; for the way back see
    `max_pool2d_backward` and its y.

    Raises ValueError as `conv2d` does, and when a window is larger than the output of the
    convolution.
    """
    return of(x).conv2d_max_pool2d(
        x,
        W,
        b,
        kernel,
        stride=stride,
        pad=pad,
        dilation=dilation,
        groups=groups,
        relu=relu,
    )


def conv2d_dx(
    dout: ArrayLike,
    W: ArrayLike,
    x_shape: Shape,
    *,
    stride: Pair = 1,
    pad: Pair = 0,
    dilation: Pair = 1,
    groups: int = 1,
    out: Array | None = None,
    add: bool = False,
) -> Array:
    """Return dx, the gradient of `conv2d` for its input: each dout spread back over its window.

    Shapes: dout (N, FN, OH, OW), W (FN, C/groups, FH, FW), dx as `x_shape`. `add` adds into `out`.
    Winograd's way is taken as in `conv2d`, with the same error.

    Raises ValueError when shapes do not fit.
    """
    return of(W).conv2d_dx(
        dout,
        W,
        x_shape,
        stride=stride,
        pad=pad,
        dilation=dilation,
        groups=groups,
        out=out,
        add=add,
    )


def conv2d_dW(
    dout: ArrayLike,
    x: ArrayLike,
    W_shape: Shape,
    *,
    stride: Pair = 1,
    pad: Pair = 0,
    dilation: Pair = 1,
    groups: int = 1,
    out: Array | None = None,
) -> Array:
    """Return dW, the gradient of `conv2d` for its filters: the sum of dout times the window.

    Shapes: dout (N, FN, OH, OW), x (N, C, H, W), dW as `W_shape` (FN, C/groups, FH, FW).
    Winograd's way is taken as in `conv2d`.

    Raises ValueError when shapes do not fit.
    """
    return of(x).conv2d_dW(
        dout, x, W_shape, stride=stride, pad=pad, dilation=dilation, groups=groups, out=out
    )


def im2col(
    x: ArrayLike, FH: int, FW: int, *, stride: Pair = 1, pad: Pair = 0, dilation: Pair = 1
) -> Array:
    """Return the windows of x as the rows of a matrix.

    Shapes: x (N, C, H, W), result (N*OH*OW, C*FH*FW); rows in the order n, y, x and columns in
    the order c, fy, fx. Padding is 0.

    Raises ValueError when x is not 4-D or an output side is below 1.
    """
    return of(x).im2col(x, FH, FW, stride=stride, pad=pad, dilation=dilation)


def col2im(
    col: ArrayLike,
    x_shape: Shape,
    FH: int,
    FW: int,
    *,
    stride: Pair = 1,
    pad: Pair = 0,
    dilation: Pair = 1,
) -> Array:
    """Return the adjoint of `im2col`: rows go back to their windows, overlaps add up.

    Shapes: col (N*OH*OW, C*FH*FW), result as `x_shape` (N, C, H, W).

    Raises ValueError when the shapes do not belong together.
    """
    return of(col).col2im(col, x_shape, FH, FW, stride=stride, pad=pad, dilation=dilation)
