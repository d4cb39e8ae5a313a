"""Measure rows in a process of its own: a line of JSON for each, as soon as it is there.

    python -m gpucheck.measure FILE SECONDS ROW...

A row that has not begun when the seconds are over is left out.
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable, Iterator
from itertools import cycle
from statistics import mean
from typing import Any

import numpy as np

from gpucheck import mnist
from gpucheck.own import Own, Steps
from gpucheck.report import text
from gpucheck.rows import COPY, TABLE, Row
from gpucheck.timing import Contender, Plan, samples
from pynet.bench.nets import NETS, weights, without_dropout
from pynet.bench.process import batches
from pynet.bench.ratios import Quartiles, agree
from pynet.bench.ratios import ratio as ratio_of
from pynet.bench.rows import OPS, STEPS_COMPARED, Kernel, Step, Training

SEEDS = 20
SEEDS_SECONDS = 30.0  # with more passed, no further seed is trained
ROWS_CHECKED = 64  # of a product, in float64
REPLAYED_BELOW = 50e-6  # seconds: what is shorter may be a matter of who asks for it
REPLAYED = 20  # calls at once
WARM_SECONDS = 1.0  # until the clock of an idle GPU has risen

Found = dict[str, Any]


def inputs_of(work: Kernel) -> dict[str, Any]:
    """Random numbers, never zeros: those let a GPU run faster."""
    like = {"batch_norm_relu_backward": "batch_norm_backward", "copy": "relu"}
    return OPS[like.get(work.op, work.op)].inputs(work.sizes)


class Bench:
    """Rows on one device; `torch` is the peer, or None."""

    def __init__(self, own: Own, torch: Any, plan: Plan, seeds: int = SEEDS) -> None:
        self.own, self.torch, self.plan, self.seeds = own, torch, plan, seeds
        self.copied = 0.0  # bytes per second, once it is known

    def row(self, row: Row) -> Found:
        """What the row found; {"failed": why} where it could not be measured."""
        if isinstance(row.work, Kernel):
            found = self._kernel(row, row.work)
        elif isinstance(row.work, Step):
            found = self._step(row, row.work)
        else:
            assert isinstance(row.work, Training)
            found = self._training(row.work)
        self.own.release_memory()
        if self.torch is not None:
            self.torch.release_memory()
        return {"row": row.name, **found}

    def warm_up(self, seconds: float = WARM_SECONDS) -> None:
        """Keep the device busy with products, so that the first row finds it as the others do."""
        work = Kernel("gemm", {"M": 4096, "N": 4096, "K": 4096, "trans_a": 0, "trans_b": 0})
        call, end = self.own.kernel(work, inputs_of(work)), time.monotonic() + seconds
        while time.monotonic() < end:
            self.own.clock.seconds(call, 5)

    def copy(self, row: Row = COPY) -> float:
        """Bytes that the device copies in a second, read and written, at best."""
        if not self.copied:
            assert isinstance(row.work, Kernel)
            inputs = inputs_of(row.work)
            taken = samples(self._contenders(row, inputs), self.plan)
            self.copied = row.bytes / min(float(np.median(each)) for each in taken.values())
        return self.copied

    # ---- kernels -------------------------------------------------------------------------------

    def _contenders(self, row: Row, inputs: dict[str, Any]) -> dict[str, Contender]:
        assert isinstance(row.work, Kernel)
        self.own.set_precision(row.precision)
        found = {"pynet": Contender(self.own.kernel(row.work, inputs), self.own.clock)}
        if self.torch is not None:
            for name, call in self.torch.kernels(row, inputs).items():
                found[name] = Contender(call, self.torch.clock)
        return found

    def _kernel(self, row: Row, work: Kernel) -> Found:
        inputs = inputs_of(work)
        try:
            contenders = self._contenders(row, inputs)
            results = {name: self._numbers(name, one.call()) for name, one in contenders.items()}
            ours = results["pynet"]
            for name, theirs in results.items():
                error = difference(ours, theirs)
                if not error <= row.tolerance:  # NaN is no agreement
                    return {"failed": f"differs from {name} by {error:.2g}"}
            found = self._times(samples(contenders, self.plan))
            least = min(found["seconds"], found.get("peer_seconds", found["seconds"]))
            if row.flops and least < REPLAYED_BELOW and hasattr(self.own, "stream"):
                found["replayed"] = self._replayed(contenders)
            if row.flops:
                found["tflops"] = row.flops / found["seconds"] / 1e12
            if row.bytes:
                found["bandwidth"] = row.bytes / found["seconds"]
                found["share"] = found["bandwidth"] / self.copy()
            if work.op == "gemm":
                found["error"] = product_error(ours, inputs, work.sizes)
                if self.torch is not None:
                    found["peer_error"] = product_error(results["torch"], inputs, work.sizes)
            return found
        finally:
            self.own.set_precision("float32")

    def _replayed(self, contenders: dict[str, Contender]) -> Found:
        """The same of calls that were recorded before: what the kernels take, on either side."""
        try:
            replays = {}
            for name, one in contenders.items():
                side = self.own if name == "pynet" else self.torch
                replays[name] = Contender(side.replay(one.call, REPLAYED), one.clock)
            taken = samples(replays, self.plan)
        except Exception as error:
            return {"failed": f"{type(error).__name__}: {error}"[:300]}
        each = {name: [seconds / REPLAYED for seconds in all_] for name, all_ in taken.items()}
        return self._times(each)

    def _numbers(self, name: str, result: Any) -> Any:
        if name != "pynet":
            return self.torch.numbers(result)
        return result.to_numpy() if self.own.on_device else np.array(result)

    @staticmethod
    def _times(taken: dict[str, list[float]]) -> Found:
        """Medians, and the ratio to the fastest peer."""
        middle = {name: float(np.median(each)) for name, each in taken.items()}
        q1, median, q3 = Quartiles.of(taken["pynet"])
        found: Found = {"seconds": median, "quartiles": [q1, q3], "peer": "none"}
        del middle["pynet"]
        if middle:
            peer = min(middle, key=lambda name: middle[name])
            compared = ratio_of(taken["pynet"], taken[peer])
            found |= {"peer": peer, "peer_seconds": middle[peer], "ratio": compared._asdict()}
        return found

    # ---- nets ----------------------------------------------------------------------------------

    def _step(self, row: Row, work: Step) -> Found:
        net = NETS[work.net]
        sides = {"pynet": self.own} | ({} if self.torch is None else {"torch": self.torch})
        losses: dict[str, list[float]] = {}
        contenders = {}
        for name, side in sides.items():
            plain = without_dropout(net)
            trial = side.step(plain, weights(plain), work)
            losses[name] = [
                float(trial(side.put(x), side.put(t)))
                for x, t in batches(net, work.batch, STEPS_COMPARED, 1)
            ]
            step = side.step(net, weights(net), work)
            x, t = map(side.put, batches(net, 8 * work.batch, 1, 2)[0])
            rows = np.random.default_rng(3).permutation(8 * work.batch).reshape(8, -1)
            if side is self.own:
                call = self._steps(step, x, t, cycle(rows))
            else:
                call = rows_of_torch(step, x, t, cycle(map(side.put, rows)))
            contenders[name] = Contender(call, side.clock)
        for name, theirs in losses.items():
            error = agree(losses["pynet"], theirs, row.tolerance)
            if error is not None:
                return {"failed": f"the losses differ from {name}'s by {error:.2g}"}
        return self._times(samples(contenders, self.plan))

    @staticmethod
    def _steps(captured: Any, x: Any, t: Any, turn: Iterator[Any]) -> Callable[[], Any]:
        steps = Steps(captured, x, t)
        for _ in range(4):  # recorded, checked, made a graph
            steps(next(turn))
        return lambda: steps(next(turn))

    def _training(self, work: Training) -> Found:
        try:
            data = mnist.load(self.own, work.shift)
        except (OSError, ValueError) as error:
            return {"failed": f"no MNIST (PYNET_DATA): {type(error).__name__}"}
        mnist.train(self.own, work, data, self.seeds, epochs=1)  # to warm up
        seeds: list[mnist.Seed] = []
        while len(seeds) < self.seeds and sum(seed.seconds for seed in seeds) < SEEDS_SECONDS:
            seeds.append(mnist.train(self.own, work, data, len(seeds)))
        return trainings(seeds, self.seeds)


def rows_of_torch(step: Any, x: Any, t: Any, turn: Iterator[Any]) -> Callable[[], Any]:
    def call() -> None:
        rows = next(turn)
        step(x[rows], t[rows])

    return call


def trainings(seeds: list[mnist.Seed], wanted: int) -> Found:
    last = [seed.accuracies[-1] for seed in seeds]
    return {
        "seconds": mean(seed.seconds for seed in seeds),
        "each": [seed.seconds for seed in seeds],
        "accuracies": last,
        "epochs": [len(seed.accuracies) for seed in seeds],
        "reached": len(seeds) == wanted and mean(last) >= 0.99,
        "peer": "none",
    }


def difference(ours: Any, theirs: Any) -> float:
    """Of all numbers of two results: the norm of the difference over that of the second."""
    apart = np.linalg.norm((ours - theirs).ravel())
    return float(apart / (np.linalg.norm(theirs.ravel()) or 1.0))


def product_error(C: Any, inputs: dict[str, Any], sizes: dict[str, int]) -> float:
    """Of some rows of a product, relative to float64: the norm of the error over that of them."""
    A = inputs["A"].T if sizes["trans_a"] else inputs["A"]
    B = inputs["B"].T if sizes["trans_b"] else inputs["B"]
    rows = np.linspace(0, len(A) - 1, min(ROWS_CHECKED, len(A))).astype(np.int64)
    exact = A[rows].astype(np.float64) @ B.astype(np.float64)
    return float(np.linalg.norm(C[rows] - exact) / np.linalg.norm(exact))


def on_gpu() -> tuple[Own, Any, str]:
    """pynet and, where it sees the same GPU, torch; or why there is no torch."""
    from pynet import backend

    own = Own(backend.device(), events=True)
    try:
        import torch

        from gpucheck.peer import Torch
    except Exception as error:  # a library of its own is missing, or does not fit the driver
        return own, None, f"{type(error).__name__}: {error}"
    if not torch.cuda.is_available():
        return own, None, "torch sees no GPU"
    return own, Torch("cuda", events=True), ""


def measured(bench: Bench, name: str) -> Found:
    """A row, or why there is none: what a peer refuses ends no other row."""
    try:
        return bench.row(TABLE[name])
    except Exception as error:
        lost = "any more" in str(error) or "CUDA error" in str(error)
        if lost:  # for this process
            raise
        return {"row": name, "failed": f"{type(error).__name__}: {error}"[:300]}


def main() -> None:
    path, seconds, *names = sys.argv[1:]
    until = time.monotonic() + float(seconds)
    own, torch, no_peer = on_gpu()
    bench = Bench(own, torch, Plan())
    with open(path, "w") as file:

        def write(found: Found) -> None:
            file.write(json.dumps(found) + "\n")
            file.flush()

        write({"versions": {} if torch is None else torch.versions()})
        if torch is None:
            write({"no_peer": no_peer})
        bench.warm_up()
        write({"copy": bench.copy()})
        for name in names:
            if time.monotonic() > until:
                break
            found = measured(bench, name)
            print(text(found), flush=True)
            write(found)


if __name__ == "__main__":
    main()
