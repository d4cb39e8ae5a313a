"""docs/book_map.md: every concept of the book, where it is in pynet, its test, what was measured.

docs/book_map.tsv says the first three, and the tests themselves say the last one, through the
fixture `measured` (conftest.py). `pytest --book-map` writes the page anew.
"""

from __future__ import annotations

import ast
import importlib
import re
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

ROOT = Path(__file__).resolve().parent.parent
TABLE = ROOT / "docs" / "book_map.tsv"
PAGE = ROOT / "docs" / "book_map.md"

# Of each part: its heading, and how many concepts it has.
PARTS = (
    ("Batch, loss, activation, learning rate", 24),
    ("Optimisation, and how it differs from learning", 22),
    ("The book from the perceptron to deep learning", 108),
    ("Batches and momentum", 15),
    ("Activations, over-fitting, initial values, normalisation", 35),
)
NUMBERS = [f"{part}.{i}" for part, (_, n) in enumerate(PARTS) for i in range(1, n + 1)]
LATER = "later: "

INTRODUCTION = """\
# The book's concepts in pynet

What a reader of *Deep Learning from Scratch* meets, concept by concept, in five parts; where pynet
has it, the test that holds pynet to it, and what that test measured. `lab NAME` is the command
`pynet lab NAME`: a picture, the numbers, and two sentences.

Written by `python3 dev.py test --book-map tests/concepts` from `docs/book_map.tsv` and from what
the tests measured on the machine where that was run: ratios of times are that machine's.
`tests/test_book_map.py` checks that all of it exists.
"""


class Row(NamedTuple):
    """One concept; `where` and `tests` are lists, separated by "; " in the file."""

    number: str
    concept: str
    where: list[str]
    tests: list[str]

    @property
    def later(self) -> str:
        """What is still to come, if something is."""
        return next((p.removeprefix(LATER) for p in self.where if p.startswith(LATER)), "")


def read_rows() -> list[Row]:
    """The rows of the table, in its order."""
    heading, *lines = TABLE.read_text("utf-8").splitlines()
    assert heading.split("\t") == ["number", "concept", "where", "tests"]
    rows = []
    for line in lines:
        number, concept, where, tests = line.split("\t")
        rows.append(
            Row(number, concept, *(cell.split("; ") if cell else [] for cell in (where, tests)))
        )
    return rows


# ---- what a row names must exist -------------------------------------------------------------


def place_problem(place: str) -> str:
    """Why a place is none, or nothing."""
    if place.startswith(LATER):
        return ""
    if place.startswith("lab "):
        from pynet.lab import CATALOG

        return "" if place.removeprefix("lab ") in CATALOG else f"no experiment: {place}"
    if "/" in place:
        return "" if (ROOT / place).exists() else f"no file: {place}"
    return "" if _found(place) else f"nothing of that name: {place}"


def _found(name: str) -> bool:
    """Whether a dotted name is a module, or something in one; `f(a)` is its argument."""
    name, _, argument = name.removesuffix(")").partition("(")
    thing: Any = importlib.import_module("pynet")
    for part in name.split(".")[1:]:
        try:
            thing = getattr(thing, part)
        except AttributeError:
            try:
                thing = importlib.import_module(f"{thing.__name__}.{part}")
            except (AttributeError, ImportError):
                return False
    if not argument:
        return name.startswith("pynet")
    import inspect

    return argument in inspect.signature(thing).parameters


def test_problem(test: str) -> str:
    """Why a test is none, or nothing; an id in brackets must be an experiment or an example."""
    match = re.fullmatch(r"(tests/[\w/]+\.py)::(\w+)(?:\[(.+)\])?", test)
    if match is None:
        return f"not a test: {test}"
    path, function, case = match.groups()
    if not (ROOT / path).exists() or function not in _functions(path):
        return f"no such test: {test}"
    if case and path == "tests/test_lab.py":
        return place_problem(f"lab {case}")
    if case and path == "tests/test_examples.py":
        return place_problem(f"examples/{case}")
    return f"not checked: {test}" if case else ""


@cache
def _functions(path: str) -> set[str]:
    tree = ast.parse((ROOT / path).read_text("utf-8"))
    return {node.name for node in tree.body if isinstance(node, ast.FunctionDef)}


def measuring_rows() -> set[str]:
    """The rows for which some test calls `measured`."""
    texts = [path.read_text("utf-8") for path in sorted((ROOT / "tests").rglob("test_*.py"))]
    return {row for text in texts for row in re.findall(r'\bmeasured\(\s*"(\d\.\d+)"', text)}


# ---- the page ----------------------------------------------------------------------------------


def render(rows: list[Row], figures: Mapping[str, str]) -> str:
    """The page as text."""
    later = sum(bool(row.later) for row in rows)
    tested = sum(bool(row.tests) for row in rows)
    lines = [
        INTRODUCTION,
        f"{len(rows)} concepts: {tested} with a test, {later} of which something is still to come.",
    ]
    for part, (heading, _) in enumerate(PARTS):
        lines += ["", f"## {part}. {heading}", ""]
        lines += ["| | concept | where | test | measured |", "| --- | --- | --- | --- | --- |"]
        for row in rows:
            if row.number.startswith(f"{part}."):
                places = ", ".join(map(_place_link, row.where))
                tests = ", ".join(map(_test_link, row.tests)) or "**none**"
                cells = (row.number, row.concept, places, tests, figures.get(row.number, ""))
                lines.append("| " + " | ".join(cell.replace("|", r"\|") for cell in cells) + " |")
    return "\n".join(lines) + "\n"


def read_figures(page: str) -> dict[str, str]:
    """What the page says was measured."""
    found = re.findall(r"^\| (\d\.\d+) \|.* \| (.*) \|$", page, re.M)
    return {number: figure for number, figure in found if figure}


def _place_link(place: str) -> str:
    if place.startswith(LATER):
        return f"*{place}*"
    if "/" in place:
        return f"[{'/'.join(place.split('/')[-2:])}](../{place})"
    return f"`{place}`"


def _test_link(test: str) -> str:
    path, name = test.split("::")
    return f"[{name}](../{path})"
