"""The search itself: draw, try, give up, narrow."""

from __future__ import annotations

import contextlib
import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np

import pynet
from pynet import rng
from pynet._types import Array
from pynet.datasets import stratified_split
from pynet.search.result import SearchResult, TrialRecord
from pynet.search.rules import Rule
from pynet.search.sources import Grid, Optuna, Random, Source
from pynet.search.space import IntRange, Space, Uniform

Pair = tuple[Array, Array]


class BadTrial(Exception):
    """Raised by `Trial.report` to end a trial; the search catches it."""


class Trial:
    """What an objective gets: hyperparameters, data, and where to report.

    Attributes: `params`, the hyperparameters by name, also as `trial["lr"]`; `number`; `train` and
    `validation`, pairs (x, t), None where the search was given no data; `seed`, from which
    `np.random` and pynet's own numbers start when the objective is called.
    """

    def __init__(
        self,
        record: TrialRecord,
        train: Pair | None,
        validation: Pair | None,
        seed: int,
        report: Callable[[int, float], None],
    ) -> None:
        self.number = record.number
        self.params = dict(record.params)
        self.train = train
        self.validation = validation
        self.seed = seed
        self._report = report

    def __getitem__(self, name: str) -> Any:
        return self.params[name]

    def report(self, step: int, value: float) -> None:
        """Say how the trial is doing after a step, such as an epoch, counted from 1.

        Raises BadTrial when the search's rule gives it up: let it pass.
        """
        self._report(step, value)


def search(
    objective: Callable[[Trial], float],
    space: Mapping[str, Space],
    *,
    trials: int = 20,
    rounds: int = 1,
    keep: float = 0.25,
    data: Pair | None = None,
    validation: float | Pair = 0.2,
    mode: str = "max",
    method: str = "random",
    backend: str = "builtin",
    stop_bad: Rule | None = None,
    seed: int = 0,
) -> SearchResult:
    """Look for hyperparameters by trials.

    Random search tries as many values of each hyperparameter as there are trials, a grid only the
    trials' root (Bergstra and Bengio, "Random Search for Hyper-Parameter Optimization", 2012).
    There is no argument for test data: the objective gets training and validation data only.

    The same seed gives the same trials, whatever the objective draws: before each trial `np.random`
    and `pynet.seed` start from a number of its own, and afterwards `np.random` is as it was before.

    Args:
        objective: a function of a `Trial` that returns a number. A FloatingPointError, as of a
            Trainer whose loss diverges, or nan counts as a failed trial.
        space: what each hyperparameter may be, by name.
        trials: how many in all.
        rounds: after each round, of trials / rounds trials, the ranges are narrowed around the best
            trials so far, in their own scale: from coarse to fine.
        keep: the share of the complete trials, at least two, around which they are narrowed.
        data: (x, t), what may be learnt from.
        validation: the share of `data` to hold out, the same for all trials, with every class in
            it; or a pair (x, t) of its own.
        mode: 'max' or 'min'.
        method: 'random'; or 'grid', as many equal steps for each hyperparameter as `trials` allows.
        backend: 'builtin'; or 'optuna', whose tree-structured Parzen estimator proposes the values
            in one round (`pip install 'pynet[search]'`).
        stop_bad: gives up trials that look bad: `MedianRule()`, `SuccessiveHalving()`.
        seed: of everything random.

    Raises:
        ValueError, TypeError: arguments that make no sense.
        ImportError: Optuna is not installed.
    """
    _check(space, trials, rounds, keep, mode, method, backend)
    train, held_out = _parts(data, validation, seed)
    result = SearchResult(mode)
    result.space = dict(space)
    source: Source
    if method == "grid":
        source = Grid(space, trials)
        trials = min(trials, source.size)
    else:
        source = Optuna(mode, seed) if backend == "optuna" else Random(seed)
    for number in range(trials):
        done = number * rounds // trials
        if done == len(result.spaces):  # a round begins
            if done:
                result.space = _narrowed(result, keep)
            result.spaces.append(result.space)
        record = TrialRecord(number, done, source.ask(result.space))
        earlier = [trial.reports for trial in result.trials]
        result.trials.append(record)
        own_seed = int(np.random.SeedSequence([seed, number]).generate_state(1)[0])
        report = _reporter(record, earlier, stop_bad, mode)
        with _seeded(own_seed):
            _try(objective, Trial(record, train, held_out, own_seed, report), record)
        source.tell(record)
    result.space = _narrowed(result, keep)
    return result


def _try(objective: Callable[[Trial], float], trial: Trial, record: TrialRecord) -> None:
    try:
        value = float(objective(trial))
    except BadTrial:
        record.state, record.value = "pruned", list(record.reports.values())[-1]
    except FloatingPointError:
        record.state = "failed"
    else:
        failed = math.isnan(value)
        record.state, record.value = ("failed", None) if failed else ("complete", value)


def _reporter(
    record: TrialRecord, earlier: Sequence[dict[int, float]], rule: Rule | None, mode: str
) -> Callable[[int, float], None]:
    sign = 1 if mode == "max" else -1

    def signed(reports: Mapping[int, float]) -> dict[int, float]:
        return {step: sign * value for step, value in reports.items()}

    def report(step: int, value: float) -> None:
        record.reports[step] = float(value)
        others = [signed(reports) for reports in earlier]
        if rule is not None and rule.bad(step, signed(record.reports), others):
            raise BadTrial(f"step {step}: {value}")

    return report


def _narrowed(result: SearchResult, keep: float) -> Mapping[str, Space]:
    ranked = result.ranked()
    best = ranked[: max(round(keep * len(ranked)), 2)]
    if not best:
        return result.space
    return {
        name: space.narrow([_inside(space, trial.params[name]) for trial in best])
        for name, space in result.space.items()
    }


def _inside(space: Space, value: Any) -> Any:
    """A value of an earlier, wider round, moved to the end of the range that is nearest."""
    if isinstance(space, Uniform | IntRange):
        return min(max(value, space.low), space.high)
    return value


@contextlib.contextmanager
def _seeded(seed: int) -> Iterator[None]:
    state, own = np.random.get_state(), rng.current()[0]
    np.random.seed(seed)
    pynet.seed(seed)
    try:
        yield
    finally:
        np.random.set_state(state)
        pynet.seed(own)


def _parts(
    data: Pair | None, validation: float | Pair, seed: int
) -> tuple[Pair | None, Pair | None]:
    if data is None:
        return None, None if isinstance(validation, float) else validation
    x, t = np.asarray(data[0]), np.asarray(data[1])
    if len(x) != len(t):
        raise ValueError(
            f"[search] data: expected a target for each of {len(x)} samples, got {len(t)}"
        )
    if not isinstance(validation, float):
        return (x, t), validation
    # Numbers of regression have no classes to keep in proportion.
    labels = np.zeros(len(t)) if t.dtype.kind == "f" and t.ndim == 1 else t
    learn, hold = stratified_split(labels, validation, seed)
    return (x[learn], t[learn]), (x[hold], t[hold])


def _check(
    space: Mapping[str, Space],
    trials: int,
    rounds: int,
    keep: float,
    mode: str,
    method: str,
    backend: str,
) -> None:
    if not space:
        raise ValueError("[search] space: expected at least one hyperparameter, got none")
    for name, each in space.items():
        if not isinstance(each, Space):
            raise TypeError(
                f"[search] space[{name!r}]: expected Uniform, LogUniform, IntRange or Choice, "
                f"got {type(each).__name__}"
            )
    if not 1 <= rounds <= trials:
        raise ValueError(
            f"[search] trials, rounds: expected 1 <= rounds <= trials, got {rounds} and {trials}"
        )
    if not 0 < keep <= 1:
        raise ValueError(f"[search] keep: expected a share above 0, at most 1, got {keep}")
    for argument, got, known in (
        ("mode", mode, ("max", "min")),
        ("method", method, ("random", "grid")),
        ("backend", backend, ("builtin", "optuna")),
    ):
        if got not in known:
            raise ValueError(f"[search] {argument}: expected {' or '.join(known)}, got {got!r}")
    if rounds > 1 and (method == "grid" or backend == "optuna"):
        raise ValueError(
            f"[search] rounds: expected 1 with a grid or Optuna, which do not narrow, got {rounds}"
        )
    if method == "grid" and backend == "optuna":
        raise ValueError("[search] method: expected random with Optuna, got 'grid'")
