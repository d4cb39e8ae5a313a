"""Streams, errors, forks and memory of the CUDA module, on the executor of tests/cuda_host.

PYNET_EXECUTOR_FAIL=cudaMalloc=719 lets a call of the CUDA runtime fail, PYNET_EXECUTOR_MEMORY says
how much memory there is: a GPU knows neither.
"""

from __future__ import annotations

import gc
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from types import ModuleType
from typing import Any

import numpy as np
import pytest
from device_ops import device_module

import pynet

X = np.arange(6, dtype=np.float32).reshape(2, 3)


@pytest.fixture
def cuda() -> Iterator[ModuleType]:
    module = device_module()
    gc.collect()
    yield module
    module.release_memory()


def fail(monkeypatch: pytest.MonkeyPatch, **code_of: int) -> None:
    calls = ",".join(f"{call}={code}" for call, code in code_of.items())
    monkeypatch.setenv("PYNET_EXECUTOR_FAIL", calls)


def caught(call: Callable[[], Any]) -> pynet.CudaError:
    with pytest.raises(pynet.CudaError) as error:
        call()
    return error.value


# --- errors --------------------------------------------------------------------------------------


@pytest.mark.executor
def test_an_error_names_op_code_and_text(cuda: ModuleType, monkeypatch: Any) -> None:
    x = cuda.to_device(X)
    fail(monkeypatch, cudaMemcpyAsync=1)
    error = caught(lambda: cuda.to_device(X))
    assert (error.op, error.code) == ("to_device", 1)
    assert isinstance(error, RuntimeError)
    assert str(error) == (
        "[to_device] cudaMemcpyAsync: expected success, got cudaErrorInvalidValue (1), "
        "an error of the executor"
    )
    monkeypatch.delenv("PYNET_EXECUTOR_FAIL")
    np.testing.assert_array_equal(cuda.relu(x).to_numpy(), X)


@pytest.mark.executor
@pytest.mark.parametrize(
    ("call", "code", "text"),
    [
        ("cudaGetLastError", 9, r"^\[relu\] launch: .*cudaErrorInvalidConfiguration \(9\)"),
        ("cudaMalloc", 1, r"^\[relu\] cudaMalloc: expected success, got cudaErrorInvalidValue"),
    ],
)
def test_an_op_that_fails_names_itself(
    cuda: ModuleType, monkeypatch: Any, call: str, code: int, text: str
) -> None:
    x = cuda.to_device(X)
    cuda.release_memory()
    fail(monkeypatch, **{call: code})
    with pytest.raises(pynet.CudaError, match=text):
        cuda.relu(x)


@pytest.mark.executor
@pytest.mark.parametrize("code", [214, 700, 719])
def test_an_error_that_nothing_repairs_says_so(
    cuda: ModuleType, monkeypatch: Any, code: int
) -> None:
    fail(monkeypatch, cudaStreamSynchronize=code)
    error = caught(cuda.synchronize)
    assert str(error).endswith(": this process cannot use the GPU any more, start it again")
    assert str(error).startswith("[synchronize] cudaStreamSynchronize: ")


# --- what the device is --------------------------------------------------------------------------


@pytest.mark.executor
@pytest.mark.parametrize(
    ("code_of", "reason"),
    [
        (
            {"cudaGetDeviceCount": 35, "cudaDriverGetVersion": 35},
            "no driver: NVIDIA's is not installed, or is not loaded",
        ),
        (
            {"cudaGetDeviceCount": 35},
            "driver too old: it knows CUDA 13.0, pynet was built with CUDA 13.0",
        ),
        ({"cudaGetDeviceCount": 100}, "no device: the driver shows no GPU to this process"),
        ({"cudaGetDeviceCount": 719}, "cudaErrorLaunchFailure: an error of the executor"),
    ],
)
def test_why_there_is_no_device(
    cuda: ModuleType, monkeypatch: Any, code_of: dict[str, int], reason: str
) -> None:
    fail(monkeypatch, **code_of)
    info = cuda.device_info()
    assert (info["present"], info["code"]) == (False, code_of["cudaGetDeviceCount"])
    assert info["reason"] == reason


@pytest.mark.executor
def test_a_device_that_is_there(cuda: ModuleType) -> None:
    info = cuda.device_info()
    assert info["present"] and info["code"] == 0
    assert info["compute_capability"] == (8, 0)


@pytest.mark.executor
def test_a_thread_without_a_device_says_why(cuda: ModuleType, monkeypatch: Any) -> None:
    fail(monkeypatch, cudaGetDeviceCount=100)
    (text,) = in_threads(1, lambda: str(caught(lambda: cuda.to_device(X))))
    assert text == (
        "[to_device] GPU: expected one, got none: no device: "
        "the driver shows no GPU to this process"
    )


# --- streams -------------------------------------------------------------------------------------


def in_threads(count: int, body: Callable[[], Any]) -> list[Any]:
    """What body() returns in each of several threads that live at the same time."""
    results: list[Any] = []
    barrier = threading.Barrier(count)

    def run() -> None:
        barrier.wait()
        result = body()
        barrier.wait()
        results.append(result)

    threads = [threading.Thread(target=run) for _ in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(results) == count
    return results


def stream(cuda: ModuleType) -> int:
    return int(cuda.to_device(X).__cuda_array_interface__["stream"])


def test_each_thread_has_a_stream_of_its_own(cuda: ModuleType) -> None:
    mine = stream(cuda)
    assert stream(cuda) == mine
    theirs = in_threads(4, lambda: stream(cuda))
    assert len({mine, *theirs}) == 5


def test_threads_that_ended_leave_their_streams_to_others(cuda: ModuleType) -> None:
    before = set(in_threads(3, lambda: stream(cuda)))
    for _ in range(5):
        before |= set(in_threads(3, lambda: stream(cuda)))
    assert len(before) <= 5  # those of the test before this one may be among them


def test_threads_compute_side_by_side(cuda: ModuleType) -> None:
    def body() -> bool:
        x = cuda.to_device(X)
        for _ in range(20):
            x = cuda.scale(cuda.add(x, x), 0.5)
        return bool(np.array_equal(x.to_numpy(), X))

    assert all(in_threads(4, body))


def test_a_label_that_is_wrong_is_the_error_of_its_thread(cuda: ModuleType) -> None:
    x, t = cuda.to_device(X), cuda.to_device(np.array([0, 3]))
    cuda.synchronize()

    def body() -> str:
        with pytest.raises(IndexError) as error:
            cuda.softmax_cross_entropy(x, t)
            cuda.synchronize()
        return str(error.value)

    for text in in_threads(2, body):
        assert "[softmax_cross_entropy] t: expected numbers in 0 .. 2, got 3 as element 1" in text
    cuda.synchronize()


@pytest.mark.executor
def test_what_could_not_be_waited_for_is_no_error_of_the_next_launch(
    cuda: ModuleType, monkeypatch: Any
) -> None:
    x = cuda.to_device(X)

    def launch_after(call: Callable[[], Any]) -> None:
        monkeypatch.setenv(
            "PYNET_EXECUTOR_FAIL", "cudaStreamSynchronize=900,cudaDeviceSynchronize=900"
        )
        kept = call()
        monkeypatch.delenv("PYNET_EXECUTOR_FAIL")
        assert np.array_equal(cuda.add(x, x).to_numpy(), X + X), kept

    launch_after(lambda: x.__cuda_array_interface__)
    said = x.__cuda_array_interface__
    del said["stream"]
    foreign = type("Foreign", (), {"__cuda_array_interface__": said})()
    launch_after(lambda: cuda.to_device(foreign))


# --- memory --------------------------------------------------------------------------------------


def test_the_pool_counts(cuda: ModuleType) -> None:
    if not cuda.caching():
        return  # under sanitizers
    cuda.release_memory()
    before = cuda.memory()
    x = cuda.empty((1024, 1024))
    held = cuda.memory()
    assert held["in_use"] - before["in_use"] >= x.nbytes
    assert held["peak"] >= held["in_use"]
    del x
    after = cuda.memory()
    assert after["in_use"] == before["in_use"]
    assert after["cached"] - before["cached"] >= 4 << 20
    y = cuda.empty((1024, 1024))
    assert cuda.memory()["system_allocations"] == held["system_allocations"]
    del y
    cuda.release_memory()
    assert cuda.memory()["cached"] == 0


def test_memory_is_taken_again_by_its_own_thread_alone(cuda: ModuleType) -> None:
    """Another thread's kernels run on another stream, and nothing says when these are done."""
    if not cuda.caching():
        return  # under sanitizers

    def place() -> int:
        return int(cuda.empty((512, 512)).__cuda_array_interface__["data"][0])

    mine = place()
    assert place() == mine
    assert mine not in in_threads(2, place)


@pytest.mark.executor
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_out_of_memory_says_what_was_asked_and_what_was_free(
    cuda: ModuleType, monkeypatch: Any, dtype: Any
) -> None:
    cuda.release_memory()
    used = cuda.memory()["in_use"]
    monkeypatch.setenv("PYNET_EXECUTOR_MEMORY", str(used + 5000))
    shape = (64, 64)
    size = 64 * 64 * np.dtype(dtype).itemsize
    with pytest.raises(MemoryError) as error:
        cuda.empty(shape, dtype)
    assert str(error.value) == (
        "[empty] shape: expected an array that fits in memory, got shape (64, 64) of "
        f"{size} bytes on the GPU, which has 5000 free"
    )
    monkeypatch.delenv("PYNET_EXECUTOR_MEMORY")
    assert cuda.empty(shape, dtype).shape == shape


@pytest.mark.executor
def test_out_of_memory_for_scratch(cuda: ModuleType, monkeypatch: Any) -> None:
    x = cuda.to_device(np.ones(5000, np.float32))
    cuda.release_memory()
    monkeypatch.setenv("PYNET_EXECUTOR_MEMORY", str(cuda.memory()["in_use"] + 10))
    with pytest.raises(MemoryError) as error:
        cuda.sum(x)
    assert str(error.value).startswith("[sum] memory: expected room for scratch, got none: ")
    assert str(error.value).endswith("bytes on the GPU, which has 10 free")


@pytest.mark.executor
def test_what_the_pool_keeps_is_given_back_before_that(cuda: ModuleType, monkeypatch: Any) -> None:
    cuda.release_memory()
    used = cuda.memory()["in_use"]
    monkeypatch.setenv("PYNET_EXECUTOR_MEMORY", str(used + 6000))
    for shape in ((1000,), (300,), (1100,), (700,)):
        assert cuda.empty(shape).shape == shape


# --- fork ----------------------------------------------------------------------------------------

FORK = """
import importlib, os, sys
sys.path.append({folder!r})
import numpy as np, pynet
cuda = importlib.import_module({name!r})
x = cuda.to_device(np.ones(3, np.float32))
child = os.fork()
if child == 0:
    for call in (lambda: cuda.to_device(np.ones(3)), lambda: cuda.relu(x), cuda.synchronize):
        try:
            call()
        except pynet.CudaError as error:
            print(error)
    print(cuda.device_info()["reason"])
    del x
    cuda.release_memory()
    sys.stdout.flush()
    os._exit(0)
assert os.waitpid(child, 0)[1] == 0
print("parent", cuda.relu(x).to_numpy().tolist())
"""


def test_a_fork_is_refused_in_words(cuda: ModuleType) -> None:
    folder = str(cuda.__file__).rsplit("/", 1)[0]
    command = [sys.executable, "-c", FORK.format(folder=folder, name=cuda.__name__)]
    lines = subprocess.run(command, capture_output=True, text=True, check=True).stdout.splitlines()
    words = (
        "this process is a fork of one that has used it: start processes with multiprocessing's "
        '"spawn"'
    )
    refused = [
        f"[{op}] GPU: expected one, got none: {words}"
        for op in ("to_device", "relu", "synchronize")
    ]
    assert lines == [*refused, words, "parent [1.0, 1.0, 1.0]"]
