"""How a scene looks: a live picture on a terminal, otherwise a line now and then."""

from __future__ import annotations

import time

from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.panel import Panel
from rich.table import Table
from rich.text import Text

from service.demo.emulator import AUTHORIZATION, REPLICA, SOURCE
from service.demo.scene import Scene

LINE_SECONDS = 2.0


def commands(admin_url: str, emulator_url: str) -> list[tuple[str, str]]:
    """What to try, each with its purpose."""
    put = (
        f"curl {emulator_url} -H 'Content-Type: application/x-amz-json-1.0' "
        f"-H 'X-Amz-Target: DynamoDB_20120810.PutItem' -H 'Authorization: {AUTHORIZATION}' "
        f'-d \'{{"TableName": "{SOURCE}", "Item": {{"key": {{"S": "mine"}}, "value": {{"S": "1"}}}}}}\''
    )
    return [
        ("status", f"curl {admin_url}/status"),
        ("pause", f"curl -X POST {admin_url}/pause"),
        ("resume", f"curl -X POST {admin_url}/resume"),
        (
            "replay all",
            f"curl {admin_url}/replay -H 'Content-Type: application/json' -d '{{\"from\": \"trim_horizon\"}}'",
        ),
        ("verify", f"curl -X POST {admin_url}/verify; curl {admin_url}/verifications"),
        ("metrics", f"curl {admin_url}/metrics"),
        ("put an item", put),
    ]


class Screen:
    """`async` code shows scenes; this only draws. Use as a context manager."""

    def __init__(self, console: Console, notes: list[str], admin_url: str, emulator_url: str) -> None:
        self._console = console
        self._notes = notes
        self._commands = commands(admin_url, emulator_url)
        self._admin_url = admin_url
        self._live = Live(console=console, auto_refresh=False, transient=False) if console.is_terminal else None
        self._line_at = float("-inf")

    def __enter__(self) -> Screen:
        for note in self._notes:
            self._say(note)
        if self._live is None:
            self._say(f"admin API: {self._admin_url}")
            for purpose, command in self._commands:
                self._say(f"{purpose}: {command}")
            return self
        # Above the picture, each on a line of its own without anything else, so that a terminal copies it unbroken.
        self._say(f"The dashboard is at {self._admin_url}. Try in another terminal:")
        for _, command in self._commands:
            self._say(command)
        self._live.start()
        return self

    def __exit__(self, *_: object) -> None:
        if self._live is not None:
            self._live.stop()

    def show(self, scene: Scene) -> None:
        if self._live is not None:
            self._live.update(self._picture(scene), refresh=True)
        elif time.monotonic() >= self._line_at + LINE_SECONDS:
            self._line_at = time.monotonic()
            self._say(line(scene))

    def end(self, scene: Scene) -> None:
        """The last word."""
        if self._live is not None:
            self._live.update(self._picture(scene), refresh=True)
            self._live.stop()
        self._say(
            f"both tables hold the same {scene.source_items} items"
            if scene.is_equal
            else f"ended before the tables were equal: {scene.comparison}"
        )

    def _say(self, text: str) -> None:
        self._console.print(text, markup=False, highlight=False, soft_wrap=True)

    def _picture(self, scene: Scene) -> RenderableType:
        parts = Group(_figures(scene), Text(), _changes(scene))
        return Panel(parts, title="dynamirror demo", subtitle="Ctrl-C ends it", padding=(1, 2))


def line(scene: Scene) -> str:
    """A scene for a log or a pipe."""
    status = scene.status
    lag = f"{status.lag.seconds:.1f} s" if status.lag.seconds is not None else "unknown"
    last = f", last: {scene.last[0]}" if scene.last else ""
    return (
        f"{status.state.value}: {SOURCE} {scene.source_items} items, {REPLICA} {scene.replica_items} items, "
        f"{scene.comparison}, lag {lag}, {status.totals.records_read} records read, "
        f"{status.totals.records_applied} applied{last}"
    )


def _figures(scene: Scene) -> RenderableType:
    status = scene.status
    seconds = status.lag.seconds
    table = Table(expand=True)
    for heading in ("state", SOURCE, REPLICA, "tables", "lag", "records read", "records applied"):
        table.add_column(heading)
    table.add_row(
        status.state.value,
        f"{scene.source_items} items",
        f"{scene.replica_items} items",
        Text(scene.comparison, style="green" if scene.is_equal else "yellow"),
        "unknown" if seconds is None else f"{seconds:.1f} s",
        str(status.totals.records_read),
        str(status.totals.records_applied),
    )
    return table


def _changes(scene: Scene) -> RenderableType:
    table = Table.grid(padding=(0, 2))
    for made in scene.last:
        table.add_row(time.strftime("%H:%M:%S", time.localtime(made.at)), made.event_name, made.key, made.value or "")
    return Group(Text(f"Last changes of {SOURCE}:", style="bold"), table)
