"""Options and hooks of all tests.

`pytest --book-map` writes docs/book_map.md anew, with what the tests have measured. Tests of the
CUDA sources are there when PYNET_CUDA_HOST names a build of tests/cuda_host or PYNET_CUDA_TESTS the
GPU (device_ops.py), those of the module for GPUs when pynet._cuda is built.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from typing import Any

import book_map
import pytest

PROPERTY = "book map "


def pytest_ignore_collect(collection_path: Path) -> bool | None:
    """Leave out what needs a build of minutes: `.ci/run cuda_host cuda` makes it and runs them."""
    name = collection_path.name
    host = bool(os.environ.get("PYNET_CUDA_HOST") or os.environ.get("PYNET_CUDA_TESTS"))
    if name.startswith("test_cuda_") and not host:
        return "from device_ops import" in collection_path.read_text("utf-8") or None
    if name == "test_nvcc_parity.py" and not host:
        return sees_gpu() is None or None
    if name == "test_nvcc_module.py":  # what it says on a machine without a GPU
        return sees_gpu() is not False or None
    return None


def sees_gpu() -> bool | None:
    """Whether pynet._cuda sees a GPU; None where it is not built."""
    try:
        return bool(import_module("pynet._cuda").device_info()["present"])
    except ModuleNotFoundError:
        return None


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    if os.environ.get("PYNET_CUDA_TESTS"):
        of_executor = [item for item in items if item.get_closest_marker("executor")]
        items[:] = [item for item in items if item not in of_executor]
        config.hook.pytest_deselected(items=of_executor)


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--book-map", action="store_true", help="write docs/book_map.md anew")


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", "executor: asks what only the executor can be made to do")
    if config.getoption("--book-map") and not hasattr(config, "workerinput"):
        config.pluginmanager.register(Writer())


@pytest.fixture
def measured(record_property: Callable[[str, Any], None]) -> Callable[[str, str], None]:
    """`measured("2.36", "220")` says what a test found about a row of docs/book_map.md.

    Call it after the assertions.
    """

    def note(row: str, text: str) -> None:
        assert row in book_map.NUMBERS
        record_property(PROPERTY + row, text.replace("\n", " ").replace("|", "/"))

    return note


class Writer:
    """Collects the figures of tests that pass; those of tests that do not run stay."""

    def __init__(self) -> None:
        self.figures: dict[str, list[str]] = {}

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        if report.when == "call" and report.passed:
            for name, text in report.user_properties:
                if name.startswith(PROPERTY):
                    self.figures.setdefault(name.removeprefix(PROPERTY), []).append(str(text))

    def pytest_sessionfinish(self) -> None:
        old = book_map.PAGE.read_text("utf-8") if book_map.PAGE.exists() else ""
        wanted = book_map.measuring_rows()
        figures = {row: text for row, text in book_map.read_figures(old).items() if row in wanted}
        figures.update((row, "; ".join(texts)) for row, texts in self.figures.items())
        book_map.PAGE.write_text(book_map.render(book_map.read_rows(), figures), "utf-8")
