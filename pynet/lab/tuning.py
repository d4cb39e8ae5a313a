"""Decisions on validation data: hyperparameters, and when to stop."""

from __future__ import annotations

from typing import Any

import numpy as np

from pynet.callbacks import EarlyStopping, Report
from pynet.lab.experiment import Lab, Result
from pynet.networks import MultiLayerNet
from pynet.search import LogUniform, MedianRule, SearchResult, Trial, search
from pynet.trainer import Trainer
from pynet.viz import style

# Wider than the book's (chapter 6.5), whose best learning rates lie at the upper end.
_SPACE = {"lr": LogUniform(1e-6, 1.0), "weight_decay": LogUniform(1e-8, 1e-1)}


def hyperparameter_search(lab: Lab) -> Result:
    """Compare grid, random and coarse-to-fine search at one budget, as the book does on MNIST."""
    (x, t), _ = lab.mnist()
    N, epochs = lab.pick((500, 50), (100, 2))
    trials = lab.pick(36, 4)
    updates = 0

    def objective(trial: Trial) -> float:
        nonlocal updates
        assert trial.train is not None and trial.validation is not None
        net = MultiLayerNet(784, [100] * 6, 10, weight_decay_lambda=trial["weight_decay"])
        trainer = Trainer(
            *(net, *trial.train, None, None, epochs, 100),
            optimizer_param={"lr": trial["lr"]},
            evaluate_sample_num_per_epoch=1,
            verbose=False,
            sampling="epoch",
            validation=trial.validation,
            callbacks=[Report(trial.report)],
        )
        try:
            with np.errstate(over="ignore"):  # the highest rates diverge
                trainer.train()
        finally:
            updates += trainer.current_iter
        return net.accuracy(*trial.validation)

    rule = MedianRule(warmup_steps=lab.pick(5, 0))
    ways: dict[str, dict[str, Any]] = {
        "grid": {"method": "grid"},
        "random": {},
        "coarse to fine": {"rounds": 3},
        "coarse to fine, bad trials end": {"rounds": 3, "stop_bad": rule},
    }
    found: dict[str, SearchResult] = {}
    cost = {}
    for name, options in lab.over(list(ways.items()), "searches"):
        updates = 0
        found[name] = search(
            objective, _SPACE, trials=trials, data=(x[:N], t[:N]), seed=lab.seed, **options
        )
        cost[name] = updates
    best = {name: 100 * (result.best.value or 0.0) for name, result in found.items()}

    title = f"{trials} trials each, {N} images of {lab.data_name}, a fifth of them for validation"
    figure = style.new_figure(10.5, 4, title)
    with style.styled():
        left, middle, right = figure.subplots(1, 3, width_ratios=[1, 1, 1.15])
        _draw_values(left, {name: found[name] for name in ("grid", "random")})
        _draw_rounds(middle, found["coarse to fine"])
        for i, (name, result) in enumerate(found.items()):
            values = [trial.value if trial.state == "complete" else 0 for trial in result.trials]
            running = 100 * np.maximum.accumulate([value or 0.0 for value in values])
            right.step(
                *(range(1, len(running) + 1), running, style.LINES[i]),
                where="post",
                color=style.COLOURS[i],
                label=f"{name}: {best[name]:.0f} %",
            )
        right.set_title("what it brought")
        right.set(xlabel="trials", ylabel="best validation accuracy so far, %", ylim=(0, 100))
        figure.legend(handles=right.lines, loc="outside lower center", ncols=4)
    rates = {name: len({trial.params["lr"] for trial in found[name].trials}) for name in found}
    numbers = {
        name: {
            "best": best[name],
            "best_params": result.best_params,
            "learning_rates_tried": rates[name],
            "updates": cost[name],
            "pruned": sum(trial.state == "pruned" for trial in result.trials),
            "trials": result.table(),
        }
        for name, result in found.items()
    }
    saved = 1 - cost["coarse to fine, bad trials end"] / cost["coarse to fine"]
    narrow: Any = found["coarse to fine"].space["lr"]
    return Result(
        figure,
        {**numbers, "updates_saved_by_ending_bad_trials": saved},
        f"With {trials} trials the grid tries {rates['grid']} learning rates and random search "
        f"{rates['random']}; their best validation accuracies are {best['grid']:.0f} and "
        f"{best['random']:.0f} %, and {best['coarse to fine']:.0f} % from coarse to fine, where "
        f"the ranges shrink around the best trials (middle picture; {narrow.low:.1g} to "
        f"{narrow.high:.1g} is left for the rate). "
        f"Ending bad trials early saves {100 * saved:.0f} % of the updates and finds "
        f"{best['coarse to fine, bad trials end']:.0f} %.",
    )


def _draw_values(axes: Any, found: dict[str, SearchResult]) -> None:
    for i, (name, result) in enumerate(found.items()):
        points = [(trial.params["lr"], 100 * trial.value) for trial in result.trials if trial.value]
        axes.plot(*zip(*points), style.MARKS[i], color=style.COLOURS[i], label=name, alpha=0.8)
    axes.set(xscale="log", xlabel="learning rate", ylabel="validation accuracy, %", ylim=(0, 100))
    axes.legend(loc="upper left")
    axes.set_title("every trial")
    axes.minorticks_off()


def _draw_rounds(axes: Any, result: SearchResult) -> None:
    for i, space in enumerate(result.spaces):
        trials = [trial.params for trial in result.trials if trial.round == i]
        points = [(params["lr"], params["weight_decay"]) for params in trials]
        axes.plot(*zip(*points), style.MARKS[i], color=style.COLOURS[i], label=f"round {i + 1}")
        edges: Any = [space["lr"], space["weight_decay"]]
        a, b = ((edge.low, edge.high) for edge in edges)
        axes.plot(
            [a[0], a[1], a[1], a[0], a[0]],
            [b[0], b[0], b[1], b[1], b[0]],
            style.LINES[i],
            color=style.COLOURS[i],
            linewidth=1.2,
        )
    axes.set(xscale="log", yscale="log", xlabel="learning rate", ylabel="weight decay")
    axes.set_ylim(10**-8.3, 10**0.4)
    axes.legend(loc="upper center", ncols=3, fontsize=7.5, columnspacing=1, handletextpad=0.3)
    axes.set_title("from coarse to fine")
    axes.minorticks_off()


def early_stopping(lab: Lab) -> Result:
    """Train on 300 images with wrong labels among them, to the end and with early stopping."""
    (x, t), (x_test, t_test) = lab.mnist()
    N, epochs, patience = lab.pick((300, 100, 10), (60, 4, 1))
    learn, hold = slice(0, N), slice(N, 2 * N)
    lab.reseed()
    wrong = np.random.permutation(N)[: N // 5]
    labels = np.array(t[learn])
    labels[wrong] = (labels[wrong] + np.random.randint(1, 10, len(wrong))) % 10

    def run(callbacks: list[EarlyStopping]) -> tuple[Trainer, float]:
        lab.reseed()
        net = MultiLayerNet(784, [100, 100], 10)
        trainer = Trainer(
            *(net, x[learn], labels, None, None, epochs, 30, "sgd", {"lr": 0.1}),
            verbose=False,
            sampling="epoch",
            validation=(x[hold], t[hold]),
            callbacks=callbacks,
        )
        trainer.train()
        return trainer, 100 * net.accuracy(x_test, t_test)

    stop = EarlyStopping("validation_accuracy", patience)
    stopped, test_stopped = run([stop])
    whole, test_whole = run([])
    percent = {
        name: 100 * np.array(whole.history[f"{name}_accuracy"]) for name in ("train", "validation")
    }

    figure = style.new_figure(
        *(9.5, 3.8),
        f"Early stopping on validation accuracy, {N} training images of {lab.data_name}, "
        f"{len(wrong)} of them with a wrong label",
    )
    with style.styled():
        left, right = figure.subplots(1, 2)
        done = range(1, epochs + 1)
        left.plot(done, whole.history["loss"], color=style.BLUE, label="training")
        left.plot(done, whole.history["validation_loss"], "--", color=style.ORANGE)
        left.set(xlabel="epoch", ylabel="loss")
        right.plot(done, percent["train"], color=style.BLUE, label="training")
        right.plot(done, percent["validation"], "--", color=style.ORANGE, label="validation")
        right.set(xlabel="epoch", ylabel="accuracy, %")
        for axes in (left, right):
            axes.axvline(stop.best_epoch, color=style.GREEN, linestyle="-.", label="best epoch")
            axes.axvline(stopped.current_epoch, color=style.BLACK, linestyle=":", label="stopped")
        right.legend(loc="lower right")
    return Result(
        figure,
        {
            "best_epoch": stop.best_epoch,
            "stopped_after": stopped.current_epoch,
            "epochs": epochs,
            "best_validation_accuracy": stop.best,
            "last_validation_accuracy": whole.history["validation_accuracy"][-1],
            "test_accuracy_stopped": test_stopped,
            "test_accuracy_last_epoch": test_whole,
            "history": whole.history,
        },
        f"After {epochs} epochs the net knows {percent['train'][-1]:.0f} % of its training labels, "
        f"wrong ones included, and {percent['validation'][-1]:.1f} % of the validation images, of "
        f"which at its best it knew {percent['validation'].max():.1f} %. Early stopping ended the "
        f"run after epoch {stopped.current_epoch} and put the net of epoch {stop.best_epoch} back: "
        f"it has {test_stopped:.1f} % of the test images right, that of the last epoch "
        f"{test_whole:.1f} %.",
    )
