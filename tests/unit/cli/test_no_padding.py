"""What the commands print: no line ends in blanks, an id is never broken or cut, and in a pipe each row is one line."""

from __future__ import annotations

import io
from typing import Any

import pytest
from rich.console import Console, RenderableType

from service.cli import admin_commands, tables
from service.cli.advised import Advised
from service.cli.status_tables import overview_tables, status_tables
from service.cli.tables import job_table, pairs
from tests.fakes.dashboard_console import Stage
from tests.unit.cli.test_listing import CHECKPOINT, JOB, SHARD_ID

PIPELINE = "orders-of-the-whole-world--orders-of-the-whole-world-replica"
ARN = "arn:aws:dynamodb:us-west-2:123456789012:table/orders-of-the-whole-world/stream/2026-11-28T12:04:50.343"
LIST = {
    "items": [
        {"name": PIPELINE, "state": "running", "role": "active", "ready": True, "lag_seconds": 0.0, "dead_letters": 0},
        {"name": "short", "state": "failed", "role": "active", "reason": "a table is gone " * 9, "dead_letters": None},
    ],
    "left_out": [{"table": PIPELINE + "-left-out", "reason": "it has no stream"}],
}


def status() -> dict[str, Any]:
    warning = f"the stream's shards can't be listed: DescribeStream on {ARN} failed: 500"
    return {**Stage().status().model_dump(mode="json"), "pipeline": PIPELINE, "warnings": [warning]}


SHOWN: dict[str, tuple[RenderableType, list[str]]] = {
    "status": (status_tables(status()), [PIPELINE, SHARD_ID, CHECKPOINT, ARN]),
    "pipelines": (overview_tables(LIST), [PIPELINE, PIPELINE + "-left-out"]),
    "a pause": (admin_commands._state_line({"pipeline": PIPELINE, "state": "paused"}), [PIPELINE]),
    "job": (pairs({**JOB, "sequence_number": CHECKPOINT, "shard_id": SHARD_ID}), [JOB["id"], CHECKPOINT, SHARD_ID]),
    "jobs": (job_table([JOB]), [JOB["id"]]),
}


def printed(rows: RenderableType, width: int) -> list[str]:
    page = Console(width=width, file=io.StringIO(), force_terminal=False)
    page.print(rows, crop=False)
    assert isinstance(page.file, io.StringIO)
    return page.file.getvalue().splitlines()


@pytest.mark.parametrize("width", [20, 40, 60, 80, 10_000])
@pytest.mark.parametrize("name", SHOWN)
def test_ids_stay_whole_at_every_width(name: str, width: int) -> None:
    rows, ids = SHOWN[name]
    lines = printed(rows, width)
    assert all(any(each in line for line in lines) for each in ids)
    assert "…" not in "".join(lines)


@pytest.mark.parametrize("name", SHOWN)
def test_in_a_pipe_no_line_ends_in_blanks(name: str) -> None:
    lines = printed(SHOWN[name][0], 10_000)
    assert lines == [line.rstrip() for line in lines]
    assert max(map(len, lines)) < 400


def test_a_long_value_goes_on_below_itself() -> None:
    assert printed(pairs({"id": "x", "error": "one two three four five six"}), 24) == [
        "id     x",
        "error  one two three",
        "       four five six",
    ]


class Watched:
    """A client whose service answers twice, and then a person has had enough."""

    def __init__(self) -> None:
        self.looks = 0
        self.advised = Advised()

    def overview(self) -> dict[str, Any]:
        self.looks += 1
        if self.looks == 3:
            raise KeyboardInterrupt
        return status()


@pytest.mark.parametrize("is_terminal", [True, False])
def test_a_watch_shows_whole_ids_on_a_clean_screen_and_in_a_pipe_one_look_below_the_other(
    is_terminal: bool, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("COLUMNS", "40")
    monkeypatch.setenv("TTY_COMPATIBLE", "1" if is_terminal else "0")
    with pytest.raises(KeyboardInterrupt):
        admin_commands._watch(Watched(), 0.001)  # type: ignore[arg-type]
    out = capsys.readouterr().out
    assert out.count(SHARD_ID) == out.count(CHECKPOINT) == out.count(PIPELINE) == 2
    assert out.count("\x1b[2J") == (2 if is_terminal else 0)
    assert tables.console().is_terminal == is_terminal
