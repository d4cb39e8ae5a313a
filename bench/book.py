"""The book's figures on MNIST, three seeds each: writes the section "The book's figures" of
docs/results.md.

    PYNET_DATA=... python bench/book.py                       all, about an hour on one core
    PYNET_DATA=... python bench/book.py --only ch04 optimizers

What has been measured is kept in out/book.json, so that a run can be made in parts; the section
shows all that is there. A seed gives the same figures on any number of threads of one instruction
set.
"""

from __future__ import annotations

import argparse
import json
import statistics
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

import pynet
from pynet.datasets import load_mnist
from pynet.lab import CATALOG, Lab, plain
from pynet.layers import Affine, Sigmoid
from pynet.networks import DeepConvNet, Network, SimpleConvNet, TwoLayerNet, TwoLayerNetSigmoid
from pynet.trainer import Trainer

ROOT = Path(__file__).resolve().parent.parent
RESULTS = ROOT / "docs" / "results.md"
KEPT = ROOT / "out" / "book.json"
BEGIN, END = "<!-- bench/book.py writes from here -->", "<!-- to here -->"

Values = dict[str, Any]


class Figure(NamedTuple):
    """One measured figure: `measure(seed)` gives values by name, `rows` makes lines of them."""

    name: str
    measure: Callable[[int], Values]
    rows: Callable[[list[Values]], Iterable[tuple[str, str, str, str]]]
    only_seed: int | None = None  # one run holds all seeds


def trained(
    network: Any, iterations: int, optimizer: str, lr: float, images: bool = False, **options: Any
) -> Trainer:
    """Train on MNIST with batches of 100, without looking at accuracy on the way."""
    train, test = load_mnist(flatten=not images)
    trainer = Trainer(
        *(network, *train, *test),
        epochs=iterations // 600 + 1,
        mini_batch_size=100,
        optimizer=optimizer,
        optimizer_param={"lr": lr},
        evaluate_sample_num_per_epoch=1000,
        verbose=False,
        **options,
    )
    for _ in range(iterations):
        trainer.train_step()
    return trainer


def test_accuracy(trainer: Trainer) -> float:
    return float(trainer.network.accuracy(trainer.x_test, trainer.t_test))


# ---- chapter by chapter ------------------------------------------------------------------------


def ch03(seed: int) -> Values:
    """The 784-50-100-10 net of chapter 3, whose weights we train ourselves."""
    layers = [Affine.sized(50), Sigmoid(), Affine.sized(100), Sigmoid(), Affine.sized(10)]
    trainer = trained(Network(layers, input_dim=(784,)), 3000, "Adam", 0.001)
    x, t = trainer.x_test, trainer.t_test
    one_by_one = [int(trainer.network.predict(x[i : i + 1]).argmax()) for i in range(len(x))]
    return {
        "in batches": test_accuracy(trainer),
        "one by one": float(np.mean(np.array(one_by_one) == t)),
    }


def ch04(seed: int) -> Values:
    trainer = trained(TwoLayerNetSigmoid(784, 50, 10), 10_000, "SGD", 0.1)
    return {"test": test_accuracy(trainer), "first": trainer.test_acc_list[0]}


def ch05(seed: int) -> Values:
    trainer = trained(TwoLayerNet(784, 50, 10), 10_000, "SGD", 0.1)
    return {"test": test_accuracy(trainer), "first": trainer.test_acc_list[0]}


def ch07(seed: int) -> Values:
    return {"test": test_accuracy(trained(SimpleConvNet(), 12_000, "Adam", 0.001, images=True))}


def ch08(seed: int) -> Values:
    return {"test": test_accuracy(trained(DeepConvNet(), 12_000, "Adam", 0.001, images=True))}


def from_lab(name: str) -> Callable[[int], Values]:
    """The numbers of an experiment of `pynet lab`."""
    return lambda seed: plain(CATALOG[name].run(Lab(seed=seed)).numbers)


# ---- rows: what, the book's figure, each seed and the mean, the verdict --------------------------


def percent(values: Iterable[float]) -> str:
    values = list(values)
    each = ", ".join(f"{100 * v:.2f}" for v in values)
    return f"{each}; mean {100 * statistics.mean(values):.2f} %"


def numbers(values: Iterable[float]) -> str:
    values = list(values)
    return ", ".join(f"{v:.3f}" for v in values) + f"; mean {statistics.mean(values):.3f}"


def verdict(holds: Iterable[bool]) -> str:
    holds = list(holds)
    return "yes" if all(holds) else f"in {sum(holds)} of {len(holds)}"


def one_accuracy(what: str, book: str) -> Callable[[list[Values]], Any]:
    def rows(found: list[Values]) -> Iterable[tuple[str, str, str, str]]:
        yield what, book, percent(v["test"] for v in found), ""

    return rows


def ch03_rows(found: list[Values]) -> Iterable[tuple[str, str, str, str]]:
    yield (
        "ch03: 784-50-100-10 sigmoid net (trained here, 5 epochs), in batches of 100",
        "93.52 %",
        percent(v["in batches"] for v in found),
        "",
    )
    yield (
        "the same, image by image",
        "the same",
        percent(v["one by one"] for v in found),
        verdict(v["in batches"] == v["one by one"] for v in found),
    )


NEAR_THE_END = "mean loss of iterations 1801 to 1900"


def optimizer_rows(found: list[Values]) -> Iterable[tuple[str, str, str, str]]:
    book = {"SGD": "0.15", "Momentum": "0.05", "AdaGrad": "0.016", "Adam": "0.03"}
    for name, figure in book.items():
        ends = [v[NEAR_THE_END] for v in found]
        holds = verdict(end["SGD"] >= 2 * end[name] for end in ends) if name != "SGD" else ""
        what = f"ch06, optimizers: {name}" + (", at most half of SGD's" if holds else "")
        yield what, figure, numbers(end[name] for end in ends), holds


def initial_rows(found: list[Values]) -> Iterable[tuple[str, str, str, str]]:
    for name, figure in {"std 0.01": "2.3", "Xavier": "0.38", "He": "0.29"}.items():
        yield (
            f"ch06, initial values: {name}",
            figure,
            numbers(v[NEAR_THE_END][name] for v in found),
            "",
        )


def batch_norm_rows(found: list[Values]) -> Iterable[tuple[str, str, str, str]]:
    normed = [sum(a >= 0.3 for a in v["best"]["with batch norm"]) for v in found]
    plain_net = [sum(a < 0.2 for a in v["best"]["without"]) for v in found]
    what = "ch06: scales of 16 at which"
    yield (
        *(f"{what} batch norm reaches a training accuracy of 0.3", "16"),
        *(", ".join(map(str, normed)), verdict(n == 16 for n in normed)),
    )
    yield (
        *(f"{what} the plain net stays below 0.2", "8 or more"),
        *(", ".join(map(str, plain_net)), verdict(n >= 8 for n in plain_net)),
    )


def overfitting_rows(found: list[Values]) -> Iterable[tuple[str, str, str, str]]:
    (values,) = found  # one run of the experiment has three seeds in it
    first = next(iter(values["final_gap"].values()))
    for name, gaps in values["final_gap"].items():
        holds = "" if gaps is first else verdict(a < b for a, b in zip(gaps, first))
        smaller = "; smaller than without" if holds else ""
        yield (
            f"ch06, 300 images, training minus test accuracy: {name}{smaller}",
            *("", percent(gaps), holds),
        )


FIGURES = (
    Figure("ch03", ch03, ch03_rows),
    Figure("ch04", ch04, one_accuracy("ch04: two-layer sigmoid net, 10,000 steps", "94.65 %")),
    Figure("ch05", ch05, one_accuracy("ch05: two-layer ReLU net, 10,000 steps", "96.9 %")),
    Figure("optimizers", from_lab("optimizers-mnist"), optimizer_rows),
    Figure("initial-values", from_lab("initial-values-mnist"), initial_rows),
    Figure("batch-norm", from_lab("batch-norm-scales"), batch_norm_rows),
    Figure("overfitting", from_lab("overfitting"), overfitting_rows, only_seed=0),
    Figure("ch07", ch07, one_accuracy("ch07: SimpleConvNet, 20 epochs", "98.96 %")),
    Figure("ch08", ch08, one_accuracy("ch08: DeepConvNet, 20 epochs", "99.35 %")),
)


def section(kept: dict[str, dict[str, Values]]) -> str:
    lines = [
        BEGIN,
        "| what | the book | here: each seed; mean | holds |",
        "| --- | --- | --- | --- |",
    ]
    for figure in FIGURES:
        found = kept.get(figure.name, {})
        if found:
            rows = figure.rows([found[seed] for seed in sorted(found, key=int)])
            lines += [f"| {' | '.join(row)} |" for row in rows]
    return "\n".join([*lines, END])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    names = [figure.name for figure in FIGURES]
    parser.add_argument("--only", nargs="+", choices=names, default=names, metavar="NAME")
    parser.add_argument("--seeds", nargs="+", type=int, default=[0, 1, 2])
    args = parser.parse_args()
    KEPT.parent.mkdir(exist_ok=True)
    for figure in FIGURES:
        seeds = args.seeds if figure.only_seed is None else [figure.only_seed]
        for seed in seeds if figure.name in args.only else []:
            np.random.seed(seed)
            pynet.seed(seed)
            values = figure.measure(seed)
            print(f"{figure.name}, seed {seed}: done", flush=True)
            kept = json.loads(KEPT.read_text()) if KEPT.exists() else {}
            kept.setdefault(figure.name, {})[str(seed)] = values
            KEPT.write_text(json.dumps(kept, indent=1))
    text = RESULTS.read_text()
    before, rest = text.split(BEGIN)
    RESULTS.write_text(before + section(json.loads(KEPT.read_text())) + rest.split(END)[1])


if __name__ == "__main__":
    main()
