"""Rows for people: a table, or, where its ids would have to be broken, some lines for each row.

An id is there to be copied. In a pipe every row is one line, and no line ends in blanks.
"""

from __future__ import annotations

import itertools
import textwrap
from collections.abc import Collection, Iterator

from rich.console import Console, ConsoleOptions, RenderableType
from rich.table import Table
from rich.text import Text

_READABLE = 16
"""Columns of a terminal that a cell gets at least, before its rows become lines."""
_BETWEEN = 2


def printable(value: object) -> str:
    """One line of text, never markup, and without control characters.

    What comes from the service, a key or an error, can hold anything, a terminal's escape codes too.
    """
    text = "" if value is None else str(value)
    return "".join(each if each.isprintable() else "\N{REPLACEMENT CHARACTER}" for each in text)


def text(value: object, style: str = "") -> Text:
    return Text(printable(value), style=style)


class Listing:
    """Rows under names; a cell of one that is `whole` is never broken."""

    def __init__(self, *names: str, whole: Collection[str] = (), has_header: bool = True) -> None:
        self._names = names
        self._whole = whole
        self._has_header = has_header
        self._rows: list[tuple[Text, ...]] = []

    def add_row(self, *cells: object) -> None:
        self._rows.append(tuple(each if isinstance(each, Text) else text(each) for each in cells))

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> Iterator[RenderableType]:
        widths = self._widths()
        if sum(widths) + _BETWEEN * len(widths) <= options.max_width:
            yield from self._aligned(widths)
        elif self._least_width(widths) <= options.max_width:
            yield self._table()
        else:
            for row in self._rows:
                yield from self._lines(row)

    def _widths(self) -> list[int]:
        """Of the columns, with nothing broken."""
        heads = [len(name) if self._has_header else 0 for name in self._names]
        return [max([head, *(row[place].cell_len for row in self._rows)]) for place, head in enumerate(heads)]

    def _least_width(self, widths: list[int]) -> int:
        named = zip(self._names, widths, strict=True)
        return sum((width if name in self._whole else min(width, _READABLE)) + _BETWEEN for name, width in named)

    def _aligned(self, widths: list[int]) -> Iterator[Text]:
        header = [tuple(Text(name, "bold") for name in self._names)] if self._has_header else []
        for row in [*header, *self._rows]:
            line = Text()
            for cell, width in zip(row, widths, strict=True):
                line.append_text(cell).append(" " * (width - cell.cell_len + _BETWEEN))
            line.rstrip()
            yield line

    def _table(self) -> Table:
        table = Table(box=None, pad_edge=False, header_style="bold", show_header=self._has_header)
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


class Pairs:
    """A name and a value a line. A value goes on below itself where it is long; no word of it is broken."""

    def __init__(self) -> None:
        self._rows: list[tuple[str, Text]] = []

    def add_row(self, name: str, value: object, style: str = "") -> None:
        self._rows.append((name, value if isinstance(value, Text) else text(value, style)))

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> Iterator[RenderableType]:
        indent = max((len(name) for name, _ in self._rows), default=0) + _BETWEEN
        for name, value in self._rows:
            room = max(options.max_width - indent, _READABLE)
            parts = _wrapped(value.plain, room) or [""]
            for head, part in itertools.zip_longest([name], parts, fillvalue=""):
                line = Text.assemble((head.ljust(indent), "bold"), (part, value.style), no_wrap=True, overflow="ignore")
                line.rstrip()
                yield line


class Sentence:
    """Text that is broken between words alone."""

    def __init__(self, said: object, style: str = "") -> None:
        self._said = text(said, style)

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> Iterator[RenderableType]:
        for line in _wrapped(self._said.plain, options.max_width):
            yield Text(line, self._said.style, no_wrap=True, overflow="ignore")


def _wrapped(words: str, width: int) -> list[str]:
    return textwrap.wrap(words, width, break_long_words=False, break_on_hyphens=False)
