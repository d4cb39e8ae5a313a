"""Training steps of the book's nets: pynet against its NumPy reference, torch and the book's code.

    python bench/step.py                        # all nets, 1 thread and all threads
    python bench/step.py --nets simple-conv --threads 1 4 --json steps.json
    python bench/step.py --book DIR             # DIR: a checkout of the book's code

A step is `grads = net.gradient(x, t); optimizer.update(net.params, grads)` on one fixed batch, and
reads the loss. Every peer runs in a process of its own and is asked in turn (A B C A B C ...); the
figures are medians over the rounds, the ratios medians of the ratios of each round. The reference
is `pynet.reference` in float64, which works as the book does: im2col and `np.dot`.
"""

from __future__ import annotations

import argparse
import importlib.util
import json
import multiprocessing
import os
import platform
import statistics
import sys
import time
from collections.abc import Callable
from multiprocessing.connection import Connection
from typing import Any, NamedTuple

Step = Callable[[], float]


class Net(NamedTuple):
    build: str  # name in pynet.networks
    args: tuple[Any, ...]
    optimizer: str
    batch: int
    images: bool


NETS = {
    "two-layer-1": Net("TwoLayerNet", (784, 50, 10), "SGD", 1, False),
    "two-layer-10": Net("TwoLayerNet", (784, 50, 10), "SGD", 10, False),
    "two-layer-100": Net("TwoLayerNet", (784, 50, 10), "SGD", 100, False),
    "simple-conv": Net("SimpleConvNet", (), "Adam", 100, True),
    "deep-conv": Net("DeepConvNet", (), "Adam", 100, True),
}
BOOK_MODULES = {
    "TwoLayerNet": ("ch05", "two_layer_net"),
    "SimpleConvNet": ("ch07", "simple_convnet"),
    "DeepConvNet": ("ch08", "deep_convnet"),
}


# --- peers: each gives a function that does one step and returns the loss ------------------------


def batch_of(net: Net) -> tuple[Any, Any]:
    import numpy as np

    rng = np.random.default_rng(0)
    shape = (net.batch, 1, 28, 28) if net.images else (net.batch, 784)
    return rng.random(shape, dtype=np.float32), rng.integers(0, 10, net.batch)


def pynet_step(net: Net, threads: int, book: str | None, dtype: str = "float32") -> Step:
    import numpy as np

    import pynet
    from pynet import networks, optimizers

    pynet.set_num_threads(threads)
    np.random.seed(0)
    network = getattr(networks, net.build)(*net.args, dtype=dtype)
    optimizer = getattr(optimizers, net.optimizer)()
    x, t = batch_of(net)
    x = x.astype(dtype)

    def step() -> float:
        optimizer.update(network.params, network.gradient(x, t))
        return float(network.last_loss)

    return step


def reference_step(net: Net, threads: int, book: str | None) -> Step:
    from pynet import backend

    step = pynet_step(net, threads, book, "float64")

    def in_numpy() -> float:
        with backend.use("reference"):
            return step()

    return in_numpy


def book_step(net: Net, threads: int, book: str | None) -> Step:
    import numpy as np

    assert book is not None
    folder, module = BOOK_MODULES[net.build]
    sys.path[:0] = [book, os.path.join(book, folder)]
    os.chdir(os.path.join(book, folder))
    np.random.seed(0)
    network = getattr(importlib.import_module(module), net.build)(*net.args)
    optimizer = getattr(importlib.import_module("common.optimizer"), net.optimizer)()
    x, t = batch_of(net)
    last = network.lastLayer if hasattr(network, "lastLayer") else network.last_layer

    def step() -> float:
        optimizer.update(network.params, network.gradient(x, t))
        return float(last.loss)

    return step


def torch_step(net: Net, threads: int, book: str | None) -> Step:
    import torch
    from torch import nn

    torch.set_num_threads(threads)
    torch.manual_seed(0)
    if net.build == "TwoLayerNet":
        model = nn.Sequential(nn.Linear(784, 50), nn.ReLU(), nn.Linear(50, 10))
    elif net.build == "SimpleConvNet":
        model = nn.Sequential(
            *(nn.Conv2d(1, 30, 5), nn.ReLU(), nn.MaxPool2d(2), nn.Flatten()),
            *(nn.Linear(4320, 100), nn.ReLU(), nn.Linear(100, 10)),
        )
    else:
        layers: list[nn.Module] = []
        channels = [1, 16, 16, 32, 32, 64, 64]
        for i, (C, FN) in enumerate(zip(channels, channels[1:])):
            layers += [nn.Conv2d(C, FN, 3, padding=2 if i == 3 else 1), nn.ReLU()]
            layers += [nn.MaxPool2d(2)] if i % 2 else []
        layers += [nn.Flatten(), nn.Linear(1024, 50), nn.ReLU(), nn.Dropout(0.5)]
        model = nn.Sequential(*layers, nn.Linear(50, 10), nn.Dropout(0.5))
    rule = torch.optim.SGD if net.optimizer == "SGD" else torch.optim.Adam
    optimizer = rule(model.parameters(), lr=0.01 if net.optimizer == "SGD" else 0.001)
    x, t = (torch.from_numpy(a) for a in batch_of(net))

    def step() -> float:
        optimizer.zero_grad()
        loss = nn.functional.cross_entropy(model(x), t)
        loss.backward()
        optimizer.step()
        return loss.item()

    return step


PEERS = {
    "pynet": pynet_step,
    "reference": reference_step,
    "torch": torch_step,
    "book": book_step,
}


# --- measuring -----------------------------------------------------------------------------------


def worker(pipe: Connection, peer: str, net: Net, threads: int, book: str | None) -> None:
    """Warm up, then time as many steps as fill the asked time, as often as asked."""
    if threads == 1 and hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})
    step = PEERS[peer](net, threads, book)
    for _ in range(3):
        step()
    pipe.send("ready")
    while (seconds := pipe.recv()) is not None:
        steps, start = 0, time.perf_counter()
        while (passed := time.perf_counter() - start) < seconds or steps == 0:
            step()
            steps += 1
        pipe.send(passed / steps)


class Peer:
    """A peer in a process of its own, with the environment its libraries read when they load."""

    def __init__(self, name: str, net: Net, threads: int, book: str | None) -> None:
        for variable in ("OMP", "OPENBLAS", "MKL", "PYNET"):
            os.environ[f"{variable}_NUM_THREADS"] = str(threads)
        context = multiprocessing.get_context("spawn")
        self.pipe, theirs = context.Pipe()
        self.process = context.Process(
            target=worker, args=(theirs, name, net, threads, book), daemon=True
        )
        self.process.start()
        theirs.close()
        self.pipe.recv()

    def time(self, seconds: float) -> float:
        self.pipe.send(seconds)
        return float(self.pipe.recv())

    def close(self) -> None:
        self.pipe.send(None)
        self.process.join()


def measure(
    names: list[str], net: Net, threads: int, book: str | None, rounds: int, gap: float
) -> dict[str, list[float]]:
    peers = {name: Peer(name, net, threads, book) for name in names}
    times: dict[str, list[float]] = {name: [] for name in names}
    for _ in range(rounds):
        for name, peer in peers.items():
            time.sleep(gap)  # threads of the peer before may still be spinning
            times[name].append(peer.time(0.25))
    for peer in peers.values():
        peer.close()
    return times


def versions() -> dict[str, str]:
    from importlib.metadata import version

    found = {"python": platform.python_version()}
    for name in ("pynet", "numpy", "torch"):
        if importlib.util.find_spec(name):
            found[name] = version(name)
    return found


def cpu_name() -> str:
    try:
        with open("/proc/cpuinfo") as file:
            return next(line.split(":")[1].strip() for line in file if "model name" in line)
    except (OSError, StopIteration):
        return platform.processor()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--nets", nargs="+", choices=NETS, default=list(NETS))
    parser.add_argument("--threads", nargs="+", type=int, default=[1, os.cpu_count() or 1])
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--book", metavar="DIR", help="a checkout of the book's code")
    parser.add_argument("--json", metavar="FILE", help="write the figures here")
    args = parser.parse_args()

    names = ["pynet", "reference"]
    names += ["torch"] if importlib.util.find_spec("torch") else []
    names += ["book"] if args.book else []
    book = os.path.abspath(args.book) if args.book else None
    about = {"cpu": cpu_name(), **versions()}
    print(", ".join(f"{key} {value}" for key, value in about.items()))
    print("ms per step, median; in brackets how many times pynet's time (median of the ratios)\n")
    print(f"{'net':14} {'threads':>7} " + " ".join(f"{name:>18}" for name in names))
    rows = []
    for threads in dict.fromkeys(args.threads):
        for name in args.nets:
            times = measure(names, NETS[name], threads, book, args.rounds, 0.15)
            row: dict[str, Any] = {"net": name, "threads": threads}
            cells = []
            for peer, seconds in times.items():
                ratios = [a / b for a, b in zip(seconds, times["pynet"])]
                row[peer] = {"ms": statistics.median(seconds) * 1e3, "all": seconds}
                row[peer]["ratio"] = statistics.median(ratios)
                ratio = "" if peer == "pynet" else f" [{row[peer]['ratio']:.2f}x]"
                cells.append(f"{row[peer]['ms']:.3f}{ratio}")
            rows.append(row)
            print(f"{name:14} {threads:7} " + " ".join(f"{c:>18}" for c in cells), flush=True)
    if args.json:
        with open(args.json, "w") as file:
            json.dump({"about": about, "rows": rows}, file, indent=1)


if __name__ == "__main__":
    main()
