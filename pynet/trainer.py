"""The book's Trainer. A star import also brings the six optimizers, as in the book."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any, Protocol

import numpy as np

from pynet import ops, resume
from pynet._types import Array
from pynet.diagnosis import finite, first_non_finite
from pynet.optimizers import SGD, AdaGrad, Adam, Momentum, Nesterov, Optimizer, RMSprop
from pynet.params import FlatStore
from pynet.progress import Progress
from pynet.schedules import SCHEDULES
from pynet.serialization import load_checkpoint, save_checkpoint
from pynet.serialization.files import PathLike

__all__ = ["SGD", "AdaGrad", "Adam", "Momentum", "Nesterov", "RMSprop", "Trainer", "np"]

_OPTIMIZERS: dict[str, type[Optimizer]] = {
    cls.__name__.lower(): cls for cls in (SGD, Momentum, Nesterov, AdaGrad, RMSprop, Adam)
}
_DEFAULT_PARAM: Mapping[str, Any] = MappingProxyType({"lr": 0.01})


class TrainableNetwork(Protocol):
    """What a Trainer needs of a network; `last_loss`, where there is one, saves a forward pass."""

    @property
    def params(self) -> Any: ...
    def gradient(self, x: Array, t: Array) -> Any: ...
    def loss(self, x: Array, t: Array) -> float: ...
    def accuracy(self, x: Array, t: Array) -> float: ...


class Trainer:
    """Trains a network on mini-batches and measures its accuracy after each epoch.

    The first eleven arguments are the book's. Batches are drawn with replacement,
    `np.random.choice(train_size, mini_batch_size)`; an epoch is train_size / mini_batch_size
    iterations, a float, and accuracy is measured at the iterations that it divides, 0 among them.

    Args:
        network: has `params`, `gradient(x, t)`, `loss(x, t)`, `accuracy(x, t)`.
        epochs, mini_batch_size: length of the run.
        optimizer: 'sgd', 'momentum', 'nesterov', 'adagrad', 'rmsprop', 'adam', case ignored, or an
            object with `update(params, grads)`.
        optimizer_param: the arguments of a named optimizer.
        evaluate_sample_num_per_epoch: measure accuracy on the first so many samples only.
        verbose: print the loss of each iteration and the accuracies, as the book does.
        progress: show a bar on a terminal, or a line per epoch elsewhere, instead.
        sampling: 'replacement', or 'epoch': each sample once per epoch in a new random order, the
            last batch as small as it comes, accuracy measured at the end of each epoch.
        schedule: 'constant' or 'cosine', the learning rate over the run (`pynet.schedules`).
        loss_after_update: record the loss that the batch has after the update, by a second forward
            pass, as the book does. Otherwise it is the loss that the gradient was taken of.

    Attributes: the arguments, `optimizer`, `train_size`, `iter_per_epoch`, `max_iter`,
    `current_iter`, `current_epoch`, `train_loss_list` (per iteration), `train_acc_list` and
    `test_acc_list`, and `evaluated_iters`, the iterations done when those were measured.

    Raises:
        ValueError: data that do not fit together, or an unknown name.
        FloatingPointError: in training, when the loss or a gradient is not finite; the parameters
            stay as they were before that step.
    """

    def __init__(
        self,
        network: TrainableNetwork,
        x_train: Array,
        t_train: Array,
        x_test: Array,
        t_test: Array,
        epochs: int = 20,
        mini_batch_size: int = 100,
        optimizer: str | Any = "SGD",
        optimizer_param: Mapping[str, Any] = _DEFAULT_PARAM,
        evaluate_sample_num_per_epoch: int | None = None,
        verbose: bool = True,
        *,
        progress: bool = False,
        sampling: str = "replacement",
        schedule: str = "constant",
        loss_after_update: bool = False,
    ) -> None:
        self.network = network
        self.verbose = verbose
        self.progress = progress
        self.x_train, self.t_train = _pair("train", x_train, t_train)
        self.x_test, self.t_test = _pair("test", x_test, t_test)
        self.epochs = epochs
        self.batch_size = mini_batch_size
        if mini_batch_size < 1:
            raise ValueError(
                f"[Trainer] mini_batch_size: expected at least 1, got {mini_batch_size}"
            )
        self.evaluate_sample_num_per_epoch = evaluate_sample_num_per_epoch
        self.optimizer: Any = optimizer
        if isinstance(optimizer, str):
            cls = _choose("optimizer", optimizer.lower(), _OPTIMIZERS)
            self.optimizer = cls(**optimizer_param)
        self.sampling = sampling
        _choose("sampling", sampling, {"replacement": None, "epoch": None})
        self.schedule = schedule
        self._rate = _choose("schedule", schedule, SCHEDULES)
        self.base_lr: float | None = getattr(self.optimizer, "lr", None)
        self.loss_after_update = loss_after_update

        self.train_size = len(self.x_train)
        self.iter_per_epoch: float = max(self.train_size / mini_batch_size, 1)
        if sampling == "epoch":
            self.iter_per_epoch = math.ceil(self.iter_per_epoch)
        self.max_iter = int(epochs * self.iter_per_epoch)
        self.current_iter = 0
        self.current_epoch = 0
        self.order: Array | None = None  # of this epoch's samples, with sampling 'epoch'
        self.train_loss_list: list[float] = []
        self.train_acc_list: list[float] = []
        self.test_acc_list: list[float] = []
        self.evaluated_iters: list[int] = []
        self._stopping = False
        self._progress: Progress | None = None

    # ---- training ------------------------------------------------------------------------------

    def train(self, after_epoch: Callable[[Trainer], object] | None = None) -> None:
        """Run until `max_iter` iterations are done, then measure accuracy on all of the test data.

        Args:
            after_epoch: called with this Trainer whenever accuracy has been measured.
        """
        self._stopping = False
        if self.progress:
            self._progress = Progress(
                self.max_iter, self.epochs, self.current_iter, self.current_epoch
            )
        try:
            while self.current_iter < self.max_iter and not self._stopping:
                evaluated = len(self.test_acc_list)
                self.train_step()
                if after_epoch is not None and len(self.test_acc_list) > evaluated:
                    after_epoch(self)
        finally:
            if self._progress is not None:
                self._progress.close()
                self._progress = None
        if self.verbose and not self._stopping:
            test_acc = self.network.accuracy(self.x_test, self.t_test)
            print("=============== final test accuracy ===============")
            print(f"test acc:{test_acc}")

    def train_step(self) -> None:
        """Draw a batch, update the parameters, and measure accuracy where an epoch ends."""
        batch = self._draw()
        x, t = self.x_train[batch], self.t_train[batch]
        if self.base_lr is not None and self.schedule != "constant":
            self.optimizer.lr = self.base_lr * self._rate(self.current_iter / self.max_iter)

        network: Any = self.network
        if hasattr(network, "last_loss"):
            network.last_loss = None  # that of this gradient() or none
        grads = network.gradient(x, t)
        loss = getattr(network, "last_loss", None)
        if not (loss is None or math.isfinite(loss)) or not _all_finite(grads):
            self._stop_with_error(loss, x, t, grads)
        self.optimizer.update(network.params, grads)
        if loss is None or self.loss_after_update:
            loss = float(network.loss(x, t))
            if not math.isfinite(loss):
                self._stop_with_error(loss, x, t, grads)
        self.train_loss_list.append(loss)
        if self.verbose:
            print(f"train loss:{loss}")
        if self._progress is not None:
            self._progress.step(loss)

        # The book counts the iteration after the measurement, so its first one is at iteration 0.
        done = self.current_iter + (self.sampling == "epoch")
        self.current_iter += 1
        if done % self.iter_per_epoch == 0:
            self._evaluate()

    def stop(self) -> None:
        """Let `train` return after the step that is running; for a signal handler."""
        self._stopping = True

    @property
    def stopped(self) -> bool:
        """Whether the last `train` was ended by `stop`, before its last iteration."""
        return self._stopping and self.current_iter < self.max_iter

    def _draw(self) -> Array:
        if self.sampling == "replacement":
            return np.random.choice(self.train_size, self.batch_size)
        position = self.current_iter % int(self.iter_per_epoch)
        if position == 0 or self.order is None:
            self.order = np.random.permutation(self.train_size)
        begin = position * self.batch_size
        return self.order[begin : begin + self.batch_size]

    def _evaluate(self) -> None:
        self.current_epoch += 1
        count = self.evaluate_sample_num_per_epoch or None
        train_acc = self.network.accuracy(self.x_train[:count], self.t_train[:count])
        test_acc = self.network.accuracy(self.x_test[:count], self.t_test[:count])
        self.train_acc_list.append(train_acc)
        self.test_acc_list.append(test_acc)
        self.evaluated_iters.append(self.current_iter)
        if self.verbose:
            print(f"=== epoch:{self.current_epoch}, train acc:{train_acc}, test acc:{test_acc} ===")
        if self._progress is not None:
            self._progress.epoch(self.current_epoch, self.mean_loss(-1), train_acc, test_acc)

    def mean_loss(self, i: int) -> float:
        """Return the mean loss of the iterations between the (i-1)th and the ith measurement."""
        bounds = [0, *self.evaluated_iters]
        i = i % len(self.evaluated_iters)
        return float(np.mean(self.train_loss_list[bounds[i] : bounds[i + 1]]))

    def _stop_with_error(self, loss: float | None, x: Array, t: Array, grads: Any) -> None:
        where = first_non_finite(self.network, x, t, grads)
        what = "loss" if loss is not None and not math.isfinite(loss) else "gradient"
        got = loss if what == "loss" else "inf or nan"
        rate = getattr(self.optimizer, "lr", None)
        raise FloatingPointError(
            f"[Trainer] {what}: expected finite numbers, got {got} at step "
            f"{self.current_iter + 1} with learning rate {rate}: {where}"
        )

    # ---- checkpoints ---------------------------------------------------------------------------

    def save(
        self,
        path: PathLike,
        extra: Mapping[str, Any] | None = None,
        *,
        keep_previous: bool = False,
    ) -> None:
        """Write all that the run needs to go on bit for bit, atomically (`save_checkpoint`).

        That is the parameters, the optimizer's state, running statistics and dropout's counters,
        the position in the epoch, the state of `np.random` and `pynet.seed`, the history.

        Args:
            path: the file, by custom `NAME.safetensors`.
            extra: what else to store, under "extra" in the metadata.
            keep_previous: keep the file that is replaced, see `save_checkpoint`.
        """
        if not isinstance(self.optimizer, Optimizer):
            raise TypeError(
                f"[Trainer.save] optimizer: expected one of pynet.optimizers, "
                f"got {type(self.optimizer).__name__}"
            )
        arrays, meta = resume.collect(self)
        meta["extra"] = dict(extra or {})
        save_checkpoint(path, arrays, meta, keep_previous=keep_previous)

    def resume(self, path: PathLike) -> dict[str, Any]:
        """Go on from a file of `save`, and return its `extra`.

        The Trainer must have been made with the same data, batch size, sampling, schedule, kind of
        optimizer and network; `epochs` may differ. 5 steps, `save`, `resume` in another process
        and 5 steps give the bits of 10 steps.

        Raises ValueError or OSError, and changes nothing, when the file is damaged, missing or of
        another run.
        """
        arrays, meta = load_checkpoint(path)
        resume.restore(self, arrays, meta)
        return dict(meta.get("extra", {}))


def _pair(name: str, x: Any, t: Any) -> tuple[Array, Array]:
    x, t = np.asarray(x), np.asarray(t)
    if len(x) != len(t) or len(x) == 0:
        raise ValueError(
            f"[Trainer] t_{name}: expected one label for each of {len(x)} samples, got {len(t)}"
        )
    return x, t


def _choose(argument: str, name: str, table: Mapping[str, Any]) -> Any:
    if name not in table:
        raise ValueError(f"[Trainer] {argument}: expected one of {', '.join(table)}, got {name!r}")
    return table[name]


def _all_finite(grads: Any) -> bool:
    if isinstance(grads, FlatStore):
        # A sum of squares finds every inf and nan, and is inf for a few large numbers too.
        return math.isfinite(ops.norm(grads.flat)) or finite(grads.flat)
    return all(finite(grad) for grad in grads.values())
