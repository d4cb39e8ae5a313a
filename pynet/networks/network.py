"""What all networks share: flat parameters, prediction, loss, accuracy, gradients, files.

A network is layers in order and a loss. The book's nets are subclasses that say which layers;
any other net is made of them directly:

    net = Network(
        Sequential(Convolution.sized(16, 3, pad=1), Relu(), Pooling(2, 2), Affine.sized(10)),
        input_dim=(1, 28, 28),
    )
"""

from __future__ import annotations

import copy
from collections.abc import Iterable, Mapping
from typing import Any, TypeVar

import numpy as np

from pynet import backend, devices, ops
from pynet._types import Array, ArrayLike, DTypeLike, Shape
from pynet.checks import array_of, one_each, whole_number
from pynet.gradient import numerical_gradient
from pynet.layers import Layer, LossLayer, Sequential, Slot, SoftmaxWithLoss
from pynet.layers.inputs import real_array, sample_shape
from pynet.networks.summary import Summary
from pynet.params import GradStore, ParamStore, pack
from pynet.penalties import L2, Elastic
from pynet.serialization import load_params, save_params
from pynet.serialization.files import PathLike

Own = TypeVar("Own", bound="Network")


class Network:
    """Layers one after the other, and a loss at the end.

    `params` is a dict of the parameters, keyed as in the book (W1, b1, ...), all views of one flat
    buffer; the layers read them at every call, so `params['W1'] -= ...`, `params['W1'] = A` and
    `layer.W = A` all take effect.

    Args:
        layers: a Sequential, or layers by name or in order.
        last_layer: the loss, `SoftmaxWithLoss()` if not given.
        input_dim: the shape of one sample, such as (784,) or (1, 28, 28). Layers made by `sized`
            need it; without it they take their sizes from the first batch.
        weight_decay_lambda: lambda of the penalty 1/2 * lambda * sum of W^2 over all W.
        penalty: another one on all W, of `pynet.penalties`; added to that.
        dtype: of the parameters and of all arithmetic, float32 or float64. Initial weights are
            drawn in float64 and rounded.
    """

    train_flg_of_loss = False  # the mode of loss(x, t) where none is given

    def __init__(
        self,
        layers: Sequential | Mapping[str, Layer] | Iterable[Layer],
        last_layer: LossLayer | None = None,
        *,
        input_dim: Shape | None = None,
        weight_decay_lambda: float = 0,
        penalty: Elastic | None = None,
        dtype: DTypeLike = np.float32,
    ) -> None:
        self.layers: Any = layers
        self.last_layer = SoftmaxWithLoss() if last_layer is None else last_layer
        self.weight_decay_lambda = weight_decay_lambda
        self.penalty = penalty
        if not callable(getattr(self.last_layer, "backward", None)):
            raise TypeError(f"[Network] last_layer: expected a loss, got {last_layer!r}")
        if penalty is not None and not isinstance(penalty, Elastic):
            raise TypeError(f"[Network] penalty: expected one of pynet.penalties, got {penalty!r}")
        self.dtype: np.dtype[Any] = np.dtype(dtype)
        if self.dtype not in (np.dtype(np.float32), np.dtype(np.float64)):
            raise ValueError(f"[Network] dtype: expected float32 or float64, got {self.dtype}")
        self.input_dim = input_dim
        self.device = devices.device()
        self.last_loss: float | None = None  # what the last loss() or gradient() computed
        self._root = _sequential(layers)
        self._params: ParamStore | None = None
        if input_dim is not None:
            sample_shape(f"[{type(self).__name__}]", input_dim)
            self._root.build((1, *input_dim), self.dtype)
        if self._root.built:
            self._pack()

    # ---- parameters ----------------------------------------------------------------------------

    @property
    def params(self) -> ParamStore:
        """The parameters by name. Before the first batch of a net without sizes: ValueError."""
        if self._params is None:
            raise ValueError(
                "[Network] params: expected the sizes of all layers to be known, got none yet: "
                "give input_dim, or run predict(x) first"
            )
        return self._params

    def _slots(self) -> list[Slot]:
        """The parameters in the order of `params`."""
        return list(self._root.named_parameters())

    def _pack(self) -> None:
        slots = self._slots()
        self._params = pack(slots, self.dtype)
        names: dict[int, tuple[Layer, dict[str, str]]] = {}
        for slot in slots:
            names.setdefault(id(slot.layer), (slot.layer, {}))[1][slot.name] = slot.key
        self._bindings = list(names.values())
        self._packed_slots = slots
        self._decayed = [slot.key for slot in slots if slot.name == "W"]
        if self.device != "cpu":
            self.to(self.device)

    def to(self: Own, device: str) -> Own:
        """Move the parameters and the state to "cpu" or "cuda"; return the network.

        Batches are moved there as they come. Raises as `pynet.set_device`.
        """
        self.device = devices.checked(device)
        if self._params is not None:
            self._params = self._params.on(device)
            for slot in self._packed_slots:
                slot.layer.bind_param(slot.name, self._params[slot.key])
            for slot in self.named_state():
                if np.ndim(slot.value) > 0:
                    setattr(slot.layer, slot.name, devices.moved(slot.value, device))
        return self

    def named_state(self) -> list[Slot]:
        """Return what a checkpoint also holds: running statistics, dropout's counters."""
        return list(self._root.named_state())

    # ---- forward -------------------------------------------------------------------------------

    def _input(self, x: ArrayLike) -> Array:
        """Return x in the network's dtype; a net without sizes takes them from it."""
        x = real_array(f"[{type(self).__name__}] x", x)
        if x.ndim < 2:
            raise ValueError(
                f"[{type(self).__name__}] x: expected a batch of shape (N, ...), got {x.shape}"
            )
        x = x.astype(self.dtype, copy=False)
        if self._params is None:
            self._root.build(x.shape, self.dtype)
            self._pack()
        return devices.moved(x, self.device)

    def predict(self, x: ArrayLike, train_flg: bool = False) -> Array:
        """Return the scores of a batch, (N, classes), before softmax."""
        x = self._input(x)
        scores = self._root.forward(x, train_flg)
        if self.input_dim is None:
            self.input_dim = x.shape[1:]
        return scores

    def loss(
        self,
        x: ArrayLike,
        t: ArrayLike,
        train_flg: bool | None = None,
        *,
        sample_weight: ArrayLike | None = None,
    ) -> float:
        """Return the loss of a batch with the penalties on the weights.

        t: what the last layer takes: for `SoftmaxWithLoss` class numbers (N,), or one-hot or soft
        rows (N, classes). sample_weight: (N,), see `pynet.layers.LossLayer`.
        """
        flag = self.train_flg_of_loss if train_flg is None else train_flg
        weights = {} if sample_weight is None else {"sample_weight": sample_weight}
        loss = self.last_layer.forward(self.predict(x, flag), t, **weights)
        for penalty in self._penalties():
            loss += sum(penalty(self.params[key]) for key in self._decayed)
        self.last_loss = loss
        return loss

    def accuracy(self, x: ArrayLike, t: ArrayLike, batch_size: int = 100) -> float:
        """Return the share of samples whose highest score is at their label.

        With a loss of two classes and one output: the share whose score is on the side of their
        target. t: class numbers (N,) or one-hot rows, or the targets of two classes, the positive
        ones class 1. Works through x in batches; the last one may be smaller and counts (in the
        book it is lost).

        Raises ValueError where the loss is one of regression and t holds no classes.
        """
        where = f"[{type(self).__name__}.accuracy]"
        whole_number(f"{where} batch_size", batch_size)
        x = devices.array(x) if backend.on_device(x) else array_of(f"{where} x", x)
        t = array_of(f"{where} t", devices.to_numpy(real_array(f"{where} t", t)))
        labels = t.argmax(axis=1) if t.ndim == 2 and t.shape[1] > 1 else t.reshape(-1)
        one_each(f"{where} t", x, labels)
        right = 0
        batches = range(0, len(x), batch_size)
        predicted = (self.predict(x[i : i + batch_size], False) for i in batches)
        for i, scores in zip(batches, devices.together(list(predicted))):
            threshold = getattr(self.last_layer, "threshold", None)
            if scores[0].size == 1 and threshold is not None:
                positive = scores.reshape(-1) > threshold
                right += int(np.sum(positive == (labels[i : i + batch_size] > 0)))
                continue
            self._check_classes(scores, t)
            if t.ndim == 2 and t.shape[1] not in (1, scores.shape[1]):
                raise ValueError(
                    f"[{type(self).__name__}.accuracy] t: expected one-hot rows of "
                    f"{scores.shape[1]} classes, got shape {t.shape}"
                )
            right += int(np.sum(scores.argmax(axis=1) == labels[i : i + batch_size]))
        return right / len(x)

    def _check_classes(self, scores: Array, t: Array) -> None:
        """Refuse to count right answers where there are none."""
        if getattr(self.last_layer, "classifies", True):
            return
        one_hot = t.ndim == 2 and bool(np.all((t == 0) | (t == 1)) and np.all(t.sum(axis=1) == 1))
        if scores[0].size == 1 or not (one_hot or (t.ndim == 1 and t.dtype.kind in "iu")):
            raise ValueError(
                f"[{type(self).__name__}.accuracy] last_layer: expected a loss of classes, got "
                f"{self.last_layer!r}: for regression see pynet.metrics"
            )

    # ---- gradients -----------------------------------------------------------------------------

    def gradient(
        self, x: ArrayLike, t: ArrayLike, *, sample_weight: ArrayLike | None = None
    ) -> GradStore:
        """Return the gradients of the loss by backpropagation, keyed like `params`.

        Runs in training mode. The result is a fresh store each time; `last_loss` is the loss.
        """
        x = self._input(x)
        weights = {} if sample_weight is None else {"sample_weight": sample_weight}
        # Before the loss: a recorded step must not find anything else in the gaps of this memory.
        grads = GradStore.fresh(self.params.layout, self.params.flat)
        self.loss(x, t, True, **weights)
        for layer, names in self._bindings:
            layer.bind_grads({name: grads[key] for name, key in names.items()})
        self._root.backward(self.last_layer.backward(), need_dx=False)
        for slot in self._packed_slots:
            if slot.grad is not grads[slot.key]:  # a layer of the reader's makes its own array
                grads[slot.key] = slot.grad
        for penalty in self._penalties():
            for key in self._decayed:
                grad, more = grads[key], penalty.gradient(self.params[key])
                ops.add(grad, more.astype(grad.dtype, copy=False), out=grad)
        return grads

    def _penalties(self) -> list[Elastic]:
        given = [] if self.penalty is None else [self.penalty]
        return [L2(self.weight_decay_lambda), *given] if self.weight_decay_lambda else given

    def numerical_gradient(self, x: ArrayLike, t: ArrayLike) -> dict[str, Array]:
        """Return the gradients by central differences, keyed like `params`.

        Computed in float64 whatever the network's dtype (in float32 rounding drowns the
        difference), on a copy, in training mode; every evaluation sees the same dropout masks and
        leaves the running statistics alone. Two passes for every parameter: for small nets, and
        always on the CPU.
        """
        self._input(x)
        x, t = devices.to_numpy(x), devices.to_numpy(t)
        twin = copy.deepcopy(self).to("cpu")
        twin.dtype = np.dtype(np.float64)
        twin._pack()
        state = [(slot, copy.copy(slot.value)) for slot in twin.named_state()]

        def f(_: Array) -> float:
            for slot, value in state:
                setattr(slot.layer, slot.name, copy.copy(value))
            return twin.loss(x, t, True)

        return {key: numerical_gradient(f, param) for key, param in twin.params.items()}

    # ---- files ---------------------------------------------------------------------------------

    def save_params(self, file_name: PathLike = "params.pkl") -> None:
        """Write the parameters as .safetensors, .npz or, as the book does, .pkl; atomically.

        Running statistics are not among them, as in the book: `Trainer.save` writes all there is.
        """
        save_params(file_name, self.params)

    def load_params(self, file_name: PathLike = "params.pkl") -> None:
        """Read parameters from a file of `save_params`, or of the book's.

        Raises ValueError, and changes nothing, when a name is missing or a shape differs. A pickle
        is read without running any code in it.
        """
        loaded = load_params(file_name)
        for key, param in self.params.items():
            if key not in loaded:
                raise ValueError(
                    f"[load_params] {file_name}: expected {', '.join(self.params)}, got no {key}"
                )
            if loaded[key].shape != param.shape:
                raise ValueError(
                    f"[load_params] {key}: expected shape {param.shape}, got {loaded[key].shape}"
                )
        for key in self.params:
            self.params[key] = loaded[key]

    # ---- looking at it -------------------------------------------------------------------------

    def summary(self, input_dim: Shape | None = None) -> Summary:
        """Return a table of the layers: output shapes, parameters, multiply-adds, bytes.

        Prints as text; a notebook shows it as a table. For one sample.
        """
        input_dim = sample_shape("[summary]", self.input_dim if input_dim is None else input_dim)
        return Summary(type(self).__name__, self._root.trace((1, *input_dim)), self.dtype)

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self._root!r})"

    def __setstate__(self, state: dict[str, Any]) -> None:
        """Restore a copy or a pickle: its layers hold copies, which become views again."""
        self.__dict__.update(state)
        if self._params is not None:
            self._pack()


def _sequential(layers: Any) -> Sequential:
    if isinstance(layers, Sequential):
        return layers
    if not isinstance(layers, Iterable):
        raise TypeError(f"[Network] layers: expected layers, got {type(layers).__name__}")
    return Sequential(*(layers.values() if isinstance(layers, Mapping) else layers))
