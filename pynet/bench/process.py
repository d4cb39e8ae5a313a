"""A peer in a process of its own: it makes ready a row, and times it as often as asked."""

from __future__ import annotations

import multiprocessing
import os
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from itertools import cycle
from multiprocessing.connection import Connection
from typing import Any

import numpy as np

from pynet.bench import load, peers
from pynet.bench.nets import NETS, Net, weights, without_dropout
from pynet.bench.rows import OPS, ROWS, STEPS_COMPARED, Inference, Kernel, Row, Step

SKETCH = 1000  # numbers of a result that are compared


def batches(net: Net, batch: int, count: int, seed: int) -> list[tuple[Any, Any]]:
    """Random images and labels, the same for every peer."""
    rng = np.random.default_rng(seed)
    return [
        (rng.random((batch, *net.shape), dtype=np.float32), rng.integers(0, 10, batch))
        for _ in range(count)
    ]


def sketch(result: Any) -> list[float]:
    """So many numbers of a result, evenly over it."""
    flat = np.asarray(result).ravel()
    places = np.linspace(0, flat.size - 1, min(SKETCH, flat.size)).astype(np.int64)
    return [float(value) for value in flat[places]]


def make_ready(peer: Any, row: Row) -> tuple[Callable[[], Any], list[float]]:
    """The function to be timed, and what it computes: losses of the first steps, or a result."""
    work = row.work
    if isinstance(work, Step):
        net = NETS[work.net]
        trial = peer.model(without_dropout(net), weights(without_dropout(net)), work)
        losses = [trial.step(x, t) for x, t in batches(net, work.batch, STEPS_COMPARED, 1)]
        step = peer.model(net, weights(net), work).step
        turn: Iterator[tuple[Any, Any]] = cycle(batches(net, work.batch, 8, 2))
        return lambda: step(*next(turn)), losses
    if isinstance(work, Inference):
        net = NETS[work.net]
        infer = peer.infer(net, weights(net))
        images = cycle([x for x, _ in batches(net, work.batch, 8, 2)])
        return lambda: infer(next(images)), sketch(infer(next(images)))
    assert isinstance(work, Kernel)  # whole runs have processes of their own
    call = peer.kernel(work, OPS[work.op].inputs(work.sizes))
    return call, sketch(call())


def calls_in(call: Callable[[], Any], seconds: float) -> int:
    """Warm up for as long as a sample takes, and return how many calls fill one."""
    call()
    calls, start = 0, time.perf_counter()
    while (passed := time.perf_counter() - start) < seconds:
        call()
        calls += 1
    return max(1, round(calls * seconds / passed))


def keep_to(threads: int) -> list[int]:
    """Use so many processors from now on, and return which."""
    chosen = load.processors()[:threads]
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, chosen)
    return chosen


def _text(error: Exception) -> str:
    return " ".join(f"{type(error).__name__}: {error}".split())[:200]


def serve(pipe: Connection, name: str, threads: int, seconds: float) -> None:
    """What the process does: make a row ready, time it, until the pipe brings None or is closed."""
    with suppress(EOFError, BrokenPipeError, KeyboardInterrupt):  # the other end says what happened
        _serve(pipe, name, threads, seconds)


def _serve(pipe: Connection, name: str, threads: int, seconds: float) -> None:
    processors = keep_to(threads)
    try:
        peer = peers.make(name, threads)
    except Exception as error:
        pipe.send(_text(error))
        return
    pipe.send(None)
    call: Callable[[], Any] = int  # anything, until the first row
    calls = 1
    while (asked := pipe.recv()) is not None:
        if asked == "time":
            before = load.read(processors)
            for _ in range(calls):
                call()
            pipe.send(load.between(before, load.read(processors), calls, len(processors)))
            continue
        try:
            call, seen = make_ready(peer, ROWS[asked])
            calls = calls_in(call, seconds)
            pipe.send(("ready", seen))
        except peers.Unsupported:
            pipe.send(("unsupported", None))
        except Exception as error:  # a peer that fails is left out, the others go on
            pipe.send(("failed", _text(error)))


def environment(threads: int) -> dict[str, str]:
    """What libraries read when they are loaded."""
    found = {f"{name}_NUM_THREADS": str(threads) for name in ("OMP", "OPENBLAS", "MKL", "PYNET")}
    multi = "true" if threads > 1 else "false"
    found["XLA_FLAGS"] = f"--xla_cpu_multi_thread_eigen={multi}"
    return found


class Process:
    """The other end: asks, and waits for the answer."""

    def __init__(self, name: str, threads: int, seconds: float) -> None:
        self.name = name
        os.environ.update(environment(threads))
        context = multiprocessing.get_context("spawn")
        self.pipe, theirs = context.Pipe()
        self.process = context.Process(
            target=serve, args=(theirs, name, threads, seconds), daemon=True
        )
        self.process.start()
        theirs.close()

    def why_not(self) -> str | None:
        """Wait until the peer is there; the reason if it cannot be."""
        try:
            error = self.pipe.recv()
        except EOFError:
            return "its process has ended"
        return None if error is None else str(error)

    def prepare(self, row: str) -> tuple[str, Any]:
        """Make a row ready: "ready", "unsupported" or "failed", and what it computes or why."""
        try:
            self.pipe.send(row)
            state, what = self.pipe.recv()
        except (EOFError, BrokenPipeError):
            return "failed", "its process has ended"
        return str(state), what

    def time(self) -> load.Sample:
        """Time one sample."""
        self.pipe.send("time")
        return load.Sample(*self.pipe.recv())

    def close(self) -> None:
        """End the process."""
        with suppress(BrokenPipeError):
            self.pipe.send(None)
        self.process.join(10)
        self.process.terminate()


def started(names: Sequence[str], threads: int, seconds: float) -> tuple[list[Process], list[str]]:
    """A process for each peer that can be had, and a line on each that cannot.

    A sample lasts so many seconds.
    """
    there, absent = [], []
    for process in [Process(name, threads, seconds) for name in names]:
        why = process.why_not()
        if why is None:
            there.append(process)
        else:
            absent.append(f"{process.name} is left out: {why}")
    return there, absent
