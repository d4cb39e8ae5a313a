"""The table that `network.summary()` returns."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape
from typing import Any

import numpy as np

from pynet.layers import Row

_HEADINGS = ("layer", "output", "parameters", "multiply-adds", "bytes")


def text_table(
    headings: Sequence[str], rows: Sequence[Sequence[str]], last: Sequence[str] | None = None
) -> str:
    """Return cells as lines of text, the first column left, the others right; `last` is a total."""
    cells = [headings, *rows, *([] if last is None else [last])]
    widths = [max(map(len, column)) for column in zip(*cells)]

    def line(row: Sequence[str]) -> str:
        texts = [row[0].ljust(widths[0]), *(c.rjust(w) for c, w in zip(row[1:], widths[1:]))]
        return "  ".join(texts).rstrip()

    rule = "-" * (sum(widths) + 2 * (len(widths) - 1))
    end = [] if last is None else [rule, line(last)]
    return "\n".join([line(headings), rule, *map(line, rows), *end])


class Summary:
    """One row for each layer; `print(summary)` shows it, and a notebook draws it as a table.

    `bytes` are those of the parameters and of the output of one sample. `params`, `macs` and
    `bytes` are the totals.
    """

    def __init__(self, name: str, rows: Sequence[Row], dtype: np.dtype[Any]) -> None:
        self.name = name
        self.rows = list(rows)
        self.dtype = dtype
        self.params = sum(row.description.params for row in rows)
        self.macs = sum(row.description.macs for row in rows)
        self.bytes = sum(self._bytes(row) for row in rows)

    def _bytes(self, row: Row) -> int:
        values = row.description.params + int(np.prod(row.description.out_shape))
        return values * self.dtype.itemsize

    def _cells(self) -> list[tuple[str, ...]]:
        return [
            (
                f"{row.path}{row.layer!r}",
                "x".join(map(str, row.description.out_shape[1:])),
                f"{row.description.params:,}",
                f"{row.description.macs:,}",
                f"{self._bytes(row):,}",
            )
            for row in self.rows
        ]

    def _total(self) -> tuple[str, ...]:
        return ("total", "", f"{self.params:,}", f"{self.macs:,}", f"{self.bytes:,}")

    def __str__(self) -> str:
        title = f"{self.name}, {self.dtype}, one sample"
        return f"{title}\n{text_table(_HEADINGS, self._cells(), self._total())}"

    __repr__ = __str__

    def _repr_html_(self) -> str:
        def tr(row: tuple[str, ...], tag: str) -> str:
            first = f'<{tag} style="text-align:left">{escape(row[0])}</{tag}>'
            rest = "".join(f"<{tag}>{escape(cell)}</{tag}>" for cell in row[1:])
            return f"<tr>{first}{rest}</tr>"

        body = "".join(tr(row, "td") for row in self._cells())
        return (
            f"<table><caption>{escape(self.name)}, {self.dtype}, one sample</caption>"
            f"<thead>{tr(_HEADINGS, 'th')}</thead><tbody>{body}</tbody>"
            f"<tfoot>{tr(self._total(), 'th')}</tfoot></table>"
        )
