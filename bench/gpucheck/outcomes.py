"""A plugin of pytest's: a line of JSON for each test as it ends, whatever becomes of the others.

    GPUCHECK_OUTCOMES=FILE python -m pytest -p gpucheck.outcomes
    GPUCHECK_SECONDS=60   the longest that a test may take
    GPUCHECK_PART=0/2     the first of two halves of the tests

A report that pytest writes at its end is missing where a kernel never returns. Here a test that
takes longer ends its process, with the places of all threads in FILE.PID; so does one that leaves a
GPU that answers no more, as all tests behind it in that process would fail. xdist starts another.
"""

from __future__ import annotations

import faulthandler
import json
import os
import sys
import time
from collections.abc import Iterator
from contextlib import suppress
from typing import IO, Any

import pytest

SENT = 1.0  # seconds that a worker of xdist needs to hand over what it reported
LONGEST = 300  # characters of a reason


def is_worker(config: pytest.Config) -> bool:
    return hasattr(config, "workerinput")


def reason(report: Any) -> str:
    """The message of what was raised, or the end of what stands there instead."""
    crash = getattr(report.longrepr, "reprcrash", None)
    text = crash.message if crash else str(report.longrepr or "")
    lines = [line.strip() for line in text.strip().splitlines() if line.strip()]
    return " / ".join(lines[:3] if crash else lines[-2:])[:LONGEST]


def gpu_is_lost() -> bool:
    """Whether a call that waits says that this process cannot use the GPU any more."""
    module = sys.modules.get("pynet._cuda")
    if module is None:
        return False
    try:
        module.synchronize()
    except RuntimeError as error:
        return "cannot use the GPU any more" in str(error)
    except Exception:  # a label of the test that has just failed
        return False
    return False


class Writer:
    """In the process that collects what all report."""

    def __init__(self, path: str) -> None:
        self._file = open(path, "w", encoding="utf-8")
        self._most = 0

    def _write(self, **line: Any) -> None:
        self._file.write(json.dumps(line) + "\n")
        self._file.flush()

    def _collected(self, count: int) -> None:
        if count > self._most:
            self._most = count
            self._write(collected=count)

    def pytest_collection_finish(self, session: pytest.Session) -> None:
        self._collected(len(session.items))

    @pytest.hookimpl(optionalhook=True)
    def pytest_xdist_node_collection_finished(self, ids: list[str]) -> None:
        self._collected(len(ids))

    def pytest_collectreport(self, report: pytest.CollectReport) -> None:
        if report.failed:
            self._write(test=report.nodeid or "collection", outcome="failed", why=reason(report))

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        if report.when == "call" or not report.passed:
            why = {} if report.passed else {"why": reason(report)}
            seconds = round(report.duration, 3)
            self._write(test=report.nodeid, outcome=report.outcome, seconds=seconds, **why)


class Watch:
    """In the processes that run tests."""

    def __init__(self, path: str, seconds: float) -> None:
        self._path, self._seconds = f"{path}.{os.getpid()}", seconds
        self._file: IO[str] | None = None
        self._failed = False

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_protocol(self, item: pytest.Item) -> Iterator[Any]:
        if self._seconds > 0:
            self._file = open(self._path, "w", encoding="utf-8")
            print(f"{item.nodeid}: no end after {self._seconds:.0f} s", file=self._file, flush=True)
            faulthandler.dump_traceback_later(self._seconds, exit=True, file=self._file)
        try:
            return (yield)
        finally:
            if self._file:
                faulthandler.cancel_dump_traceback_later()
                self._file.close()
                with suppress(OSError):
                    os.unlink(self._path)

    @pytest.hookimpl(trylast=True)
    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        self._failed = self._failed or report.failed
        if report.when != "teardown":
            return
        failed, self._failed = self._failed, False
        if failed and gpu_is_lost():
            time.sleep(SENT)
            os._exit(1)


def pytest_configure(config: pytest.Config) -> None:
    path = os.environ["GPUCHECK_OUTCOMES"]
    distributes = bool(getattr(config.option, "numprocesses", None))
    if not is_worker(config):
        config.pluginmanager.register(Writer(path))
    if is_worker(config) or not distributes:
        config.pluginmanager.register(Watch(path, float(os.environ.get("GPUCHECK_SECONDS", 0))))


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    part, parts = map(int, os.environ.get("GPUCHECK_PART", "0/1").split("/"))
    left_out = [item for i, item in enumerate(items) if i % parts != part]
    items[:] = items[part::parts]
    if left_out:
        config.hook.pytest_deselected(items=left_out)
