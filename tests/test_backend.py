"""Which module computes, the seed, and what `import pynet` does and does not load."""

from __future__ import annotations

import subprocess
import sys
import threading
from pathlib import Path

import numpy as np
import pytest

import pynet
from pynet import backend, ops, reference

ROOT = Path(__file__).parents[1]


def run(code: str, **env: str) -> subprocess.CompletedProcess[str]:
    import os

    return subprocess.run(
        [sys.executable, "-c", code],
        env={**os.environ, **env},
        capture_output=True,
        text=True,
        check=False,
    )


def test_use_switches_within_a_block_and_back_again_after_an_error():
    before = backend.of(None)
    with backend.use("reference"):
        assert backend.of(np.ones(2)) is reference and backend.name() == "reference"
    assert backend.of(None) is before
    with pytest.raises(RuntimeError), backend.use("reference"):
        raise RuntimeError
    assert backend.of(None) is before


def test_ops_go_where_the_backend_points(monkeypatch):
    monkeypatch.setattr(reference, "relu", lambda x, out=None: "the reference")
    with backend.use("reference"):
        assert ops.relu(np.ones(2)) == "the reference"


def test_another_thread_keeps_its_backend():
    seen = []
    with backend.use("reference"):
        thread = threading.Thread(target=lambda: seen.append(backend.of(None)))
        thread.start()
        thread.join()
    assert seen == [backend.of(None)]


def test_an_unknown_backend_is_refused():
    with pytest.raises(ValueError, match=r"\[backend\] name: expected one of core, reference, got"):
        with backend.use("cuda"):
            pass
    result = run("import pynet", PYNET_BACKEND="fast")
    assert "[backend] name: expected one of core, reference, got 'fast'" in result.stderr


def test_the_environment_chooses_the_reference_for_a_whole_run():
    code = """
import numpy as np, pynet
from pynet.layers import Affine
print(pynet.backend.name(), Affine(np.eye(2), np.ones(2)).forward(np.ones((1, 2))))
"""
    result = run(code, PYNET_BACKEND="reference")
    assert result.stdout == "reference [[2. 2.]]\n", result.stderr


NO_CORE = """
import sys
class NoCore:
    def find_spec(self, name, path=None, target=None):
        if name == "pynet._core":
            raise ModuleNotFoundError("No module named 'pynet._core'", name="pynet._core")
sys.meta_path.insert(0, NoCore())
"""


def test_a_missing_core_is_one_sentence():
    result = run(NO_CORE + "import pynet", PYNET_BACKEND="")
    assert result.stderr.strip().splitlines()[-1] == (
        "ImportError: pynet's compiled core is missing: run `python3 dev.py demo` or "
        "`pip install .` in the checkout"
    )
    assert "During handling" not in result.stderr


def test_without_the_core_the_reference_still_serves():
    code = "import pynet; print(pynet.backend.name(), pynet.__version__)"
    result = run(NO_CORE + code, PYNET_BACKEND="reference")
    assert result.stdout == "reference 0+uncompiled\n", result.stderr


def test_import_pynet_loads_little():
    code = """
import sys, pynet
heavy = ["matplotlib", "PIL", "pooch", "sklearn", "tqdm", "safetensors", "pynet.layers"]
print([name for name in heavy if name in sys.modules])
print(pynet.layers.Affine.__name__, pynet.optimizers.SGD().lr, "layers" in dir(pynet))
"""
    result = run(code)
    assert result.stdout == "[]\nAffine 0.01 True\n", result.stderr


def test_names_that_do_not_exist():
    with pytest.raises(AttributeError, match="module 'pynet' has no attribute 'layer'"):
        pynet.layer  # noqa: B018


@pytest.mark.parametrize("n", [-1, 2**64])
def test_seeds_out_of_range(n):
    with pytest.raises(ValueError, match=r"\[seed\] n: expected 0 <= n < 2\*\*64, got"):
        pynet.seed(n)


def test_seeds_are_integers():
    with pytest.raises(TypeError):
        pynet.seed(1.5)
    pynet.seed(np.int64(7))
    assert pynet.rng.current()[0] == 7


def test_every_op_has_a_docstring_and_one_signature_in_ops_and_reference():
    import inspect

    for name in ops.__all__:
        op, plain = getattr(ops, name), getattr(reference, name)
        assert op.__doc__, name
        ours, theirs = inspect.signature(op).parameters, inspect.signature(plain).parameters
        assert [(p.name, p.kind, p.default) for p in ours.values()] == [
            (p.name, p.kind, p.default) for p in theirs.values()
        ], name
