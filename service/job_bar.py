"""A progress bar for one long job, on standard error; where that is no terminal, a line now and then."""

from __future__ import annotations

import time
from types import TracebackType
from typing import Self

from rich.console import Console
from rich.progress import (
    BarColumn,
    Progress,
    ProgressColumn,
    Task,
    TaskProgressColumn,
    TextColumn,
    TimeRemainingColumn,
)
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

    def __init__(self, title: str, console: Console | None = None) -> None:
        self._title = title
        self._console = console or Console(stderr=True)
        self._line_at = time.monotonic() + LINE_SECONDS
        self._bar = Progress(
            TextColumn("{task.description}"),
            BarColumn(bar_width=BAR_WIDTH),
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

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._bar.stop()

    def show(self, completed: int, estimated: int, counts: str) -> None:
        """`estimated` is DynamoDB's own count, hours old: what was counted here wins."""
        total = max(completed, estimated) or None
        self._bar.update(self._task, completed=completed, total=total, counts=counts)
        if not self._console.is_terminal and time.monotonic() >= self._line_at:
            self._line_at = time.monotonic() + LINE_SECONDS
            self._console.print(f"{self._title}: {counts}", markup=False, highlight=False, soft_wrap=True)
