"""The training loop: batches, updates, what happens after each epoch, checkpoints."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType
from typing import Any, Protocol

import numpy as np

from pynet import resume
from pynet._types import Array
from pynet.callbacks import Callback
from pynet.checks import network_and_optimizer, real_number, whole_number
from pynet.loader import SAMPLINGS, Sampler
from pynet.optimizers import OPTIMIZERS, Optimizer
from pynet.progress import Progress
from pynet.recording import CapturedStep
from pynet.schedules import SCHEDULES, Schedule
from pynet.serialization import load_checkpoint, save_checkpoint
from pynet.serialization.files import PathLike
from pynet.trainer.checks import (
    all_finite,
    checked_callbacks,
    checked_metrics,
    choose,
    divergence,
    held_out_part,
    made,
)
from pynet.trainer.losses import Losses
from pynet.trainer.measure import Measure, Metric, Part, part
from pynet.trainer.places import Places

_DEFAULT_PARAM: Mapping[str, Any] = MappingProxyType({"lr": 0.01})


class TrainableNetwork(Protocol):
    """What a Trainer needs of a network.

    `last_loss`, where there is one, saves a forward pass; `accuracy(x, t)` is measured where there
    is one and the loss is not one of regression.
    """

    @property
    def params(self) -> Any: ...
    def gradient(self, x: Array, t: Array) -> Any: ...
    def loss(self, x: Array, t: Array) -> float: ...


class Trainer:
    """Trains a network on mini-batches and measures its accuracy after each epoch.

    The first eleven arguments are the book's. Batches are drawn with replacement,
    `np.random.choice(train_size, mini_batch_size)`; an epoch is train_size / mini_batch_size
    iterations, a float, and accuracy is measured at the iterations that it divides, 0 among them.

    Args:
        network: has `params`, `gradient(x, t)`, `loss(x, t)`, and `accuracy(x, t)`; of a regression
            net, whose loss layer says `classifies = False`, the loss is measured instead.
        x_train, t_train, x_test, t_test: arrays, or memory maps, of which only the rows of a batch
            are read. Without a test part (None, None) nothing is measured there. With a network on
            the GPU they are copied there, once, if they take less than half of its free memory.
        epochs, mini_batch_size: length of the run.
        optimizer: 'sgd', 'momentum', 'nesterov', 'adagrad', 'rmsprop', 'adam' or another one of
            `pynet.optimizers.OPTIMIZERS`, case ignored, or an object with `update(params, grads)`.
        optimizer_param: the arguments of a named optimizer.
        evaluate_sample_num_per_epoch: measure accuracy on the first so many samples only.
        verbose: print the loss of each iteration and the accuracies, as the book does.
        progress: show a bar on a terminal, or a line per epoch elsewhere, instead.
        sampling: 'replacement'; 'epoch': each sample once per epoch in a new random order, the last
            batch as small as it comes; 'full': all samples at every step. With the last two,
            accuracy is measured at the end of each epoch.
        schedule: the learning rate over the run, a name such as 'cosine' or a function of the
            share of the run that is done (`pynet.schedules`).
        loss_after_update: record the loss that the batch has after the update, by a second forward
            pass, as the book does. Otherwise it is the loss that the gradient was taken of.
        validation: (x, t) to decide on: when to stop, what rate, which weights; never test data.
        metrics: functions (t, y) -> number by name, measured each epoch on all of the validation
            data, y being what `network.predict` gives for them.
        callbacks: what else happens during the run, see `pynet.callbacks`.
        capture: record the step and replay it (`pynet.capture`) where network, layers and optimizer
            are pynet's own; the bits are the same. `step.refusal` says why not.

    Attributes: the arguments, `optimizer`, `train_size`, `iter_per_epoch`, `max_iter`,
    `current_iter`, `current_epoch`, `train_loss_list` (per iteration), `train_acc_list` and
    `test_acc_list`, and `evaluated_iters`, the iterations done when those were measured. `history`
    holds a list for everything measured each epoch, by name: 'loss', the mean since the last
    measurement, 'train_accuracy', 'test_accuracy', 'validation_loss', 'validation_accuracy', the
    metrics; for regression 'train_loss' and 'test_loss' instead of the accuracies.

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
        x_test: Array | None,
        t_test: Array | None,
        epochs: int = 20,
        mini_batch_size: int = 100,
        optimizer: str | Any = "SGD",
        optimizer_param: Mapping[str, Any] = _DEFAULT_PARAM,
        evaluate_sample_num_per_epoch: int | None = None,
        verbose: bool = True,
        *,
        progress: bool = False,
        sampling: str = "replacement",
        schedule: str | Schedule = "constant",
        loss_after_update: bool = False,
        validation: tuple[Array, Array] | None = None,
        metrics: Mapping[str, Metric] = MappingProxyType({}),
        callbacks: Sequence[Callback] = (),
        capture: bool = True,
    ) -> None:
        self.network = network
        self.verbose = verbose
        self.progress = progress
        self.x_train, self.t_train = train = part("Trainer", "train", x_train, t_train)
        test = None
        if x_test is not None or t_test is not None:
            test = part("Trainer", "test", x_test, t_test)
        self.x_test = None if test is None else test.x
        self.t_test = None if test is None else test.t
        self.epochs = epochs
        real_number("[Trainer] epochs", epochs, 0, 1e12, "a number from 0 on")
        whole_number("[Trainer] mini_batch_size", mini_batch_size)
        if evaluate_sample_num_per_epoch is not None:
            whole_number(
                "[Trainer] evaluate_sample_num_per_epoch", evaluate_sample_num_per_epoch, 0
            )
        self.evaluate_sample_num_per_epoch = evaluate_sample_num_per_epoch
        self.optimizer: Any = optimizer
        if isinstance(optimizer, str):
            name = optimizer.lower()
            cls = choose("optimizer", name if name in OPTIMIZERS else optimizer, OPTIMIZERS)
            self.optimizer = made("optimizer_param", cls, optimizer_param)
        network_and_optimizer("Trainer", network, self.optimizer)
        self.sampling = sampling
        choose("sampling", sampling, dict.fromkeys(SAMPLINGS))
        self.schedule = schedule
        self._rate: Schedule = (
            choose("schedule", schedule, SCHEDULES) if isinstance(schedule, str) else schedule
        )
        if not callable(self._rate):
            raise TypeError(
                f"[Trainer] schedule: expected a name or a function of the share of the run that "
                f"is done, got {type(schedule).__name__}"
            )
        self.base_lr: float | None = getattr(self.optimizer, "lr", None)
        self.rate_factor = 1.0  # what a callback makes of the rate, on top of the schedule
        self.loss_after_update = loss_after_update

        self.train_size = len(self.x_train)
        self.sampler = Sampler(self.train_size, mini_batch_size, sampling)
        self.batch_size = self.sampler.batch_size
        self.iter_per_epoch = self.sampler.iter_per_epoch
        self.max_iter = int(epochs * self.iter_per_epoch)
        self.current_iter = 0
        self.current_epoch = 0

        held_out = None if validation is None else held_out_part(validation)
        self.validation = held_out
        self.measure = Measure(network, train, test, held_out, checked_metrics(metrics, held_out))
        self._places = self.measure.places = Places(network)
        # Those that write come last, when the others have seen the epoch.
        self.callbacks = sorted(checked_callbacks(callbacks), key=lambda each: each.comes_last)
        self._losses = Losses(self)
        self.evaluated_iters: list[int] = []
        self.history: dict[str, list[float]] = {name: [] for name in ("loss", *self.measure.names)}
        self.capture = capture
        self.step: CapturedStep | None = None
        self._stopping = False
        self.stop_reason: str | None = None
        self._progress: Progress | None = None

    @property
    def train_acc_list(self) -> list[float]:
        """The accuracies of the training data; empty for regression."""
        return self.history.get("train_accuracy", [])

    @property
    def test_acc_list(self) -> list[float]:
        """The accuracies of the test data; empty for regression, or without test data."""
        return self.history.get("test_accuracy", [])

    @property
    def train_loss_list(self) -> list[float]:
        """The loss of each iteration. With a network on the GPU, reading it waits for the GPU."""
        return self._losses.settled()

    @train_loss_list.setter
    def train_loss_list(self, losses: list[float]) -> None:
        self._losses.known = losses

    # ---- training ------------------------------------------------------------------------------

    def train(self, after_epoch: Callable[[Trainer], object] | None = None) -> None:
        """Run until `max_iter` iterations are done, then measure accuracy on all of the test data.

        Args:
            after_epoch: called with this Trainer whenever accuracy has been measured.
        """
        self._stopping, self.stop_reason = False, None
        if self.progress:
            self._progress = Progress(
                self.max_iter, self.epochs, self.current_iter, self.current_epoch
            )
        try:
            for callback in self.callbacks:
                callback.begin(self)
            while self.current_iter < self.max_iter and not self._stopping:
                evaluated = len(self.evaluated_iters)
                self.train_step()
                if after_epoch is not None and len(self.evaluated_iters) > evaluated:
                    after_epoch(self)
            self._losses.settled()
            for callback in self.callbacks:
                callback.end(self)
        finally:
            if self._progress is not None:
                self._progress.close()
                self._progress = None
        if self.verbose:
            self._print_end()

    def _print_end(self) -> None:
        if self.stop_reason is not None:
            print(f"stopped after epoch {self.current_epoch}: {self.stop_reason}")
        elif self._stopping:
            return
        test = self.measure.test
        if test is not None and self.measure.classifies:
            network: Any = self.network
            print("=============== final test accuracy ===============")
            print(f"test acc:{network.accuracy(*test)}")

    def train_step(self) -> None:
        """Draw a batch, update the parameters, and measure accuracy where an epoch ends."""
        batch = self.sampler.draw(self.current_iter)
        if self.base_lr is not None and (self.schedule != "constant" or self.rate_factor != 1):
            rate = self._rate(self.current_iter / self.max_iter)
            self.optimizer.lr = self.base_lr * rate * self.rate_factor

        if self.loss_after_update or not self._losses.step_later(batch):
            loss = self._step(batch)
            if loss is None or self.loss_after_update:
                x, t = self._rows(batch)
                loss = float(self.network.loss(x, t))
                if not math.isfinite(loss):
                    raise divergence(self, loss, x, t, {})
            self._losses.note(loss)

        # The book counts the iteration after the measurement, so its first one is at iteration 0.
        done = self.current_iter + (self.sampling != "replacement")
        self.current_iter += 1
        for callback in self.callbacks:
            callback.step(self)
        if done % self.iter_per_epoch == 0:
            self._evaluate()

    def _step(self, batch: Any) -> float | None:
        """Update the parameters; return the loss before that, None where the network keeps none."""

        def check(loss: float | None, grads: Any) -> None:
            if not (loss is None or math.isfinite(loss)) or not all_finite(grads):
                raise divergence(self, loss, self.x_train[batch], self.t_train[batch], grads)

        network: Any = self.network
        step = self._captured_step()
        if self.capture and step.refusal is None:
            return step.run_rows(*self._data(), batch, check)
        if hasattr(network, "last_loss"):
            network.last_loss = None  # that of this gradient() or none
        grads = network.gradient(*self._rows(batch))
        loss: float | None = getattr(network, "last_loss", None)
        check(loss, grads)
        self.optimizer.update(network.params, grads)
        return loss

    def _captured_step(self) -> CapturedStep:
        step = self.step
        if step is None or step.network is not self.network or step.optimizer is not self.optimizer:
            self._losses.settled()
            step = self.step = CapturedStep(self.network, self.optimizer)
        return step

    def _data(self) -> Part:
        """The training data, on the GPU where the network is there and they fit."""
        return self._places(Part(self.x_train, self.t_train))

    def _rows(self, batch: Any) -> Part:
        x, t = self._data()
        return Part(x[batch], t[batch])

    def stop(self, reason: str | None = None) -> None:
        """Let `train` return after the step that is running; for a callback or a signal handler.

        Args:
            reason: why the run is complete. Without one it is only interrupted, to go on later.
        """
        self._stopping, self.stop_reason = True, reason

    @property
    def stopped(self) -> bool:
        """Whether the last `train` was ended by `stop`, before its last iteration."""
        return self._stopping and self.current_iter < self.max_iter

    @property
    def finished(self) -> bool:
        """Whether the run is complete: all iterations done, or stopped for a reason."""
        return self.current_iter >= self.max_iter or self.stop_reason is not None

    def decide_on(self, metric: str, who: str) -> float:
        """Return the last value of a metric that decisions may be made on.

        Args:
            metric: 'validation_loss', 'validation_accuracy', or one of `metrics`.
            who: the name of the callback, for the message.

        Raises ValueError for anything else: a figure of the test data that decided anything no
        longer says what new data would give.
        """
        self.measure.check(metric, who)
        return self.history[metric][-1]

    def check_metric(self, metric: str, who: str) -> None:
        """Raise ValueError where `decide_on` would."""
        self.measure.check(metric, who)

    def _evaluate(self) -> None:
        self._losses.settled()
        # A metric may raise: then there was no measurement, and no epoch is counted.
        values = self.measure(self.evaluate_sample_num_per_epoch or None)
        self.current_epoch += 1
        self.evaluated_iters.append(self.current_iter)
        values = {"loss": self.mean_loss(-1)} | values
        for name, value in values.items():
            self.history[name].append(value)
        if self.verbose:
            print(f"=== epoch:{self.current_epoch}, {self.measure.book_line(values)} ===")
        if self._progress is not None:
            self._progress.epoch(self.current_epoch, values)
        for callback in self.callbacks:
            callback.epoch(self)

    def mean_loss(self, i: int) -> float:
        """Return the mean loss of the iterations between the (i-1)th and the ith measurement."""
        bounds = [0, *self.evaluated_iters]
        i = i % len(self.evaluated_iters)
        return float(np.mean(self.train_loss_list[bounds[i] : bounds[i + 1]]))

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
        self._losses.settled()
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
