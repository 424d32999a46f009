"""Rows for people: a table, or, where its ids would have to be broken, some lines for each row.

An id is there to be copied. In a pipe every row is one line.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator

from rich.console import Console, ConsoleOptions, RenderableType
from rich.table import Table
from rich.text import Text

_READABLE = 16
"""Columns of a terminal that a cell gets at least, before its rows become lines."""
_BETWEEN = 2


class Listing:
    """Rows under names; a cell of one that is `whole` is never broken."""

    def __init__(self, *names: str, whole: Collection[str] = ()) -> None:
        self._names = names
        self._whole = whole
        self._rows: list[tuple[Text, ...]] = []

    def add_row(self, *cells: Text) -> None:
        self._rows.append(cells)

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> Iterator[RenderableType]:
        if self._least_width() <= options.max_width:
            yield self._table()
            return
        for row in self._rows:
            yield from self._lines(row)

    def _least_width(self) -> int:
        widths = {
            name: [len(name), *(row[place].cell_len for row in self._rows)] for place, name in enumerate(self._names)
        }
        return sum(
            (max(found) if name in self._whole else min(max(found), _READABLE)) + _BETWEEN
            for name, found in widths.items()
        )

    def _table(self) -> Table:
        table = Table(box=None, pad_edge=False, header_style="bold")
        for name in self._names:
            table.add_column(name, no_wrap=name in self._whole, overflow="ignore" if name in self._whole else "fold")
        for row in self._rows:
            table.add_row(*row)
        return table

    def _lines(self, row: tuple[Text, ...]) -> Iterator[Text]:
        """What is whole has a line of its own, whatever the width."""
        cells = dict(zip(self._names, row, strict=True))
        for name in self._names:
            if name in self._whole and cells[name]:
                yield Text.assemble((f"{name} ", "bold"), cells[name], no_wrap=True, overflow="ignore")
        others = [
            Text.assemble((f"{name} ", "bold"), cell)
            for name, cell in cells.items()
            if name not in self._whole and cell
        ]
        yield Text(", ").join(others)
