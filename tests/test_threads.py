"""The thread team as a user meets it: settings, fork, several Python threads, the GIL."""

from __future__ import annotations

import multiprocessing
import os
import subprocess
import sys
import threading
import time
from collections.abc import Iterator

import numpy as np
import pytest

import pynet
from pynet import _core


@pytest.fixture(autouse=True)
def default_threads() -> Iterator[None]:
    yield
    pynet.set_num_threads(0)


def product(seed: int = 0, size: int = 200) -> bytes:
    """A product large enough for the whole team."""
    rng = np.random.default_rng(seed)
    A, B = rng.standard_normal((2, size, size)).astype(np.float32)
    return _core.gemm(A, B).tobytes()


def run(code: str, **env: str) -> str:
    clean = {k: v for k, v in os.environ.items() if not k.endswith("_NUM_THREADS")}
    done = subprocess.run(
        [sys.executable, "-c", code], env=clean | env, capture_output=True, text=True, timeout=120
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


SHOW = "import pynet; print(pynet.num_threads())"


def test_environment_decides() -> None:
    assert run(SHOW, PYNET_NUM_THREADS="3") == "3"
    assert run(SHOW, OMP_NUM_THREADS="5") == "5"
    assert run(SHOW, PYNET_NUM_THREADS="2", OMP_NUM_THREADS="5") == "2"


@pytest.mark.skipif(not hasattr(os, "sched_setaffinity"), reason="no affinity on this system")
def test_affinity_is_respected() -> None:
    one = min(os.sched_getaffinity(0))
    assert run(f"import os; os.sched_setaffinity(0, {{{one}}}); {SHOW}") == "1"


def test_set_num_threads() -> None:
    pynet.set_num_threads(3)
    assert pynet.num_threads() == 3
    for bad in (-1, 5000):
        with pytest.raises(ValueError, match=r"\[set_num_threads\] n: expected"):
            pynet.set_num_threads(bad)
    with pytest.raises(TypeError, match=r"\[set_num_threads\] n: expected an integer"):
        pynet.set_num_threads("four")  # type: ignore[arg-type]
    assert pynet.num_threads() == 3


def test_python_threads_share_the_team() -> None:
    """Eight threads at once: one has the team, the others compute alone, all get the same bits."""
    pynet.set_num_threads(4)
    expected = [product(seed) for seed in range(8)]
    wrong = []
    start = threading.Barrier(8)

    def work(seed: int) -> None:
        start.wait()
        for _ in range(30):
            if product(seed) != expected[seed]:
                wrong.append(seed)

    threads = [threading.Thread(target=work, args=(seed,)) for seed in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert wrong == []


def test_other_python_threads_run_during_a_kernel() -> None:
    A = np.ones((1500, 1500), np.float32)
    ticks = 0
    done = threading.Event()

    def tick() -> None:
        nonlocal ticks
        while not done.is_set():
            ticks += 1
            time.sleep(0.0005)

    ticker = threading.Thread(target=tick)
    ticker.start()
    time.sleep(0.01)
    before = ticks
    _core.gemm(A, A)  # tens of milliseconds, far beyond the interpreter's switch interval
    during = ticks - before
    done.set()
    ticker.join()
    assert during > 2


def _child(queue: multiprocessing.Queue[bytes]) -> None:
    queue.put(product())


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork on this system")
@pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")
def test_fork_after_use() -> None:
    pynet.set_num_threads(4)
    expected = product()
    context = multiprocessing.get_context("fork")
    for _ in range(5):
        queue: multiprocessing.Queue[bytes] = context.Queue()
        child = context.Process(target=_child, args=(queue,))
        child.start()
        assert queue.get(timeout=60) == expected
        child.join(60)
        assert child.exitcode == 0
    assert product() == expected


@pytest.mark.parametrize("isa", _core.isas())
def test_forced_instruction_set(isa: str) -> None:
    assert run("from pynet import _core; print(_core.isa())", PYNET_ISA=isa) == isa


def test_unknown_instruction_set_is_refused() -> None:
    code = "from pynet import _core\ntry: _core.isa()\nexcept ValueError as error: print(error)"
    known = ", ".join(_core.isas())
    assert f"[PYNET_ISA] name: expected one of {known}, got" in run(code, PYNET_ISA="sse9")


def test_denormal_mode_of_the_caller_is_kept() -> None:
    """Kernels flush denormals; the caller's arithmetic must not."""
    tiny = np.array([1e-40], np.float32)
    product()
    assert (tiny * np.float32(0.5))[0] > 0
