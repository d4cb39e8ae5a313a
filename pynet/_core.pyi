"""The compiled core: the ops, each documented in pynet.ops, and what it runs on."""

from typing import Any

from pynet._types import Array, ArrayLike, DTypeLike, Pair, Shape

def activation(
    x: ArrayLike, name: str, alpha: float = 1.0, beta: float = 1.0, *, out: Array | None = None
) -> Array: ...
def activation_backward(
    dout: ArrayLike,
    x: ArrayLike,
    name: str,
    alpha: float = 1.0,
    beta: float = 1.0,
    *,
    out: Array | None = None,
    add: bool = False,
) -> Array: ...
def adadelta_update(
    p: Array, g: Array, h: Array, u: Array, lr: float, decay_rate: float, eps: float
) -> None: ...
def adagrad_update(p: Array, g: Array, h: Array, lr: float) -> None: ...
def adam_update(
    p: Array, g: Array, m: Array, v: Array, lr: float, beta1: float, beta2: float, iter: int
) -> None: ...
def adamw_update(
    p: Array,
    g: Array,
    m: Array,
    v: Array,
    lr: float,
    beta1: float,
    beta2: float,
    weight_decay: float,
    iter: int,
) -> None: ...
def add(a: ArrayLike, b: ArrayLike, *, out: Array | None = None) -> Array: ...
def amsgrad_update(
    p: Array,
    g: Array,
    m: Array,
    v: Array,
    v_max: Array,
    lr: float,
    beta1: float,
    beta2: float,
    iter: int,
) -> None: ...
def average_update(p: Array, g: Array, rate: float) -> None: ...
def avg_pool2d(
    x: ArrayLike, kernel: Pair, *, stride: Pair | None = None, pad: Pair = 0, count_pad: bool = True
) -> Array: ...
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
) -> Array: ...
def batch_norm(
    x: ArrayLike,
    gamma: ArrayLike,
    beta: ArrayLike,
    running_mean: Array | None,
    running_var: Array | None,
    *,
    momentum: float = 0.9,
    eps: float = 1e-06,
    train: bool = True,
    unbiased: bool = False,
    relu: bool = False,
    out: Array | None = None,
) -> tuple[Array, Array, Array]: ...
def batch_norm_backward(
    dout: ArrayLike,
    x: ArrayLike,
    gamma: ArrayLike,
    mean: Array,
    std: Array,
    *,
    train: bool = True,
    y: ArrayLike | None = None,
    out: Array | None = None,
    dgamma: Array | None = None,
    dbeta: Array | None = None,
) -> tuple[Array, Array, Array]: ...
def caching() -> bool: ...
def clip(x: ArrayLike, low: float, high: float, *, out: Array | None = None) -> Array: ...
def col2im(
    col: ArrayLike,
    x_shape: Shape,
    FH: int,
    FW: int,
    *,
    stride: Pair = 1,
    pad: Pair = 0,
    dilation: Pair = 1,
) -> Array: ...
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
) -> Array: ...
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
) -> Array: ...
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
) -> Array: ...
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
) -> tuple[Array, Array]: ...
def dropout(
    x: ArrayLike, ratio: float, *, seed: int, layer: int, step: int, inverted: bool = False
) -> tuple[Array, Array]: ...
def dropout_backward(
    dout: ArrayLike, mask: Array, *, scale: float = 1.0, out: Array | None = None, add: bool = False
) -> Array: ...
def empty(shape: int | Shape, dtype: DTypeLike = ...) -> Array: ...
def gemm(
    A: ArrayLike,
    B: ArrayLike,
    bias: ArrayLike | None = None,
    trans_a: bool = False,
    trans_b: bool = False,
    alpha: float = 1.0,
    beta: float = 0.0,
    relu: bool = False,
    out: Array | None = None,
) -> Array: ...
def global_avg_pool2d(x: ArrayLike) -> Array: ...
def global_avg_pool2d_backward(
    dout: ArrayLike, x_shape: Shape, *, out: Array | None = None, add: bool = False
) -> Array: ...
def group_norm(
    x: ArrayLike,
    gamma: ArrayLike,
    beta: ArrayLike,
    groups: int = 1,
    *,
    eps: float = 1e-5,
    out: Array | None = None,
) -> tuple[Array, Array, Array]: ...
def group_norm_backward(
    dout: ArrayLike,
    x: ArrayLike,
    gamma: ArrayLike,
    mean: Array,
    std: Array,
    groups: int = 1,
    *,
    out: Array | None = None,
    dgamma: Array | None = None,
    dbeta: Array | None = None,
) -> tuple[Array, Array, Array]: ...
def im2col(
    x: ArrayLike, FH: int, FW: int, *, stride: Pair = 1, pad: Pair = 0, dilation: Pair = 1
) -> Array: ...
def isa() -> str: ...
def isas() -> list[str]: ...
def lars_update(
    p: Array,
    g: Array,
    v: Array,
    lr: float,
    momentum: float,
    weight_decay: float,
    trust: float,
) -> None: ...
def local_response_norm(
    x: ArrayLike,
    *,
    n: int = 5,
    k: float = 2.0,
    alpha: float = 1e-4,
    beta: float = 0.75,
    out: Array | None = None,
) -> tuple[Array, Array]: ...
def local_response_norm_backward(
    dout: ArrayLike,
    x: ArrayLike,
    y: Array,
    scale: Array,
    *,
    n: int = 5,
    alpha: float = 1e-4,
    beta: float = 0.75,
    out: Array | None = None,
    add: bool = False,
) -> Array: ...
def log_softmax(x: ArrayLike) -> Array: ...
def log_softmax_backward(dout: ArrayLike, y: ArrayLike) -> Array: ...
def max_pool2d(
    x: ArrayLike, kernel: Pair, *, stride: Pair | None = None, pad: Pair = 0
) -> tuple[Array, Array]: ...
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
) -> Array: ...
def memory() -> dict[str, int]: ...
def momentum_update(p: Array, g: Array, v: Array, lr: float, momentum: float) -> None: ...
def nadam_update(
    p: Array, g: Array, m: Array, v: Array, lr: float, beta1: float, beta2: float, iter: int
) -> None: ...
def nesterov_update(p: Array, g: Array, v: Array, lr: float, momentum: float) -> None: ...
def norm(x: ArrayLike) -> float: ...
def num_threads() -> int: ...
def release_memory() -> int: ...
def relu(x: ArrayLike, *, out: Array | None = None) -> Array: ...
def relu_backward(
    dout: ArrayLike, y: ArrayLike, *, out: Array | None = None, add: bool = False
) -> Array: ...
def resample2d(
    x: ArrayLike,
    rows: Array,
    row_weights: ArrayLike,
    columns: Array,
    column_weights: ArrayLike,
    *,
    fill: float = 0.0,
    out: Array | None = None,
) -> Array: ...
def resample2d_backward(
    dout: ArrayLike,
    rows: Array,
    row_weights: ArrayLike,
    columns: Array,
    column_weights: ArrayLike,
    x_shape: Shape,
    *,
    out: Array | None = None,
    add: bool = False,
) -> Array: ...
def rmsprop_update(p: Array, g: Array, h: Array, lr: float, decay_rate: float) -> None: ...
def rprop_update(
    p: Array,
    g: Array,
    sign: Array,
    step: Array,
    least: float,
    most: float,
    shrink: float,
    grow: float,
) -> None: ...
def scale(x: ArrayLike, alpha: float, *, out: Array | None = None) -> Array: ...
def set_isa(name: str) -> None: ...
def set_num_threads(n: int) -> None: ...
def set_winograd(on: bool) -> None: ...
def sgd_update(p: Array, g: Array, lr: float) -> None: ...
def sigmoid(x: ArrayLike, *, out: Array | None = None) -> Array: ...
def sigmoid_backward(
    dout: ArrayLike, y: ArrayLike, *, out: Array | None = None, add: bool = False
) -> Array: ...
def sigmoid_cross_entropy(x: ArrayLike, t: ArrayLike) -> tuple[float, Array]: ...
def sigmoid_cross_entropy_backward(y: ArrayLike, t: ArrayLike, *, scale: float = 1.0) -> Array: ...
def softmax(x: ArrayLike) -> Array: ...
def softmax_backward(dout: ArrayLike, y: ArrayLike) -> Array: ...
def softmax_cross_entropy(x: ArrayLike, t: ArrayLike) -> tuple[float, Array]: ...
def softmax_cross_entropy_backward(y: ArrayLike, t: ArrayLike, *, scale: float = 1.0) -> Array: ...
def squared_error(y: ArrayLike, t: ArrayLike) -> float: ...
def squared_error_backward(y: ArrayLike, t: ArrayLike, *, scale: float = 1.0) -> Array: ...
def sum(x: ArrayLike) -> float: ...
def sum_channels(x: ArrayLike, *, out: Array | None = None) -> Array: ...
def tanh(x: ArrayLike, *, out: Array | None = None) -> Array: ...
def tanh_backward(
    dout: ArrayLike, y: ArrayLike, *, out: Array | None = None, add: bool = False
) -> Array: ...
def thread_info() -> dict[str, Any]: ...
def version() -> str: ...
def winograd() -> bool: ...

class Recording:
    def start(self) -> None: ...
    def refresh(self, first: int) -> None: ...
    def stop(self) -> None: ...
    def complete(self) -> bool: ...
    def set_label(self, label: int) -> None: ...
    def size(self) -> int: ...
    def foreign(self) -> int: ...
    def first_copy(self) -> int: ...
    def bytes(self) -> int: ...
    def hold(self, array: Array) -> None: ...
    def set_inputs(self, x: Array, t: Array, classes: int) -> None: ...
    def feed(self, x: Any, t: Any) -> bool: ...
    def feed_rows(self, x: Array, t: Array, index: Array) -> bool: ...
    def set_boundary(self) -> None: ...
    def boundary(self) -> int: ...
    def optimize(self) -> None: ...
    def play(self, first: int, last: int) -> bool: ...
    def loss(self, call: int) -> float: ...
    def set_random(self, call: int, seed: int, layer: int, step: int) -> None: ...
    def rows(self) -> list[tuple[str, int, float, float, float]]: ...
