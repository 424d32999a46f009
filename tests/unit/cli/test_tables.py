"""The status in a shell: what is not known is called unknown, and no bad news is green."""

from __future__ import annotations

from typing import Any

import pytest
from rich.console import Console

from service.cli.status_tables import overview_tables, status_tables
from service.cli.tables import pairs
from tests.fakes.dashboard_console import Stage


def shown(stage: Stage) -> str:
    console = Console(width=200, force_terminal=False)
    with console.capture() as captured:
        console.print(status_tables(stage.status().model_dump(mode="json")))
    return captured.get()


def row(text: str, name: str) -> str:
    (line,) = [line for line in text.splitlines() if line.startswith(f"{name} ")]
    return line.removeprefix(name).strip()


def test_a_standby_names_the_active_process_and_tells_what_that_one_told() -> None:
    stage = Stage()
    stage.stands_by()
    text = shown(stage)
    assert row(text, "role") == "standby, mirror-1-17-5e0c1a2b replicates"
    assert row(text, "lag") == "12 s, as the process that replicates told it last"
    assert row(text, "verified") == "never"
    assert "paused since" not in text


def test_what_is_not_known_is_called_unknown() -> None:
    stage = Stage()
    stage.knows_nothing()
    text = shown(stage)
    assert {row(text, name) for name in ("lag", "dead letters", "verified")} == {"unknown"}
    assert row(text, "role") == "standby, no process that is known replicates"


def test_a_long_lag_is_told_in_hours_too_and_dead_letters_with_the_command_that_tells_why() -> None:
    stage = Stage()
    stage.lags(68_458.2, unapplied=7)
    stage.add_letter("a")
    text = shown(stage)
    assert row(text, "lag").startswith("19 h, 7 records unapplied; nothing is lost before ")
    assert row(text, "dead letters") == "1: `dynamirror dead-letters` tells why"


@pytest.mark.parametrize(
    ("job", "is_good"),
    [
        ({"state": "done", "items_compared": 9, "missing": 0, "extra": 0, "different": 0, "repaired": 0}, True),
        ({"state": "done", "items_compared": 9, "missing": 3, "extra": 0, "different": 0, "repaired": 3}, True),
        ({"state": "done", "items_compared": 9, "missing": 3, "extra": 0, "different": 0, "repaired": 2}, False),
        ({"state": "done", "items_scanned": 9, "items_written": 3}, True),
        ({"state": "done", "records_read": 9, "records_applied": 4, "records_unchanged": 5}, True),
        ({"state": "done", "records_read": 9, "records_applied": 4, "records_unchanged": 4}, False),
    ],
)
def test_a_job_that_leaves_something_for_a_person_is_not_green(job: dict[str, Any], is_good: bool) -> None:
    console = Console(width=200, force_terminal=True, color_system="standard")
    with console.capture() as captured:
        console.print(pairs(job))
    (line,) = [line for line in captured.get().splitlines() if "state" in line]
    assert ("\x1b[32mdone" in line, "\x1b[33mdone" in line) == (is_good, not is_good)


def test_where_discovery_has_found_nothing_nobody_is_told_to_name_a_pipeline() -> None:
    console = Console(width=200, force_terminal=False)
    with console.capture() as captured:
        console.print(overview_tables({"items": [], "left_out": []}))
    assert captured.get().splitlines()[-1] == "There is no pipeline: [discover] has found no table to replicate."
