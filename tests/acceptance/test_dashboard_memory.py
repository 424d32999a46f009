"""What a pause or a long outage costs, on the dashboard: since when, and when the stream forgets what is needed."""

from __future__ import annotations

from datetime import timedelta

from service.operations.documents.status import PipelineState
from tests.fakes.console import NOW
from tests.support.installed.dashboard_page import DashboardPage


def paused(page: DashboardPage, hours: float) -> None:
    page.stage.state = PipelineState.PAUSED
    page.stage.shown["paused_since"] = NOW - timedelta(hours=hours)
    page.stage.lags(hours * 3600)


def test_since_when_it_is_paused_is_told_and_when_the_stream_forgets(page: DashboardPage):
    paused(page, 3)
    page.stage.shown["paused_by"] = "admin from 10.0.3.7"
    page.open()
    page.shows("paused-since", "23 Nov 2026, 07:15:00 UTC, 3 h ago, by admin from 10.0.3.7")
    page.shows("memory", "24 Nov 2026, 07:15:00 UTC: 21 h left")
    local = page.run("return document.querySelector('#paused-since time').title")
    assert local.endswith("your time")
    assert page.text("alerts") == ""
    page.stage.state = PipelineState.RUNNING
    page.stage.shown["paused_since"] = None
    page.stage.catches_up()
    page.until(lambda: not page.find("paused-row").is_displayed())
    assert not page.find("memory-row").is_displayed()


def test_a_pause_is_a_warning_from_half_of_the_stream_s_memory_on(page: DashboardPage):
    paused(page, 13)
    page.open()
    page.shows("alerts", "Paused for 13 h. The stream's memory ends at 23 Nov 2026, 21:15:00 UTC: 11 h left. Resume it")
    page.stage.warnings = ["the replica is 19.0 hours behind, and the pipeline is paused: resume it"]
    paused(page, 19)
    page.shows("alerts", "resume it. The stream's memory ends at 23 Nov 2026, 15:15:00 UTC: 5 h left.")
    assert "Paused for" not in page.text("alerts")
    paused(page, 25)
    page.shows("alerts", "it may be lost already")


def test_a_pause_of_a_standby_that_knows_no_lag_is_counted_from_its_beginning(page: DashboardPage):
    page.stage.knows_nothing()
    page.stage.shown["paused_since"] = NOW - timedelta(hours=12)
    page.open()
    page.shows("alerts", "23 Nov 2026, 22:15:00 UTC: 12 h left")


def test_who_is_far_behind_without_a_pause_is_warned_too(page: DashboardPage):
    page.stage.lags(12.5 * 3600, unapplied=9)
    page.open()
    page.shows("alerts", "Far behind.")
    page.shows("memory", "11 h 30 min left")


def test_a_lag_of_minutes_says_from_when_on_something_would_be_lost(page: DashboardPage):
    page.stage.lags(600, unapplied=9)
    page.open()
    page.shows("lag-text", "9 records read and not applied, the oldest from")
    page.shows("lag-text", ". Nothing is lost before 24 Nov 2026, 10:05:00 UTC, when the oldest change is 24 hours old")
    assert page.text("alerts") == ""
    page.stage.lags(20, unapplied=9)
    page.until(lambda: "lost" not in page.text("lag-text"))
    paused(page, 3)
    page.shows("lag-text", "Nothing is read during a pause")
