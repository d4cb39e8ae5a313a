"""The shapes in the table of cases, without a library: what `cases.py` makes its cases from.

They lie around the sizes at which kernels change their path: multiples of 4, 6, 8, 12, 14, 16 and
32 and their neighbours, one row, one column, one pixel, and a few that fill several tiles.
"""

from __future__ import annotations

from typing import Any, NamedTuple

Pair = int | tuple[int, int]


def pair(value: Pair) -> tuple[int, int]:
    return (value, value) if isinstance(value, int) else value


def windows(size: int, window: int, stride: int, pad: int, dilation: int = 1) -> int:
    """How many windows fit along one axis."""
    return (size + 2 * pad - dilation * (window - 1) - 1) // stride + 1


class Conv(NamedTuple):
    """The sizes of one convolution."""

    N: int
    C: int
    H: int
    W: int
    FN: int
    FH: int
    FW: int
    stride: Pair = 1
    pad: Pair = 0
    dilation: Pair = 1
    groups: int = 1

    @property
    def window(self) -> dict[str, Pair]:
        """The options that are not the default, as keyword arguments."""
        options = {"stride": self.stride, "pad": self.pad, "dilation": self.dilation}
        return {k: v for k, v in options.items() if v != self._field_defaults[k]}

    @property
    def kwargs(self) -> dict[str, Any]:
        return {**self.window, **({"groups": self.groups} if self.groups > 1 else {})}

    @property
    def x(self) -> tuple[int, int, int, int]:
        return self.N, self.C, self.H, self.W

    @property
    def filters(self) -> tuple[int, int, int, int]:
        return self.FN, self.C // self.groups, self.FH, self.FW

    @property
    def out(self) -> tuple[int, int]:
        (sh, sw), (ph, pw), (dh, dw) = pair(self.stride), pair(self.pad), pair(self.dilation)
        return windows(self.H, self.FH, sh, ph, dh), windows(self.W, self.FW, sw, pw, dw)

    @property
    def y(self) -> tuple[int, int, int, int]:
        return self.N, self.FN, *self.out


class Pool(NamedTuple):
    """The sizes of one pooling; stride None means the kernel."""

    N: int
    C: int
    H: int
    W: int
    kernel: Pair
    stride: Pair | None = None
    pad: Pair = 0

    @property
    def kwargs(self) -> dict[str, Any]:
        options = {"stride": self.stride, "pad": self.pad}
        return {k: v for k, v in options.items() if v != self._field_defaults[k]}

    @property
    def x(self) -> tuple[int, int, int, int]:
        return self.N, self.C, self.H, self.W

    @property
    def y(self) -> tuple[int, int, int, int]:
        (fh, fw), (ph, pw) = pair(self.kernel), pair(self.pad)
        sh, sw = pair(self.kernel if self.stride is None else self.stride)
        return self.N, self.C, windows(self.H, fh, sh, ph), windows(self.W, fw, sw, pw)


GEMM = [  # M, K, N
    (1, 1, 1),
    (1, 784, 50),  # the book's first layer, one image
    (100, 784, 50),  # and a batch
    (100, 50, 10),
    (1, 100, 64),  # one row, one column, one product per element
    (64, 100, 1),
    (31, 1, 33),
    (1, 1, 40),
    (40, 1, 1),
    (1, 300, 1),
    (64, 300, 10),  # ten of each
    (10, 65, 64),
    (65, 10, 64),
    (10, 10, 10),
    (3, 5, 7),  # around the tiles of the kernels
    (4, 8, 6),
    (5, 9, 7),
    (6, 16, 16),
    (7, 17, 15),
    (8, 8, 8),
    (11, 32, 24),
    (12, 31, 14),
    (13, 33, 31),
    (14, 32, 32),
    (15, 31, 33),
    (16, 64, 48),
    (17, 65, 49),
    (28, 12, 96),
    (130, 257, 70),  # several tiles in every direction
    (97, 513, 101),
    (269, 530, 50),  # transposed, the product is computed as its transpose
    (200, 40, 300),
    (20, 1500, 40),  # K in eight chunks, each with a sum of its own
    (2, 3000, 50),  # and for a single row
    (180, 800, 150),  # several stretches of K, B packed for several tiles
    (256, 20, 24),  # columns of A a page apart
    (30, 25, 2500),  # a C that comes from memory, B read where it lies
    (30, 25, 2560),  # rows of B a page apart: several slivers packed together
    (30, 41, 2500),  # too many rows of B to stay where they lie
    (7, 17, 9403),  # and a last sliver alone
    (336, 12, 2),  # columns that are an edge alone, under several tiles of rows
    (13, 70, 17),  # one column beyond a sliver, two, three, four
    (31, 65, 50),
    (9, 100, 35),
    (43, 129, 20),
    (1, 40, 217),  # strips of a row, the last one short
    (2, 30, 5),  # a row shorter than a vector
    (33, 1, 130),  # outer products in strips
]
GEMM_BATCHED = [
    (1, 3, 4, 5),
    (3, 7, 17, 9),
    (5, 1, 20, 10),
    (4, 16, 8, 1),
    (7, 33, 12, 31),
    (2, 50, 800, 34),
    (2, 9, 1, 70),
]

CONV = [
    Conv(2, 1, 28, 28, 6, 5, 5),  # SimpleConvNet
    Conv(2, 1, 14, 14, 16, 3, 3, pad=1),  # DeepConvNet
    Conv(2, 1, 28, 28, 6, 5, 5, pad=2),  # LeNet-5: the last two vectors of a row overlap
    Conv(3, 6, 14, 14, 16, 5, 5),
    Conv(1, 30, 9, 31, 20, 5, 5, pad=2),  # the same, several stretches of channels
    Conv(2, 5, 21, 61, 7, 3, 5, stride=2, pad=1),
    Conv(2, 3, 6, 30, 5, 2, 3, pad=40),  # the same, from padding that is mostly all there is
    Conv(1, 16, 14, 14, 32, 3, 3, pad=2),
    Conv(3, 32, 8, 8, 64, 3, 3, pad=1),
    Conv(1, 1, 1, 1, 1, 1, 1),
    Conv(1, 3, 7, 7, 1, 5, 5),
    Conv(10, 3, 7, 7, 4, 5, 5),
    Conv(2, 16, 7, 7, 12, 1, 1),  # 1x1
    Conv(2, 13, 9, 9, 10, 1, 1, stride=2),
    Conv(1, 4, 6, 6, 5, 1, 1, pad=1),
    Conv(1, 3, 7, 5, 4, 3, 2),  # odd sizes
    Conv(3, 5, 11, 9, 7, 3, 3, stride=2, pad=1),
    Conv(2, 2, 10, 13, 3, 4, 2, stride=3, pad=1),
    Conv(1, 3, 31, 33, 8, 7, 7, stride=2, pad=3),  # the first layers of ResNet and AlexNet
    Conv(1, 3, 35, 35, 12, 11, 11, stride=4, pad=2),
    Conv(1, 2, 12, 11, 3, 3, 3, stride=(2, 1)),  # one value per axis
    Conv(2, 3, 9, 17, 4, 3, 5, stride=(1, 3), pad=(0, 2)),
    Conv(1, 2, 8, 9, 5, 3, 3, pad=(3, 1)),
    Conv(1, 3, 11, 12, 4, 3, 3, dilation=2),
    Conv(2, 2, 13, 10, 3, 3, 2, dilation=(2, 1), pad=(1, 0)),
    Conv(1, 2, 9, 17, 3, 2, 3, stride=2, pad=2, dilation=(1, 3)),
    Conv(1, 2, 9, 9, 3, 2, 2, stride=3),  # stride beyond the filter: some pixels are never seen
    Conv(1, 2, 8, 7, 2, 1, 1, stride=(3, 2)),
    Conv(1, 2, 4, 4, 3, 2, 2, pad=3),  # whole windows in the padding
    Conv(2, 3, 5, 4, 6, 5, 4),  # the filter is the image
    Conv(1, 2, 3, 2, 4, 5, 5, pad=2),  # larger than the image
    Conv(2, 3, 1, 17, 4, 1, 3, pad=(0, 1)),  # one row, one column
    Conv(2, 3, 19, 1, 4, 3, 1),
    Conv(2, 4, 6, 7, 6, 3, 3, pad=1, groups=2),  # groups
    Conv(1, 6, 8, 5, 9, 3, 2, stride=2, groups=3),
    Conv(2, 8, 9, 9, 8, 3, 3, pad=1, groups=8),  # depthwise
    Conv(1, 33, 7, 10, 33, 5, 3, stride=(2, 1), pad=2, groups=33),
    Conv(1, 5, 7, 7, 10, 3, 3, dilation=2, pad=2, groups=5),
    Conv(2, 16, 5, 5, 24, 1, 1, groups=4),
    Conv(3, 8, 28, 28, 8, 3, 3, pad=1, groups=8),  # narrow groups: whole vectors, and the rest
    Conv(3, 6, 15, 21, 6, 3, 3, stride=2, pad=1, groups=6),
    Conv(2, 3, 34, 35, 6, 3, 3, stride=2, groups=3),  # two filters for each channel, no padding
    Conv(2, 5, 13, 33, 5, 3, 3, groups=5),
    Conv(2, 4, 14, 17, 4, 5, 5, pad=2, groups=4),
    Conv(2, 4, 19, 40, 12, 5, 5, stride=2, pad=2, groups=4),
    Conv(2, 6, 9, 31, 6, 3, 3, pad=2, groups=3),  # groups of 2, 3, 4, 5 and 8 channels
    Conv(2, 9, 12, 16, 6, 3, 3, pad=1, groups=3),
    Conv(2, 8, 17, 19, 8, 3, 3, pad=1, groups=2),
    Conv(1, 10, 11, 18, 10, 3, 3, stride=2, pad=1, groups=2),
    Conv(2, 16, 10, 23, 16, 3, 3, pad=1, groups=2),
    Conv(1, 3, 15, 37, 3, 7, 7, pad=3, groups=3),  # columns of 2, 4, 5 and 7 taps, with strides
    Conv(2, 3, 13, 20, 6, 4, 2, groups=3),
    Conv(1, 3, 29, 36, 3, 7, 7, stride=2, pad=3, groups=3),
    Conv(1, 4, 24, 41, 4, 5, 5, stride=2, pad=2, groups=4),
    Conv(1, 2, 11, 40, 2, 2, 3, stride=2, groups=2),
    Conv(2, 4, 9, 40, 4, 1, 1, stride=2, groups=4),
    Conv(2, 3, 9, 36, 3, 3, 3, stride=2, pad=1, groups=3),  # dx by pairs: vectors across, and rest
    Conv(1, 4, 11, 47, 8, 3, 5, stride=(3, 2), pad=(1, 2), groups=2),
    Conv(1, 4, 8, 83, 4, 2, 3, stride=(1, 2), pad=3, dilation=(2, 3), groups=4),
    Conv(1, 2, 140, 66, 2, 5, 4, stride=2, pad=1, dilation=(1, 2), groups=2),
    Conv(1, 2, 7, 150, 2, 2, 1, stride=(3, 2), groups=2),
    Conv(2, 18, 9, 20, 36, 3, 3, pad=1, groups=2),  # too wide for them
    Conv(70, 3, 7, 7, 3, 3, 3, pad=1, groups=3),  # several parts of a sum
    Conv(1, 64, 7, 7, 64, 3, 3, pad=1, groups=64),  # several groups in a tile
    Conv(2, 2, 150, 61, 2, 3, 3, pad=1, groups=2),  # several strips of an image
    Conv(1, 2, 151, 62, 4, 3, 3, stride=2, pad=1, groups=2),
    Conv(1, 2, 4, 40, 2, 3, 3, stride=(1, 3), pad=1, groups=2),  # stride 3
    Conv(1, 2, 9, 40, 2, 2, 2, stride=3, groups=2),
    Conv(2, 8, 6, 19, 16, 1, 1, groups=4),
    Conv(1, 2, 3, 5, 2, 3, 3, pad=6, groups=2),  # mostly padding
    Conv(1, 2, 30, 30, 2, 19, 29, pad=9, groups=2),  # too many taps
    Conv(2, 4, 5, 4, 6, 2, 3, stride=(1, 2), pad=(0, 1), groups=2),  # everything at once
    Conv(1, 3, 6, 5, 6, 3, 2, stride=(2, 1), pad=(1, 2), dilation=(1, 2), groups=3),
    Conv(2, 2, 6, 5, 3, 2, 3, stride=2, pad=2, dilation=(3, 2)),
    Conv(1, 3, 6, 16, 10, 3, 3, pad=1),  # rows and filters around the tiles of the kernels
    Conv(1, 4, 5, 15, 13, 3, 3, pad=1),
    Conv(1, 5, 4, 17, 16, 3, 3, pad=1),
    Conv(1, 7, 4, 31, 17, 3, 3, pad=1),
    Conv(1, 8, 3, 33, 31, 3, 3, pad=1),
    Conv(2, 12, 6, 14, 33, 3, 3),
    Conv(1, 32, 16, 17, 33, 3, 3, pad=2, dilation=2),  # Winograd's tiles of dilated windows
    Conv(2, 48, 20, 25, 32, 3, 3, pad=(1, 3), dilation=(1, 3)),
    Conv(1, 32, 27, 9, 40, 3, 3, pad=(3, 1), dilation=(3, 1)),
    Conv(4, 16, 20, 20, 24, 3, 3, pad=1),  # several tiles
    Conv(9, 20, 13, 13, 40, 3, 3, stride=2, pad=1),
    Conv(2, 1, 28, 28, 30, 5, 5),  # dx as a sum of shifted products: rows of 24, 5 taps in a tile
    Conv(1, 3, 70, 61, 17, 7, 7, stride=2, pad=3),  # several parts of an image
    Conv(1, 32, 41, 62, 18, 3, 3, stride=2, pad=1),  # several strips of rows
    Conv(2, 26, 8, 7, 330, 3, 3, stride=2),  # filters and channels in several stretches
    Conv(2, 3, 23, 19, 16, 2, 2, stride=(4, 3), pad=1),  # pixels between the windows, and below
    Conv(3, 2, 12, 3, 20, 3, 3, stride=(3, 1), pad=1),  # several rows in one vector
    Conv(2, 8, 11, 9, 40, 3, 3, stride=2, pad=1, dilation=(1, 3), groups=2),
    Conv(2, 3, 9, 17, 16, 1, 1, stride=2),
    Conv(1, 2, 6, 5, 16, 3, 2, pad=4),
]

POOL = [
    Pool(2, 3, 24, 24, 2),  # the book's
    Pool(1, 1, 1, 1, 1),
    Pool(2, 5, 7, 9, 2),  # odd sizes: the last row and column are not seen
    Pool(1, 2, 9, 9, 3),
    Pool(2, 3, 8, 7, 3, 2),  # windows that overlap
    Pool(1, 4, 13, 13, 3, 2, 1),
    Pool(2, 3, 7, 6, 3, 1, 1),
    Pool(1, 3, 6, 6, 2, 3),  # pixels between the windows
    Pool(1, 2, 11, 12, (2, 3), (3, 1)),  # one value per axis
    Pool(2, 2, 9, 10, (3, 2), (1, 2), (1, 0)),
    Pool(1, 2, 5, 4, (5, 4)),  # the window is the image
    Pool(1, 3, 1, 17, (1, 3), (1, 2), (0, 1)),
    Pool(1, 1, 3, 3, 4, 1, 2),  # larger than the image
    Pool(1, 2, 15, 33, 2, 1, 1),
    Pool(3, 17, 16, 16, 2),
    Pool(1, 1, 20, 31, (4, 2), 2, 1),
    Pool(
        1, 2, 9, 33, 3, 2, 1
    ),  # backward by pixels: widths around the vectors, all pads, all steps
    Pool(1, 2, 6, 32, 3, 2),
    Pool(1, 2, 7, 31, (3, 2), (2, 2), (1, 1)),
    Pool(1, 2, 7, 17, (1, 3), (1, 2), (0, 2)),
    Pool(1, 2, 8, 15, (2, 3), (5, 1), (1, 2)),
    Pool(1, 2, 9, 16, (3, 2), (2, 1), (2, 1)),
    Pool(1, 2, 5, 1, 3, 2, 1),
    Pool(8, 32, 28, 28, 2),  # several tiles
    Pool(4, 32, 28, 27, 3, 2, 1),
    Pool(2, 3, 19, 37, 3, 2),  # whole vectors of windows of 3x3, and some a second time
    Pool(1, 2, 8, 38, 3, 2, 2),
    Pool(1, 2, 3, 35, 3, 2, (0, 1)),
    Pool(1, 2, 5, 46, 2),  # rows of 2x2 windows: whole vectors and a rest, halves, less
    Pool(1, 2, 4, 12, 2),
    Pool(1, 2, 4, 7, 2),
]


def copies(size: int) -> dict[str, list[int]]:
    """The old pixel of each new one along an axis of this size, where each is a copy of one."""
    line, out = list(range(size)), size  # an index of `size` is outside
    return {
        "same": line,
        "padded": [out, out, *line, out],
        "cropped": line[size // 3 :] or [0],
        "outside": [out] * (size + 8),
        "edge": [0] * 2 + line + [size - 1] * 9,
        "reflected": [*line[1:3][::-1], *line, *line[-3:-1][::-1]],
        "reversed": line[::-1],
        "twice": [i // 2 for i in range(2 * size)],
        "twice, cut": [out, *(i // 2 for i in range(1, 2 * size - 1)), out],
        "three times": [i // 3 for i in range(3 * size)],
        "one and a half": [2 * i // 3 for i in range(3 * size // 2)],
        "every other": line[::2],
        "mixed": [size // 2, out, *line[:5], *line[:6], out, 0, 0, *line[::-1], out],
    }


COPY_SIZES = [1, 3, 4, 5, 7, 8, 9, 16, 17, 35]

ARRAYS = [(1,), (3,), (7,), (8,), (9,), (15,), (16,), (17,), (31,), (32,), (33,), (65,), (100, 10)]
ARRAYS += [(5, 7), (2, 3, 4, 5), (1000,), (100_003,)]
CHANNELS = [(1, 1), (1, 7), (9, 1), (100, 10), (33, 17), (1000, 33), (2, 3, 4, 5), (1, 1, 1, 1)]
CHANNELS += [(5, 3, 7, 7), (16, 33, 3, 3), (3, 2, 1, 1), (1, 4, 9, 15), (4, 16, 40, 40)]
ROWS = [(1, 1), (3, 1), (1, 10), (100, 10), (7, 17), (5, 33), (4, 100), (2, 1000), (1001, 10)]
ROWS += [(3, 70), (3, 130), (3, 1500), (1, 2700), (1, 8200)]  # as GPUs divide them among threads

NAN, INF = float("nan"), float("inf")
SPECIAL_VALUES = [0.0, -0.0, 1e-30, -1e-30, 0.5, -0.5, 20.0, -20.0, 80.0, -80.0, 1e4, -1e4]
SPECIAL_VALUES += [INF, -INF, NAN, 1.0, 3.0]
SPECIAL_IMAGES = {
    "ties": [[1, 1, 2, 2], [1, 1, 2, 2], [0, -1, 5, 4], [-1, 0, 4, 5]],
    "NaN": [[1, NAN, 3, NAN], [NAN, 4, INF, NAN], [NAN, 0, 1, 1], [0, 1, 2, NAN]],
    "-inf": [[-INF, -INF, -INF, -INF], [-INF, -INF, 0, 0], [-INF] * 4, [-INF, 1, -INF, INF]],
}
SPECIAL_ROWS = [  # scores; the last row is NaN by definition
    [1e4, -1e4, 0.0],
    [-1e4, -1e4, -1e4],
    [0.0, -INF, 1.0],
    [-INF, -INF, 2.0],
    [-INF, 1e4, 1e4],
    [-INF, -INF, -INF],
]

# ---- optimizer updates: op, state, numbers -----------------------------------------------------

UPDATES: list[tuple[str, str, tuple[float, ...]]] = [
    ("sgd", "", (0.1,)),
    ("momentum", "v", (0.1, 0.9)),
    ("nesterov", "v", (0.1, 0.9)),
    ("lars", "v", (0.1, 0.9, 0.01, 0.5)),
    ("lars", "0", (0.1, 0.9, 0.01, 0.5)),
    ("rprop", "0 h", (1e-6, 50.0, 0.5, 1.2)),
    ("rprop", "sign h", (0.2, 1.5, 0.5, 1.2)),
    ("adagrad", "h", (0.01,)),
    ("rmsprop", "h", (0.01, 0.99)),
    ("adadelta", "0 0", (1.0, 0.9, 1e-6)),
    ("adadelta", "h u", (0.5, 0.95, 1e-6)),
    ("adam", "0 0", (0.001, 0.9, 0.999, 1)),
    ("adam", "v h", (0.001, 0.9, 0.999, 7)),
    ("adamw", "v h", (0.1, 0.9, 0.999, 0.5, 7)),
    ("nadam", "0 0", (0.001, 0.9, 0.999, 1)),
    ("nadam", "v h", (0.001, 0.9, 0.999, 7)),
    ("amsgrad", "v h u", (0.001, 0.9, 0.999, 7)),
    ("average", "", (0.01,)),
]
