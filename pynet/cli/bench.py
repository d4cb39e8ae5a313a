"""`pynet bench`: how fast pynet is here, beside the peers that are installed here."""

from __future__ import annotations

import argparse
import sys

from pynet.bench import machine, peers, report
from pynet.bench.process import started
from pynet.bench.rounds import measure
from pynet.bench.rows import ROWS

# The book's nets in training and at work, and one row for each kind of kernel.
SHORT = (
    *("step/two-layer-1", "step/two-layer-100", "step/simple-conv-100", "step/deep-conv-100"),
    *("infer/simple-conv-1", "gemm/512x512x512", "conv2d/3x3-c32", "max_pool2d/2x2"),
    *("batch_norm/32x64x56x56", "adam_update/16384"),
)
SLOW = ("reference", "torch-compile", "dezero", "tinygrad")  # to start, or to measure
QUICK = ("step/two-layer-100", "infer/simple-conv-1")


def bench(arguments: argparse.Namespace) -> int:
    """Print a line for each row, on one thread and on all."""
    rows = [ROWS[name] for name in (QUICK if arguments.quick else SHORT)]
    names = [name for name in peers.available() if name not in SLOW]
    if arguments.peers is not None:
        unknown = [name for name in arguments.peers if name not in peers.available()]
        if unknown:
            got = ", ".join(map(repr, unknown))
            found = ", ".join(name for name in peers.available() if name != "pynet")
            raise ValueError(f"--peers: expected some of {found}, got {got}")
        names = [name for name in peers.available() if name in ("pynet", *arguments.peers)]
    about = machine.about()
    print(f"{about['cpu']}, {about['isa']}")
    print(", ".join(f"{name} {version}" for name, version in about["versions"].items()))
    shown = [name for name in names if name != "pynet"]
    print("\n" + report.heading(shown, short=True), flush=True)
    results = []
    rounds = 3 if arguments.quick else 7
    for count in dict.fromkeys(arguments.threads or (1, about["threads"])):
        processes, absent = started(names, count, 0.02 if arguments.quick else 0.1)
        for why in absent:
            print(why, file=sys.stderr)
        for row in rows:
            measured = measure(row, processes, rounds, count, repeats=3)
            for name, why in measured.reasons.items():
                print(f"{row.name}: {name} {why}", file=sys.stderr)
            if measured.samples:
                results.append(report.result(row, count, measured, None))
                print(report.line(results[-1], shown, short=True), flush=True)
        for process in processes:
            process.close()
    print(
        "\n2x: pynet takes half the time; best: the fastest of torch, JAX, scikit-learn and "
        "onnxruntime, of NumPy too in products;\n?: not measured: samples far apart, or disturbed"
    )
    print(report.disturbances(results))
    return 0
