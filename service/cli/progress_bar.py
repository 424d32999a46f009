"""A progress bar for one long job, on standard error; where that is no terminal, a line now and then."""

from __future__ import annotations

import time
from typing import Self

from rich.console import Console
from rich.progress import BarColumn, Progress, ProgressColumn, Task, TaskProgressColumn, TextColumn, TimeRemainingColumn
from rich.text import Text

LINE_SECONDS = 5.0
BAR_WIDTH = 10
"""Short, so that the counts have room on a terminal of 80 columns."""


class RateColumn(ProgressColumn):
    """Items a second: as of late, and in the end on the whole."""

    def render(self, task: Task) -> Text:
        speed = task.finished_speed or task.speed
        return Text("" if speed is None else f"{speed:,.0f}/s")


class JobBar:
    """A context: on a terminal the bar is there until the block ends."""

    def __init__(self, title: str, console: Console | None = None, *, line_seconds: float = LINE_SECONDS) -> None:
        self._title = title
        self._line_seconds = line_seconds
        self._console = console or Console(stderr=True)
        self._line_at = time.monotonic() + self._line_seconds
        self._has_lines = False
        self._column = BarColumn(bar_width=BAR_WIDTH)
        self._bar = Progress(
            TextColumn("{task.description}"),
            self._column,
            TaskProgressColumn(),
            TextColumn("{task.fields[counts]}"),
            RateColumn(),
            TimeRemainingColumn(),
            TextColumn("left"),
            console=self._console,
            disable=not self._console.is_terminal,
        )
        self._task = self._bar.add_task(title, total=None, counts="")

    def __enter__(self) -> Self:
        self._bar.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._bar.stop()

    def show(self, completed: int, estimated: int, counts: str, *, is_over: bool = False, is_good: bool = True) -> None:
        """`estimated` is DynamoDB's own count, hours old: what has been passed already tells nothing.

        `is_over`: these are the last counts; so is the last line, where there were lines. Green only if `is_good`.
        """
        total = completed if is_over else estimated if estimated >= completed else None
        self._column.finished_style = "bar.finished" if is_good else "yellow"
        self._bar.update(self._task, completed=completed, total=total or None, counts=counts)
        is_due = self._has_lines if is_over else time.monotonic() >= self._line_at
        if not self._console.is_terminal and is_due:
            self._line_at, self._has_lines = time.monotonic() + self._line_seconds, True
            self._console.print(f"{self._title}: {counts}", markup=False, highlight=False, soft_wrap=True)
