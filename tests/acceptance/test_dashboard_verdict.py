"""The state on the dashboard looks as bad as it is: its colour and shape, what is told once, and sums that add up."""

from __future__ import annotations

import pytest

from service.operations.documents.status import GapStatus, PipelineState
from tests.fakes.console import NOW
from tests.support.installed.dashboard_page import DashboardPage

STREAM = "arn:aws:dynamodb:us-west-2:482913560017:table/payments/stream/2026-11-28T14:58:15.809"
RECREATED = (
    f"the stream of payments was re-created: it was {STREAM} and is another one now; changes made between them are "
    "lost; a snapshot mends it: POST /pipelines/payments/snapshot, or set DYNAMIRROR_ON_GAP=snapshot"
)


@pytest.mark.parametrize(
    ("seconds", "warnings", "letters", "word", "icon"),
    [
        (0.4, [], 0, "Running", "play"),
        (180, [], 0, "Running, behind", "hourglass"),
        (0.4, ["the replica throttles"], 0, "Running", "warning"),
        (0.4, [], 3, "Running", "warning"),
    ],
)
def test_running_is_only_green_where_nothing_is_wrong(page: DashboardPage, seconds, warnings, letters, word, icon):
    page.stage.lags(seconds, unapplied=5)
    page.stage.warnings = warnings
    page.stage.has_letters(letters)
    page.open()
    page.until(lambda: page.text("state") == word)
    assert page.attribute("state-icon", "href") == f"#icon-{icon}"
    assert page.attribute("state-panel", "data-tone") == ("good" if icon == "play" else "careful")
    assert page.text("state-advice") == ""


def test_a_paused_pipeline_that_is_in_trouble_says_both(page: DashboardPage):
    page.stage.state = PipelineState.PAUSED
    page.stage.reason = "the control table has not answered for 40 s"
    page.open()
    page.shows("state", "Paused, in trouble")


def test_a_gap_s_reason_is_told_once_and_its_names_are_short(page: DashboardPage):
    page.stage.state, page.stage.reason = PipelineState.FAILED, RECREATED
    gap = GapStatus(shard_id=None, after_sequence_number=None, detected_at=NOW, reason=RECREATED)
    page.stage.shown["gaps"] = [gap]
    why = f"the pipeline has failed, and writes nothing: {RECREATED}"
    page.stage.shown["refused"] = dict.fromkeys(("replay", "verify", "redrive"), why)
    page.open()
    page.shows("refused", "Replay, Verify, Redrive: the pipeline has failed, and writes nothing.")
    seen = page.text("alerts") + page.text("state-panel")
    assert seen.count("changes made between them are lost") == 1
    assert "A gap: history is missing. The stream of payments was re-created: it was …/stream/2026-11-28T14" in seen
    assert 'a snapshot mends it: "Snapshot…", or set' in seen
    assert STREAM not in seen
    page.unfold("In full")
    page.shows("alerts", STREAM)
    for name in ("pause", "resume"):
        page.click(name)
        assert not page.is_open("confirmation")
    assert page.complaints() == []


def test_a_reason_s_resources_are_short_and_in_full_below(page: DashboardPage):
    role = "arn:aws:sts::482913560010:assumed-role/dynamirror-task/5e0c1a2b"
    page.stage.reason = f"the replica refuses all writes: AccessDeniedException: User: {role} is not authorized"
    page.open()
    page.shows("reason", "The replica refuses all writes: AccessDeniedException: User: …assumed-role/dynamirror-task/")
    page.unfold("In full")
    page.shows("reason-whole", role)
    page.stage.reason = "this process lost the lease at 2026-11-23 10:11:05 UTC"
    page.shows("reason", "This process lost the lease at 23 Nov 2026, 10:11:05 UTC")
    assert page.run("return document.querySelector('#reason time').title").endswith("your time")
    assert page.text("reason-whole") == ""


def test_what_was_read_is_seen_to_be_the_sum_of_its_parts(page: DashboardPage):
    totals = page.stage.status().totals
    page.stage.shown["totals"] = totals.model_copy(
        update={
            "records_read": 1631,
            "records_applied": 1077,
            "items_written": 519,
            "records_coalesced": 6,
            "records_unchanged": 2,
            "records_stale": 550,
            "records_skipped": 0,
            "records_dead_lettered": 0,
        }
    )
    page.stage.lags(132, unapplied=554)
    page.stage.shown["lag"] = page.stage.shown["lag"].model_copy(update={"keys_in_doubt": 84})
    page.open()
    page.shows("lag-text", "84 keys in doubt")
    told = page.text("totals").replace("\n", " ")
    assert told.startswith("read 1,631 applied 1,077 unapplied 554 skipped 0 dead letters 0 keys in doubt 84")
    assert page.text("applied-totals").replace("\n", " ") == "written 519 coalesced 6 unchanged 2 stale 550"


def test_what_is_unknown_leads_nowhere_and_fits_into_its_card(page: DashboardPage):
    page.use_a_phone()
    page.stage.knows_nothing()
    page.open()
    page.shows("letter-count", "unknown")
    page.shows("letter-text", "could not be read for a while")
    assert not page.find("letter-link").is_displayed()
    assert not page.find("letters-panel").is_displayed()
    right = "document.getElementById('letter-count').getBoundingClientRect().right"
    card = "document.getElementById('letter-count').closest('.panel').getBoundingClientRect().right"
    assert page.run(f"return {right} < {card} - 8")
    assert page.overflow() == []
