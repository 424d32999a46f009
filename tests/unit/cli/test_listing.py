"""Rows in a shell: their ids are never broken, however narrow the terminal is."""

from __future__ import annotations

from typing import Any

import pytest
from rich.console import Console, RenderableType

from service.cli.status_tables import status_tables
from service.cli.tables import console, dead_letter_table, job_table, redrive_tables
from service.operations.documents.jobs import JobState, Snapshot
from tests.fakes.console import NOW, FakeConsole

JOB = {
    "id": "20261123T101500123456-3f9c",
    "kind": "verification",
    "state": "running",
    "started_by": "admin",
    "started_at": "2026-11-23T10:15:00Z",
    "items_compared": 1200,
    "missing": 3,
    "per_second": 41.27,
    "seconds_left": 3725.4,
}
LETTER = {
    "id": "000000000000001100000000017454423009-9f86d081",
    "failed_at": "2026-11-23T10:15:00Z",
    "event_name": "MODIFY",
    "keys": {"key": {"S": "a key of many words " * 5}},
    "error": "[red]The item is over the limit\x1b[2J" + " of DynamoDB" * 20,
    "attempts": 10,
}
FAILED = {"redriven": 1, "superseded": 0, "failed": 1, "failures": [{"id": LETTER["id"], "error": LETTER["error"]}]}
SHARD_ID, CHECKPOINT = "shardId-00000001541626099285-f35f62ef", "000001100000000017454423009"


def shown(rows: RenderableType, width: int) -> list[str]:
    console = Console(width=width, force_terminal=False)
    with console.capture() as captured:
        console.print(rows, crop=False)
    return captured.get().splitlines()


def status() -> dict[str, Any]:
    return FakeConsole().status().model_dump(mode="json")


@pytest.mark.parametrize("width", [20, 40, 80, 120, 200])
@pytest.mark.parametrize(
    ("rows", "ids"),
    [
        (job_table([JOB, JOB]), [JOB["id"]]),
        (dead_letter_table([LETTER]), [LETTER["id"]]),
        (redrive_tables(FAILED), [LETTER["id"]]),
        (status_tables(status()), [SHARD_ID, CHECKPOINT]),
    ],
    ids=["jobs", "dead letters", "a redrive", "shards"],
)
def test_an_id_is_in_one_piece_and_nothing_else_is_lost(rows: RenderableType, ids: list[str], width: int) -> None:
    lines = shown(rows, width)
    assert all(any(each in line for line in lines) for each in ids)
    assert "\x1b" not in "".join(lines)
    assert "…" not in "".join(lines)


def test_in_a_pipe_a_row_is_one_line(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setenv("COLUMNS", "40")
    console().print(dead_letter_table([LETTER, LETTER]))
    header, *rows = capsys.readouterr().out.splitlines()
    assert (header.split()[0], len(rows)) == ("id", 2)


def test_a_narrow_terminal_shows_each_row_as_lines() -> None:
    assert shown(job_table([JOB]), 40) == [
        "id 20261123T101500123456-3f9c",
        "kind verification, state running, by ",
        "admin, progress 1,200 items compared, 3 ",
        "missing, 41.3/s, 1 h 02 min left, ",
        "started 2026-11-23 10:15:00 UTC",
    ]


def test_of_a_job_its_rate_and_the_time_that_is_left_are_told() -> None:
    (_, row) = shown(job_table([JOB]), 200)
    assert "1,200 items compared, 3 missing, 41.3/s, 1 h 02 min left, started 2026-11-23 10:15:00 UTC" in row


@pytest.mark.parametrize("is_needed", [True, False])
def test_only_of_a_snapshot_that_the_replica_needs_it_is_told_that_it_cannot_be_cancelled(is_needed: bool) -> None:
    snapshot = Snapshot(id="20261123T101500-3f9c", state=JobState.RUNNING, started_at=NOW, needed=is_needed)
    (_, row) = shown(job_table([{"kind": "snapshot", **snapshot.model_dump(mode="json")}]), 200)
    assert ("can't be cancelled: the replica needs it" in row) == is_needed
