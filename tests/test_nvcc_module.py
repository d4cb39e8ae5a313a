"""pynet._cuda on a machine with nvcc and without a GPU: it is there, and says what is missing."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from test_nvcc_build import LEFT_OUT, configure, script

import pynet
from pynet import backend

REASONS = "no driver|no device|driver too old|device too old"


def run(program: str) -> str:
    command = [sys.executable, "-P", "-c", program]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout


def test_pynet_does_not_load_it() -> None:
    program = (
        "import sys, pynet, pynet.networks, pynet.trainer; print('pynet._cuda' in sys.modules)"
    )
    assert run(program).strip() == "False"


def test_training_on_the_processor_works() -> None:
    program = """
import numpy as np, pynet, pynet._cuda
from pynet.networks import TwoLayerNet
net = TwoLayerNet(4, 3, 2)
net.gradient(np.ones((2, 4), np.float32), np.array([0, 1]))
print("done", pynet.device())
"""
    assert run(program).split() == ["done", "cpu"]


def test_info_says_why() -> None:
    done = run("from pynet.cli import main; main(['info'])")
    (line,) = [line for line in done.splitlines() if line.startswith("CUDA")]
    assert line.split("  ", 1)[1].strip().split(":")[0] in REASONS.split("|")


def test_the_device_cannot_be_chosen() -> None:
    with pytest.raises(pynet.CudaError, match=rf"\[set_device\] name: .* none: ({REASONS})") as e:
        pynet.set_device("cuda")
    assert e.value.op == "set_device" and e.value.code > 0
    assert pynet.device() == "cpu"


@pytest.mark.parametrize("call", ["to_device", "empty", "synchronize"])
def test_what_needs_it_says_so(call: str) -> None:
    module = backend.device()
    arguments = {"to_device": [np.ones(3)], "empty": [(3,)], "synchronize": []}[call]
    with pytest.raises(
        pynet.CudaError, match=rf"^\[{call}\] GPU: expected one, got none: ({REASONS})"
    ):
        getattr(module, call)(*arguments)


def test_nothing_is_in_its_memory() -> None:
    assert set(pynet.memory("cuda").values()) == {0}
    pynet.release_memory("cuda")


def test_an_nvcc_that_does_not_know_a_target_counts_as_none(tmp_path: Path) -> None:
    nvcc = shutil.which("nvcc")
    old = script(tmp_path, "nvcc", f'case "$*" in *compute_90a*) exit 1;; esac\nexec {nvcc} "$@"')
    done = configure(tmp_path, {**os.environ, "CUDACXX": str(old)}, "AUTO")
    assert LEFT_OUT in done.stdout, done.stdout + done.stderr
