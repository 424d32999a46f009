"""Of several pipelines the worst is told first, in the order and the words of the page."""

from __future__ import annotations

from typing import Any

from rich.console import Console

from service.cli.status_tables import overview_tables

WELL = {"state": "running", "ready": True, "lag_seconds": 0.4, "dead_letters": 0, "warnings": []}
CHANGES: dict[str, dict[str, Any]] = {
    "a-well": {"lag_seconds": 0.1},
    "b-paused": {"state": "paused", "lag_seconds": 600.0},
    "c-letters": {"dead_letters": 1},
    "d-late": {"lag_seconds": 60.0},
    "e-later": {"lag_seconds": 600.0},
    "f-stuck": {"ready": False},
    "g-failed": {"state": "failed", "ready": False},
    "h-unknown": {"lag_seconds": None},
    "i-warned": {"warnings": ["the replica throttles"]},
    "j-begins": {"state": "starting", "ready": False},
    "k-well-too": {"lag_seconds": 3.0},
}


def told() -> list[list[str]]:
    console = Console(width=200, no_color=True)
    with console.capture() as capture:
        console.print(overview_tables({"items": [{"name": name} | WELL | each for name, each in CHANGES.items()]}))
    lines = [line.split("  ") for line in capture.get().splitlines()]
    return [[cell.strip() for cell in line if cell.strip()] for line in lines if line[0].strip() in CHANGES]


def test_those_that_keep_up_are_in_the_order_of_their_names():
    names = "g-failed f-stuck b-paused e-later d-late j-begins c-letters i-warned a-well h-unknown k-well-too"
    assert [row[0] for row in told()] == names.split()


def test_who_is_not_ready_is_in_trouble_but_not_who_starts():
    states = {row[0]: row[1] for row in told()}
    assert states["f-stuck"] == "running, in trouble"
    assert states["j-begins"] == "starting"
    assert states["g-failed"] == "failed"
