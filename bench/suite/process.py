"""A peer in a process of its own: it makes ready a row, and times it as often as asked."""

from __future__ import annotations

import multiprocessing
import os
import time
from collections.abc import Callable, Iterator
from itertools import cycle
from multiprocessing.connection import Connection
from typing import Any

import numpy as np

from suite import peers
from suite.nets import NETS, Net, weights, without_dropout
from suite.rows import OPS, ROWS, STEPS_COMPARED, Inference, Row, Step

SKETCH = 1000  # numbers of a result that are compared


def batches(net: Net, batch: int, count: int, seed: int) -> list[tuple[Any, Any]]:
    rng = np.random.default_rng(seed)
    return [
        (rng.random((batch, *net.shape), dtype=np.float32), rng.integers(0, 10, batch))
        for _ in range(count)
    ]


def sketch(result: Any) -> list[float]:
    flat = np.asarray(result).ravel()
    places = np.linspace(0, flat.size - 1, min(SKETCH, flat.size)).astype(np.int64)
    return [float(value) for value in flat[places]]


def make_ready(peer: Any, row: Row) -> tuple[Callable[[], Any], list[float]]:
    """The function to be timed, and what it computes: losses of the first steps, or a result."""
    work = row.work
    if isinstance(work, Step):
        net = NETS[work.net]
        trial = peer.step(without_dropout(net), weights(without_dropout(net)), work)
        losses = [trial(x, t) for x, t in batches(net, work.batch, STEPS_COMPARED, 1)]
        step = peer.step(net, weights(net), work)
        turn: Iterator[tuple[Any, Any]] = cycle(batches(net, work.batch, 8, 2))
        return lambda: step(*next(turn)), losses
    if isinstance(work, Inference):
        net = NETS[work.net]
        infer = peer.infer(net, weights(net))
        images = cycle([x for x, _ in batches(net, work.batch, 8, 2)])
        return lambda: infer(next(images)), sketch(infer(next(images)))
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


def serve(pipe: Connection, name: str, threads: int, seconds: float) -> None:
    if hasattr(os, "sched_setaffinity"):
        allowed = sorted(os.sched_getaffinity(0))
        os.sched_setaffinity(0, allowed[:threads])
    peer = peers.make(name, threads)
    pipe.send(None)
    call: Callable[[], Any] = int  # anything, until the first row
    calls = 1
    while (asked := pipe.recv()) is not None:
        if asked == "time":
            start = time.perf_counter()
            for _ in range(calls):
                call()
            pipe.send((time.perf_counter() - start) / calls)
            continue
        try:
            call, seen = make_ready(peer, ROWS[asked])
            calls = calls_in(call, seconds)
            pipe.send(("ready", seen))
        except peers.Unsupported:
            pipe.send(("unsupported", None))
        except Exception as error:  # a peer that fails is left out, the others go on
            pipe.send(("failed", f"{type(error).__name__}: {str(error)[:200]}"))


def environment(threads: int) -> dict[str, str]:
    """What libraries read when they are loaded."""
    found = {f"{name}_NUM_THREADS": str(threads) for name in ("OMP", "OPENBLAS", "MKL", "PYNET")}
    multi = "true" if threads > 1 else "false"
    found["XLA_FLAGS"] = f"--xla_cpu_multi_thread_eigen={multi}"
    return found


class Process:
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

    def wait_until_started(self) -> None:
        self.pipe.recv()

    def prepare(self, row: str) -> tuple[str, Any]:
        self.pipe.send(row)
        state, what = self.pipe.recv()
        return str(state), what

    def time(self) -> float:
        self.pipe.send("time")
        return float(self.pipe.recv())

    def close(self) -> None:
        self.pipe.send(None)
        self.process.join(10)
        self.process.terminate()
