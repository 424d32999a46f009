"""What the status advises can be typed as it stands, and says until when."""

from __future__ import annotations

from typing import Any

import pytest
from rich.console import Console

from service.cli.advised import PLAIN, Advised
from service.cli.status_tables import overview_tables
from tests.fakes.dashboard_console import Stage

HOUR = 3600.0
BEFORE = "nothing is lost before 2026-11-24 "
LOST = "records are lost once they are 24 hours old"


def shown(document: dict[str, Any], advised: Advised = PLAIN, *, is_colored: bool = False) -> str:
    console = Console(width=300, force_terminal=is_colored, color_system="standard" if is_colored else None)
    with console.capture() as captured:
        console.print(overview_tables(document, advised))
    return captured.get()


def row(text: str, name: str) -> str:
    (line,) = [line for line in text.splitlines() if line.startswith(f"{name} ")]
    return line.removeprefix(name).strip()


def status(**changes: Any) -> dict[str, Any]:
    return Stage().status().model_dump(mode="json") | changes


def lag(seconds: float, unapplied: int | None = 0) -> dict[str, Any]:
    return {"seconds": seconds, "unapplied_records": unapplied, "caught_up": False}


def paused(seconds: float) -> dict[str, Any]:
    return status(
        state="paused", paused_since="2026-11-28T06:04:27.323000Z", now="2026-11-28T15:08:40.5Z", lag=lag(seconds)
    )


def test_a_pause_tells_how_to_end_it_and_how_much_time_is_left() -> None:
    text = shown(paused(9 * HOUR + 180), Advised("http://there:8080", "audit"))
    assert row(text, "paused since") == "2026-11-28 06:04:27 UTC"
    command = "`dynamirror resume --url http://there:8080 --pipeline audit`"
    assert row(text, "next step") == f"{command} within 14 h 57 min, until 2026-11-29 06:05:40 UTC: {LOST}"
    assert row(text, "lag") == "9 h 03 min, 0 records unapplied; more has not been read yet"


def test_a_pause_that_lasts_too_long_does_not_name_a_time_that_is_over() -> None:
    assert row(shown(paused(25 * HOUR)), "next step") == f"`dynamirror resume`: {LOST}, and the oldest ones are by now"


@pytest.mark.parametrize("state", ["paused", "failed"])
def test_no_shard_of_a_pipeline_that_reads_nothing_is_called_reading(state: str) -> None:
    lines = shown(status(state=state)).splitlines()
    assert any("not read now" in line for line in lines)
    assert not any("reading" in line for line in lines)


def test_the_lag_of_a_failed_pipeline_is_its_own_and_grows() -> None:
    told = row(shown(status(state="failed", role="active", lag=lag(217.6, None))), "lag")
    assert told == f"3 min 38 s, and growing: this process has the pipeline, and reads nothing; {BEFORE}10:11:22 UTC"


def test_a_standby_names_no_process_as_the_source_of_its_lag_if_none_is_known() -> None:
    text = shown(status(state="standby", role="standby", active=None, lag=lag(181.7, None)))
    assert row(text, "lag") == f"3 min 02 s, and growing; {BEFORE}10:11:58 UTC"


def test_who_replicates_since_when_and_which_process_this_is() -> None:
    names = {"active": "vm-2-b", "active_since": "2026-11-28T14:53:20.25Z", "process": "vm-1-a"}
    text = shown(status(state="standby", role="standby", **names))
    assert row(text, "role") == "standby, vm-2-b replicates since 2026-11-28 14:53:20 UTC"
    assert row(text, "process") == "vm-1-a"
    text = shown(status(role="active", **(names | {"process": "vm-2-b"})))
    assert row(text, "role") == "active since 2026-11-28 14:53:20 UTC"


@pytest.mark.parametrize(("active", "is_red"), [("vm-2-b", False), (None, True)])
def test_only_a_standby_of_nobody_is_bad_news(active: str | None, is_red: bool) -> None:
    text = shown(status(state="standby", role="standby", active=active, reason="it lost the lease"), is_colored=True)
    assert ("\x1b[1;31mit lost the lease" in text) == is_red


def item(**changes: Any) -> dict[str, Any]:
    return {"name": "audit", "state": "running", "ready": True, "lag_seconds": 32_587.6, "dead_letters": 0} | changes


def test_in_the_list_each_command_names_its_pipeline() -> None:
    found = {"items": [item(state="paused"), item(name="of sales", dead_letters=2)]}
    _, first, second, last = [line.strip() for line in shown(found).splitlines()]
    assert first.endswith(f"9 h 03 min  0             `dynamirror resume --pipeline audit` within 14 h 56 min: {LOST}")
    assert second.endswith("2             `dynamirror dead-letters --pipeline 'of sales'` tells why")
    assert last == "`dynamirror status --pipeline NAME` shows one of them."


def test_a_lag_says_from_when_on_something_would_be_lost_unless_it_is_short_or_too_long() -> None:
    assert row(shown(status(lag=lag(59.9, 3))), "lag") == "1 min, 3 records unapplied"
    assert row(shown(status(lag=lag(HOUR, 3))), "lag") == f"1 h, 3 records unapplied; {BEFORE}09:15:00 UTC"
    late = row(shown(status(lag=lag(25 * HOUR, 3))), "lag")
    assert late == "1 d 01 h, 3 records unapplied; the oldest of it may be lost already"


def test_a_gap_asks_for_a_snapshot_and_says_what_that_removes() -> None:
    text = shown(status(state="failed", gaps=[{"reason": "a shard is gone"}], lag=lag(HOUR, None)), Advised("http://x"))
    step = row(text, "next step")
    assert (
        "`dynamirror snapshot --url http://x`: it makes the replica what the source holds, and removes the rest" in step
    )
    assert "nothing is lost before" not in text


def test_a_running_pipeline_with_a_reason_is_in_trouble_and_any_other_is_not() -> None:
    assert row(shown(status(reason="the replica refuses all writes")), "state") == "running, in trouble"
    assert row(shown(status()), "state") == "running"
    assert row(shown(status(state="failed", reason="a gap")), "state") == "failed"


def test_trouble_leads_to_the_page_that_explains_it_and_calm_does_not() -> None:
    assert "What to do about it: http://x/troubleshooting" in shown(status(warnings=["slow"]), Advised("http://x"))
    assert "the service's page /troubleshooting" in shown(status(state="failed", reason="an unknown code"))
    standby = status(state="standby", role="standby", active="vm-2", reason="it lost the lease")
    assert "What to do" not in shown(status()) + shown(standby)


def test_a_gap_is_told_once() -> None:
    gaps = [{"reason": "the stream is gone"}, {"reason": "a shard is gone"}]
    text = shown(status(state="failed", reason="a shard is gone", gaps=gaps))
    assert (text.count("a shard is gone"), text.count("gap: the stream is gone")) == (1, 1)
