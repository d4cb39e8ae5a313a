"""`pynet lab`: run an experiment, write its picture and its numbers, say what to see."""

from __future__ import annotations

import argparse
import json
import os
import time
from importlib import import_module

from pynet.cli.errors import missing_extra
from pynet.serialization import write_atomic


def lab(arguments: argparse.Namespace) -> int:
    """List the experiments, or run some of them."""
    try:
        from pynet.lab import CATALOG, Lab, plain
        from pynet.viz.style import save_figure

        if not arguments.list:
            import_module("matplotlib")  # or raises before an experiment has run for minutes
    except ImportError as error:
        raise ImportError(f"pynet lab: {missing_extra(error, 'lab')}") from None
    if arguments.list:
        width = max(map(len, CATALOG))
        for entry in CATALOG.values():
            print(f"{entry.name:{width}}  {entry.question}")
        return 0
    names = list(CATALOG) if arguments.names == ["all"] else arguments.names
    unknown = [name for name in names if name not in CATALOG]
    if unknown or not names:
        got = ", ".join(map(repr, unknown)) or "none"
        raise ValueError(f"NAME: expected one of `pynet lab --list`, or all, got {got}")
    os.makedirs(arguments.out, exist_ok=True)
    for number, name in enumerate(names, 1):
        place = f"[{number}/{len(names)}] " if len(names) > 1 else ""
        print(f"{place}{name}: {CATALOG[name].question}", flush=True)
        begin = time.perf_counter()
        settings = Lab(quick=arguments.quick, seed=arguments.seed)
        try:
            result = CATALOG[name].run(settings)
        except ImportError as error:
            raise ImportError(f"pynet lab {name}: {missing_extra(error, 'lab')}") from None
        seconds = time.perf_counter() - begin
        path = os.path.join(arguments.out, name)
        report = {
            "experiment": name,
            "question": CATALOG[name].question,
            "quick": arguments.quick,
            "seed": arguments.seed,
            "seconds": round(seconds, 1),
            "numbers": plain(result.numbers),
            "say": result.say,
        }
        text = json.dumps(report, indent=2, ensure_ascii=False, allow_nan=False) + "\n"
        write_atomic(path + ".json", text.encode(), op="lab")
        save_figure(path + ".png", result.figure, op="lab")
        print(f"{result.say}\n{path}.png, {path}.json ({seconds:.1f} s)", flush=True)
    return 0
