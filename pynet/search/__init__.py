"""Hyperparameter search: random in the right scale, from coarse to fine, on validation data only.

def objective(trial):
    net = MultiLayerNet(784, [trial["width"]], 10)
    Trainer(net, *trial.train, None, None, optimizer_param={"lr": trial["lr"]},
            validation=trial.validation, callbacks=[Report(trial.report)]).train()
    return net.accuracy(*trial.validation)

space = {"lr": LogUniform(1e-4, 1), "width": IntRange(10, 200, log=True)}
result = search(objective, space, trials=60, rounds=3, data=(x_train, t_train))
print(result)
"""

from pynet.search.result import SearchResult, TrialRecord
from pynet.search.rules import MedianRule, SuccessiveHalving
from pynet.search.run import BadTrial, Trial, search
from pynet.search.space import Choice, IntRange, LogUniform, Uniform

__all__ = [
    "BadTrial",
    "Choice",
    "IntRange",
    "LogUniform",
    "MedianRule",
    "SearchResult",
    "SuccessiveHalving",
    "Trial",
    "TrialRecord",
    "Uniform",
    "search",
]
