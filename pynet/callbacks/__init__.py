"""What else happens during a run: stopping early, lower rates, files.

    stop = EarlyStopping("f1", patience=3)
    Trainer(net, x, t, x_test, t_test, validation=(x_val, t_val), metrics={"f1": f1},
            callbacks=[stop, CSVLog("history.csv")]).train()

A callback is a `Callback` with some of the methods begin, step, epoch and end. Those that decide
something decide on validation data: the Trainer refuses to give them a figure of the test data.
"""

from pynet.callbacks.base import Callback, LambdaCallback, Run
from pynet.callbacks.decisions import EarlyStopping, ReduceRateOnPlateau, Report
from pynet.callbacks.results import Checkpoint, CSVLog, UseAverage, history_csv

__all__ = [
    "CSVLog",
    "Callback",
    "Checkpoint",
    "EarlyStopping",
    "LambdaCallback",
    "ReduceRateOnPlateau",
    "Report",
    "Run",
    "UseAverage",
    "history_csv",
]
