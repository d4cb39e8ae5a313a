"""The table that `network.summary()` returns."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape
from typing import Any

import numpy as np

from pynet.layers import Row

_HEADINGS = ("layer", "output", "parameters", "multiply-adds", "bytes")


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
        cells = [_HEADINGS, *self._cells(), self._total()]
        widths = [max(len(row[i]) for row in cells) for i in range(len(_HEADINGS))]

        def line(row: tuple[str, ...]) -> str:
            texts = [row[0].ljust(widths[0]), *(c.rjust(w) for c, w in zip(row[1:], widths[1:]))]
            return "  ".join(texts).rstrip()

        rule = "-" * (sum(widths) + 2 * (len(widths) - 1))
        body = [line(row) for row in cells]
        title = f"{self.name}, {self.dtype}, one sample"
        return "\n".join([title, body[0], rule, *body[1:-1], rule, body[-1]])

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
