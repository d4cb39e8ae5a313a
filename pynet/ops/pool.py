"""Max, average and global average pooling."""

from __future__ import annotations

from pynet._types import Array, ArrayLike, Pair, Shape
from pynet.backend import of


def max_pool2d(
    x: ArrayLike, kernel: Pair, *, stride: Pair | None = None, pad: Pair = 0
) -> tuple[Array, Array]:
    """Return the maximum of each window, and where in its window it was.

    Shapes: x (N, C, H, W), y (N, C, OH, OW), arg int32 (N, C, OH, OW) = fy*FW + fx, with
    OH = (H + 2*pad - FH) // stride + 1; `stride` None means the kernel. Of equal values the first
    in row order counts; padding never wins; a NaN wins, as in `np.argmax`.

    Raises ValueError when x is not 4-D, a size is out of range, or a window sees padding only.

    Source: Zhou and Chellappa, "Computation of Optical Flow Using a Neural Network", 1988.
    """
    return of(x).max_pool2d(x, kernel, stride=stride, pad=pad)


def max_pool2d_backward(
    dout: ArrayLike,
    arg: Array,
    x_shape: Shape,
    kernel: Pair,
    *,
    stride: Pair | None = None,
    pad: Pair = 0,
    y: Array | None = None,
    out: Array | None = None,
    add: bool = False,
) -> Array:
    """Return dx: each dout goes to its window's maximum, overlapping windows add up.

    Shapes: dout and arg (N, C, OH, OW), dx as `x_shape`. `add` adds into `out`.

    Where x came out of `relu`, its output y (N, C, OH, OW) lets this do `relu_backward` in the same
    pass: dout counts only where y > 0, and dx is the gradient of what went into relu.

    Raises ValueError when shapes do not fit.
    """
    return of(dout).max_pool2d_backward(
        dout, arg, x_shape, kernel, stride=stride, pad=pad, y=y, out=out, add=add
    )


def avg_pool2d(
    x: ArrayLike,
    kernel: Pair,
    *,
    stride: Pair | None = None,
    pad: Pair = 0,
    count_pad: bool = True,
) -> Array:
    """Return the mean of each window; without `count_pad` only of its pixels inside the image.

    Shapes: x (N, C, H, W), y (N, C, OH, OW) as in `max_pool2d`.

    Raises ValueError when x is not 4-D, a size is out of range, or a window sees padding only.

    Source: LeCun et al., "Gradient-Based Learning Applied to Document Recognition", 1998.
    """
    return of(x).avg_pool2d(x, kernel, stride=stride, pad=pad, count_pad=count_pad)


def avg_pool2d_backward(
    dout: ArrayLike,
    x_shape: Shape,
    kernel: Pair,
    *,
    stride: Pair | None = None,
    pad: Pair = 0,
    count_pad: bool = True,
    out: Array | None = None,
    add: bool = False,
) -> Array:
    """Return dx: each dout shared equally among the pixels it was the mean of.

    Shapes: dout (N, C, OH, OW), dx as `x_shape`. `add` adds into `out`.

    Raises ValueError when shapes do not fit.
    """
    return of(dout).avg_pool2d_backward(
        dout, x_shape, kernel, stride=stride, pad=pad, count_pad=count_pad, out=out, add=add
    )


def global_avg_pool2d(x: ArrayLike) -> Array:
    """Return the mean of each channel: x (N, C, H, W), y (N, C).

    Raises ValueError when x is not 4-D.

    Source: Lin, Chen and Yan, "Network In Network", 2014.
    """
    return of(x).global_avg_pool2d(x)


def global_avg_pool2d_backward(
    dout: ArrayLike, x_shape: Shape, *, out: Array | None = None, add: bool = False
) -> Array:
    """Return dx = dout / (H*W) in every pixel: dout (N, C), dx as `x_shape` (N, C, H, W).

    Raises ValueError when shapes do not fit.
    """
    return of(dout).global_avg_pool2d_backward(dout, x_shape, out=out, add=add)
