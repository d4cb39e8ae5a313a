"""The tests that pynet.gpucheck runs, with stand-ins for a GPU: what it counts, stops and tells."""

from __future__ import annotations

import os
import time
from typing import Any

import pytest
from gpucheck_job import empty_checkout, script

from gpucheck import device_tests, parse, report, run, steps
from gpucheck.job import Failed, Job

job = empty_checkout
PASSES = "\nfrom device_ops import kind\ndef test_one_kernel_makes(): assert kind == {kind!r}\n"
# A test file for the check to run, not a skip of this project: it has to call that a failure.
SKIPS = "import pytest\n@pytest.mark.skip\ndef test_two(): pass\n"
FAILS = "def test_three(): assert False\n"


def put_tests(job: Job, name: str, text: str) -> None:
    """A module of tests, and what tells them where they run."""
    said = "import os\nkind = os.environ['PYNET_CUDA_TESTS']\n"
    (job.root / "tests" / "device_ops.py").write_text(said)
    (job.root / "tests" / name).write_text(text)


# ---- tests --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("more", "passed", "counts"),
    [
        ("", True, (1, 0, 0)),
        (SKIPS, False, (2, 0, 1)),
        (FAILS, False, (2, 1, 0)),
        ("def broken(\n", False, (1, 1, 0)),
    ],
    ids=["passes", "skips", "fails", "is broken"],
)
def test_a_skip_is_a_failure(job: Job, more: str, passed: bool, counts: tuple[int, ...]) -> None:
    put_tests(job, "test_device.py", PASSES.format(kind="gpu") + more)
    put_tests(job, "test_other.py", FAILS)  # says nothing of a device
    found = steps.test(job)
    assert found["passed"] == passed
    assert (found["tests"], found["failures"], found["skipped"]) == counts
    assert len(found["names"]) == sum(counts[1:])
    text = "\n".join(report.step("test", {**found, "seconds": 1}))
    assert f"{counts[0]} tests, {counts[1]} failures" in text


def test_why_a_test_failed_is_recorded(job: Job) -> None:
    text = "def test_wrong(): assert 1 == 2, 'the sum is wrong'\n"
    put_tests(job, "test_device.py", PASSES.format(kind="gpu") + text)
    (name,) = steps.test(job)["names"]
    assert "test_device.py::test_wrong: AssertionError: the sum is wrong" in name


def test_a_reason_of_many_tests_is_told_once() -> None:
    line = '{"test": "%s", "outcome": "failed", "why": "%s"}\n'
    text = line % ("a", "x") + line % ("b", "y") + line % ("c", "y")
    assert parse.outcomes(text)["names"] == ["b and 1 more: y", "a: x"]
    rows = [{"row": name, "failed": "no GPU"} for name in "abcde"]
    assert report.rows([*rows, {"row": "f", "failed": "z"}]) == [
        "not measured: a, b, c and 2 more: no GPU",
        "not measured: f: z",
    ]


def test_no_tests_at_all_is_a_failure(job: Job) -> None:
    put_tests(job, "test_device.py", "\nfrom device_ops import kind\n")
    with pytest.raises(Failed, match="^pytest: no tests ran"):
        steps.test(job)
    assert not parse.all_passed(parse.outcomes(""))


HANGS = """
import time
def test_two(): time.sleep(100)
def test_four(): pass
"""


def test_a_test_that_hangs_takes_no_other_with_it(job: Job, monkeypatch: Any) -> None:
    monkeypatch.setattr(device_tests, "TEST_SECONDS", 2.0)
    put_tests(job, "test_device.py", PASSES.format(kind="gpu") + HANGS)
    found = steps.test(job)
    assert (found["tests"], found["failures"], found["collected"]) == (3, 1, 3)
    assert not found["passed"] and "crashed while running" in found["names"][0]
    (places,) = job.folder.glob("test.jsonl.*")
    assert "test_two: no end after 2 s" in places.read_text()


def test_tests_over_the_budget_leave_what_they_found(job: Job) -> None:
    put_tests(job, "test_device.py", PASSES.format(kind="gpu") + FAILS + HANGS)
    job.until = time.monotonic() + 8
    found = steps.test(job)
    assert not found["passed"] and found["stopped"] == "over the budget"
    assert found["collected"] == 4 and 2 <= found["tests"] < 4
    assert "test_three: " in found["names"][0]


LOST = """
import sys, types
gpu = sys.modules["pynet._cuda"] = types.ModuleType("pynet._cuda")
lost = []
def synchronize():
    if lost: raise RuntimeError("[synchronize] ...: this process cannot use the GPU any more")
gpu.synchronize = synchronize
def test_two():
    lost.append(1)
    assert False, "an illegal address"
def test_three(): synchronize()
def test_four(): synchronize()
"""


def test_a_gpu_that_is_lost_fails_one_test(job: Job, monkeypatch: Any) -> None:
    """The others run in a process of their own: there nothing is lost."""
    monkeypatch.setattr(device_tests, "processors", lambda: 1)
    put_tests(job, "test_device.py", PASSES.format(kind="gpu") + LOST)
    found = steps.test(job)
    assert (found["tests"], found["failures"]) == (4, 1), found
    assert not found["passed"] and "test_two" in found["names"][0]


# ---- compute-sanitizer --------------------------------------------------------------------------

CLEAN = "========= COMPUTE-SANITIZER\n========= ERROR SUMMARY: 0 errors\n"
RACES = """========= COMPUTE-SANITIZER
========= Error: Race reported between Write access at gemm and Read access
========= RACECHECK SUMMARY: 2 hazards displayed (2 errors, 0 warnings)
"""
NO_RACES = "========= RACECHECK SUMMARY: 0 hazards displayed (0 errors, 0 warnings)\n"


@pytest.mark.parametrize(
    ("text", "errors", "first"),
    [
        (CLEAN, 0, []),
        (NO_RACES, 0, []),
        (RACES, 2, ["Error: Race reported between Write access at gemm and Read access"]),
        ("========= ERROR SUMMARY: 1 error\n", 1, []),
        (
            "========= COMPUTE-SANITIZER\n========= Device not supported\n",
            None,
            ["Device not supported"],
        ),
        ("", None, []),
    ],
)
def test_what_compute_sanitizer_says(text: str, errors: int | None, first: list[str]) -> None:
    assert parse.sanitizer(text) == {"errors": errors, "first": first}


WITH_OPTIONS = """tool=$1
while [ "${{1#--}}" != "$1" ]; do shift; done
"$@"; code=$?
{say}; exit $code
"""


def sanitize(job: Job, monkeypatch: Any, tool: str, said: str) -> dict[str, Any]:
    """With a program that runs the tests, and then says this; of the other tools nothing bad."""
    bin_ = job.root / "bin"
    say = f"case $tool in *{tool}) cat {bin_}/said;; *) cat {bin_}/clean;; esac"
    script(bin_, "compute-sanitizer", WITH_OPTIONS.format(say=say))
    (bin_ / "said").write_text(said)
    (bin_ / "clean").write_text(CLEAN)
    monkeypatch.setenv("PATH", f"{bin_}:{os.environ['PATH']}")
    for name in device_tests.SANITIZED_FILES:
        put_tests(job, f"test_cuda_{name}.py", PASSES.format(kind="gpu-small"))
    return steps.sanitizer(job)


def test_four_tools_find_nothing(job: Job, monkeypatch: Any) -> None:
    monkeypatch.setattr(device_tests, "processors", lambda: 16)  # two halves of the tests
    found = sanitize(job, monkeypatch, "none", "")
    assert found["passed"] and list(found["tools"]) == list(device_tests.TOOLS)
    for each in found["tools"].values():
        assert each["tests"]["tests"] == 3 and each["exits"] == [0, 0] and each["errors"] == 0


@pytest.mark.parametrize("said", [RACES, "nothing\n"], ids=["errors", "no summary"])
def test_what_one_tool_finds_fails_the_step(job: Job, monkeypatch: Any, said: str) -> None:
    found = sanitize(job, monkeypatch, "racecheck", said)
    assert not found["passed"]
    failed = [tool for tool, each in found["tools"].items() if not each["passed"]]
    assert failed == ["racecheck"]
    assert "racecheck" in "\n".join(report.step("sanitizer", {**found, "seconds": 1}))


def test_without_compute_sanitizer_the_step_fails(job: Job, monkeypatch: Any) -> None:
    monkeypatch.setenv("PATH", "")
    found = run.step("sanitizer", job)
    assert found["why"] == "not run: compute-sanitizer is not on PATH" and not found["passed"]
