"""A peer that trains in a process of its own, from import to the end: `runs` starts it.

    python bench/suite/training.py ROW PEER THREADS SEED

Prints one line of JSON: the test accuracies by epoch and whether the last is high enough, or the
process's peak of memory in bytes.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import numpy as np

from pynet.bench import peers
from pynet.bench.nets import NETS, weights
from pynet.bench.process import batches, keep_to
from pynet.bench.rows import ROWS, Memory, Training

EVALUATED = 1000  # images at a time


def shifted_batches(x: Any, t: Any, batch: int, shift: int, rng: np.random.Generator) -> Any:
    """An epoch: every image once, each batch moved by a few pixels up or down, left or right.

    x is padded by `shift` pixels on all sides.
    """
    H, W = (side - 2 * shift for side in x.shape[2:])
    order = rng.permutation(len(x))
    for i in range(0, len(x) - batch + 1, batch):
        chosen = order[i : i + batch]
        dy, dx = rng.integers(0, 2 * shift + 1, 2)
        yield np.ascontiguousarray(x[chosen, :, dy : dy + H, dx : dx + W]), t[chosen]


def train(peer: Any, work: Training, seed: int) -> dict[str, Any]:
    """Until the test accuracy is reached, or the epochs are over."""
    from pynet.datasets import load_mnist

    (x, t), (x_test, t_test) = load_mnist(flatten=False)
    t, t_test = t.astype(np.int64), t_test.astype(np.int64)
    step, net = work.step, NETS[work.step.net]
    model = peer.model(net, weights(net, seed), step)
    rng = np.random.default_rng(seed)
    padded = np.pad(x, [(0, 0), (0, 0), *[(work.shift, work.shift)] * 2])
    accuracies: list[float] = []
    for epoch in range(work.epochs):
        model.set_rate(step.lr * work.decay**epoch)
        for images, labels in shifted_batches(padded, t, step.batch, work.shift, rng):
            model.step(images, labels)
        right = 0
        for i in range(0, len(x_test), EVALUATED):
            scores = np.asarray(model.predict(x_test[i : i + EVALUATED]))
            right += int((scores.argmax(axis=1) == t_test[i : i + EVALUATED]).sum())
        accuracies.append(right / len(x_test))
        if accuracies[-1] >= work.accuracy:
            break
    return {"accuracies": accuracies, "reached": accuracies[-1] >= work.accuracy}


def peak_bytes() -> int:
    """Of this process; ru_maxrss would also count the one it was forked from."""
    status = Path("/proc/self/status")
    if status.exists():
        lines = status.read_text().splitlines()
        return next(int(line.split()[1]) << 10 for line in lines if line.startswith("VmHWM"))
    import resource

    most = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return most if sys.platform == "darwin" else most << 10


def memory(peer: Any, work: Memory) -> dict[str, Any]:
    net, step = NETS[work.step.net], work.step
    model = peer.model(net, weights(net), step)
    x, t = batches(net, work.images, 1, 2)[0]
    for i in range(0, work.images, step.batch):
        model.step(x[i : i + step.batch], t[i : i + step.batch])
    return {"peak": peak_bytes()}


def main() -> None:
    row, name, threads, seed = sys.argv[1:]
    work = ROWS[row].work
    keep_to(int(threads))
    try:
        peer = peers.make(name, int(threads))
        if isinstance(work, Training):
            found = train(peer, work, int(seed))
        else:
            assert isinstance(work, Memory)
            found = memory(peer, work)
    except peers.Unsupported:
        found = {"unsupported": True}
    print(json.dumps(found), flush=True)


if __name__ == "__main__":
    main()
