"""Ensembles: what several networks know together."""

from __future__ import annotations

from itertools import combinations

import numpy as np

from pynet.ensemble import Ensemble
from pynet.lab.experiment import Lab, Result
from pynet.networks import MultiLayerNet
from pynet.trainer import Trainer
from pynet.viz import style


def ensembles(lab: Lab) -> Result:
    """Train five nets from different initial values; compare them with their average and vote."""
    (x, t), (x_test, t_test) = lab.mnist()
    N = lab.pick(6000, 200)
    nets = []
    for seed in lab.over(range(5), "members"):
        lab.reseed(100 * seed)
        net = MultiLayerNet(x.shape[1], [100, 100], 10)
        trainer = Trainer(
            *(net, x[:N], t[:N], None, None),
            epochs=lab.pick(12, 1),
            optimizer="adam",
            optimizer_param={"lr": 0.002},
            evaluate_sample_num_per_epoch=100,
            verbose=False,
            sampling="epoch",
        )
        trainer.train()
        nets.append(net)
    members = [100 * net.accuracy(x_test, t_test) for net in nets]
    average = 100 * Ensemble(nets).accuracy(x_test, t_test, 1000)
    vote = 100 * Ensemble(nets, "vote").accuracy(x_test, t_test, 1000)
    # The probabilities are computed once; an ensemble of some members averages its own rows.
    y = [Ensemble([net]).predict(x_test) for net in nets]
    wrong = [each.argmax(axis=1) != t_test for each in y]
    together = 100 * float(np.mean(np.all(wrong, axis=0)))
    by_count = {
        count: [
            100 * float(np.mean(np.mean([y[i] for i in chosen], axis=0).argmax(axis=1) == t_test))
            for chosen in combinations(range(5), count)
        ]
        for count in range(1, 6)
    }

    figure = style.new_figure(
        9, 3.8, f"Five networks as one, {N} training images of {lab.data_name}"
    )
    with style.styled():
        left, right = figure.subplots(1, 2)
        names = ["1", "2", "3", "4", "5", "vote", "average"]
        values = [*members, vote, average]
        colours = [style.GRAY] * 5 + [style.ORANGE, style.BLUE]
        bars = left.bar(names, values, color=colours, hatch=[""] * 5 + ["//", ""], edgecolor="w")
        left.bar_label(bars, fmt="%.1f", padding=2, fontsize=8.5)
        low, high = min(values), max(values)
        room = max(high - low, 0.5)
        left.set(
            ylim=(max(low - room, 0), high + 0.5 * room),
            xlabel="member 1 to 5, and all five together",
            ylabel="test accuracy, % (axis cut)",
        )
        left.grid(axis="x", visible=False)
        for count, each in by_count.items():
            label = "one choice of members" if count == 1 else None
            right.plot([count] * len(each), each, "o", color=style.GRAY, label=label)
        means = [np.mean(each) for each in by_count.values()]
        right.plot(list(by_count), means, "-s", color=style.BLUE, label="mean of all choices")
        right.set(xlabel="members in the average", ylabel="test accuracy, %", xticks=range(1, 6))
        right.legend(loc="lower right")
    mean = float(np.mean(members))
    return Result(
        figure,
        {
            "members": members,
            "average": average,
            "vote": vote,
            "average_by_members": by_count,
            "gain_over_mean_member": average - mean,
            "all_wrong": together,
        },
        f"Alone the five nets, which differ in their first weights and in the order of their "
        f"batches only, have {min(members):.1f} to {max(members):.1f} % of the test images right, "
        f"{mean:.1f} % in the mean; the average of their probabilities has {average:.1f} % and "
        f"their vote {vote:.1f} %. Look at the right picture, where the accuracy goes from "
        f"{means[0]:.1f} % for one member to {means[-1]:.1f} % for five: one is wrong on "
        f"{100 - mean:.1f} % of the images, all five together on {together:.1f} %.",
    )
