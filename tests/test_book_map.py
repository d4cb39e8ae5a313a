"""docs/book_map.md has every concept, and what it names exists."""

from __future__ import annotations

import re

import book_map
import pytest

ROWS = book_map.read_rows()


def test_every_concept_has_its_row() -> None:
    assert [row.number for row in ROWS] == book_map.NUMBERS
    assert len(ROWS) == 204


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.number)
def test_what_a_row_names_exists(row: book_map.Row) -> None:
    assert row.concept and row.where
    problems = [book_map.place_problem(place) for place in row.where]
    problems += [book_map.test_problem(test) for test in row.tests]
    assert not any(problems), problems
    assert row.tests or row.later, "neither a test nor a reason why there is none"


def test_the_page_is_that_of_the_table() -> None:
    page = book_map.PAGE.read_text("utf-8")
    figures = book_map.read_figures(page)
    assert page == book_map.render(ROWS, figures), (
        "run: python3 dev.py test --book-map tests/concepts"
    )


def test_figures_are_those_that_tests_measure() -> None:
    figures = book_map.read_figures(book_map.PAGE.read_text("utf-8"))
    assert set(figures) == book_map.measuring_rows()


def test_what_does_not_exist_is_found() -> None:
    assert not book_map.place_problem("pynet.layers.Affine")
    assert not book_map.place_problem("pynet.util.im2col(filter_h)")
    assert not book_map.place_problem("lab xor") and not book_map.place_problem("docs/results.md")
    for place in (
        "pynet.layers.Afine",
        "pynet.util.im2col(size)",
        "lab no-such",
        "docs/no.md",
        "np",
    ):
        assert book_map.place_problem(place), place
    assert not book_map.test_problem("tests/test_lab.py::test_experiment[xor]")
    for test in ("tests/test_lab.py::test_no", "tests/no.py::test_x", "tests/test_lab.py"):
        assert book_map.test_problem(test), test
    assert book_map.test_problem("tests/test_lab.py::test_experiment[no-such]")


def test_links_on_the_page_lead_somewhere() -> None:
    page = book_map.PAGE.read_text("utf-8")
    links = set(re.findall(r"\]\(([^)]+)\)", page))
    assert links and all((book_map.PAGE.parent / link).exists() for link in links)
