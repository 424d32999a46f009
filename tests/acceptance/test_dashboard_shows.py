"""What the dashboard shows in headless Chromium, on the real server: the state, the lag, the queue and the shards."""

from __future__ import annotations

from datetime import timedelta

import pytest

from service.operations.documents.status import PipelineState, RatesStatus, Role
from tests.fakes.console import NOW
from tests.fakes.dashboard_console import GAP, NUMBER, RETENTION
from tests.support.installed.dashboard_page import DashboardPage


def test_it_shows_the_status_and_follows_it(page: DashboardPage):
    page.stage.is_busy()
    page.open()
    page.shows("state", "Running")
    page.shows("lag", "0.4 s")
    page.shows("read-rate", "1,843")
    page.shows("queue-records-text", "212 of 10,000")
    page.shows("verification", "All equal")
    found = page.stage.shown["last_verification"]
    page.stage.shown["last_verification"] = found.model_copy(update={"missing": 2, "different": 1, "repaired": 3})
    page.shows("verification", "All mended")
    page.stage.shown["last_verification"] = found.model_copy(update={"missing": 2, "different": 1, "repaired": 1})
    page.shows("verification", "2 differences")
    page.stage.lags(95, unapplied=12_000)
    page.stage.shown["rates"] = RatesStatus(records_read_per_second=0, records_applied_per_second=7.5)
    page.shows("lag", "1 min 35 s")
    page.shows("lag-tag", "behind for")
    page.shows("lag-text", "12,000 records")
    page.shows("applied-rate", "7.5")
    assert "Running, 1 min 35 s behind" in page.title
    assert page.complaints() == []


@pytest.mark.parametrize(
    ("state", "word", "icon"),
    [
        (PipelineState.STARTING, "Starting", "dots"),
        (PipelineState.SNAPSHOTTING, "Copying a snapshot", "copy"),
        (PipelineState.PAUSED, "Paused", "pause"),
        (PipelineState.STOPPING, "Stopping", "stop"),
        (PipelineState.FAILED, "Failed", "failed"),
    ],
)
def test_each_state_has_a_word_and_a_shape_of_its_own(page: DashboardPage, state, word, icon):
    page.stage.state = state
    page.open()
    page.shows("state", word)
    assert page.attribute("state-icon", "href") == f"#icon-{icon}"
    assert word in page.run("return document.getElementById('announcement').textContent")


def test_a_standby_says_that_another_process_replicates(page: DashboardPage):
    page.stage.stands_by()
    page.open()
    page.shows("state", "Standing by")
    page.shows("role", "standby: mirror-1-17-5e0c1a2b replicates")
    page.shows("lag", "12 s")
    page.shows("lag-text", "told it last")
    page.shows("shards-text", "The process that replicates knows them")
    page.stage.shown["lag"] = page.stage.shown["lag"].model_copy(update={"seconds": 0.3})
    page.shows("lag-tag", "as told last")
    assert page.complaints() == []


def test_a_process_that_has_the_pipeline_and_reads_nothing_names_no_other_one(page: DashboardPage):
    page.stage.stands_by()
    page.stage.fails_with_a_gap()
    page.stage.shown.update(role=Role.ACTIVE)
    page.open()
    page.shows("lag-text", "And growing: this process has the pipeline, and reads nothing")


def test_what_is_not_known_is_called_unknown_and_never_good_news(page: DashboardPage):
    page.stage.knows_nothing()
    page.open()
    page.shows("role", "no process that is known")
    page.shows("lag", "unknown")
    page.shows("letter-count", "unknown")
    page.shows("verification", "unknown")
    icons = [page.attribute(f"{name}-icon", "href") for name in ("letter-count", "verification")]
    assert icons == ["#icon-ring", "#icon-ring"]
    assert not page.find("lag-tag").is_displayed()
    page.stage.shown.update(dead_letters=0)
    page.shows("verification", "Never")
    page.shows("letter-count", "0")
    assert page.complaints() == []


def test_a_gap_and_a_warning_stand_above_everything(page: DashboardPage):
    page.stage.fails_with_a_gap()
    page.stage.warnings = [RETENTION]
    page.open()
    page.shows("state", "Failed")
    page.shows("alerts", GAP.replace("dynamirror snapshot", '"Snapshot…"'))
    page.shows("alerts", f"after {NUMBER}")
    page.shows("alerts", RETENTION)
    page.click_in("alerts", "Snapshot")
    page.shows("confirmation-title", "Copy the whole source table?")


def test_a_full_queue_is_told_in_words(page: DashboardPage):
    page.stage.fills_the_queue()
    page.open()
    page.shows("queue-records-text", "10,000 of 10,000 · 100 %")
    page.shows("queue-text", "Full")


def test_a_phone_of_360_pixels_needs_no_sideways_scrolling(page: DashboardPage):
    page.use_a_phone()
    page.stage.is_busy()
    page.stage.has_shards(9, closed=1)
    page.stage.has_letters(3)
    page.stage.has_jobs()
    page.stage.shown["gaps"] = []
    page.stage.warnings = [RETENTION]
    page.open()
    page.shows("letters", "customer-00000")
    page.shows("jobs", "Snapshot")
    found = page.stage.shown["last_verification"]
    page.stage.shown["last_verification"] = found.model_copy(update={"missing": 1_204_112})
    page.shows("verification", "1,204,112 differences")
    tile = "document.getElementById('verification').parentElement"
    assert page.run(f"return {tile}.scrollWidth <= {tile}.clientWidth")
    assert page.overflow() == []
    page.click("replay")
    page.until(lambda: page.is_open("confirmation"))
    assert page.overflow() == []
    page.click("confirmation-cancel")
    page.click("pause")
    page.confirm()
    page.shows("messages", "Paused.")
    assert page.overflow() == []


def test_it_follows_a_pipeline_that_moves_to_another_process(page: DashboardPage):
    page.stage.is_busy()
    page.stage.has_history(hours=1)
    page.open()
    page.shows("applied-rate", "1,840")
    page.stage.stands_by()
    page.stage.steps.append(page.stage.step(NOW - timedelta(seconds=1), 1, PipelineState.STANDBY, 12))
    page.shows("state", "Standing by")
    page.shows("role", "mirror-1-17-5e0c1a2b replicates")
    page.shows("applied-rate", "–")
    page.shows("latency-mean", "–")
    page.shows("state-advice", "it takes over when that process is gone")
    assert page.complaints() == []
