"""How long a pipeline has been behind, on the dashboard: from its lag and the history, not since it was opened."""

from __future__ import annotations

from datetime import timedelta

from service.operations.documents.status import PipelineState
from tests.fakes.console import NOW
from tests.support.installed.dashboard_page import DashboardPage


def test_a_page_that_was_just_opened_knows_how_long_it_has_been_behind(page: DashboardPage):
    page.stage.lags(9 * 3600 + 180, unapplied=5)
    page.open()
    page.shows("lag-word", "behind for over 9 h 03 min")
    page.stage.has_history(hours=2)
    page.stage.steps = [
        page.stage.step(each.at, each.seconds, each.state, 40 if each.at >= NOW - timedelta(minutes=30) else 0.4)
        for each in page.stage.steps
    ]
    page.stage.lags(60, unapplied=5)
    page.run("wholeAt = -Infinity; void pollHistory()")
    page.until(lambda: page.text("lag-word") == "behind for 30 min")
    page.stage.lags(5, unapplied=5)
    page.shows("lag-word", "keeping up")
    assert page.complaints() == []


def test_the_highest_lag_is_never_below_the_present_one(page: DashboardPage):
    page.stage.has_history(hours=1, lag=20)
    page.stage.steps.pop()  # the history is a little late
    page.stage.lags(208, unapplied=5)
    page.open()
    page.shows("lag-chart", "Highest: lag 3 min 28 s at ")
    page.shows("lag", "3 min 28 s")


def test_a_process_that_took_over_says_so_for_an_hour(page: DashboardPage):
    page.stage.has_history(hours=1)
    taken = NOW - timedelta(minutes=4)
    page.stage.steps = [
        page.stage.step(each.at, each.seconds, PipelineState.STANDBY if each.at < taken else each.state, 0.4)
        for each in page.stage.steps
    ]
    page.stage.shown.update(process="mirror-2", active="mirror-2", active_since=taken)
    page.open()
    page.shows("alerts", "This process took over 4 min ago, at 23 Nov 2026, 10:11:00 UTC")
    page.shows("process", "mirror-2")
    page.shows("active-since", "10:11:00 UTC")
    page.shows("lag-chart", "line: this process took over")
    page.stage.shown["active_since"] = NOW - timedelta(minutes=61)
    page.until(lambda: page.text("alerts") == "")
    page.stage.shown["process"] = None  # an older service
    page.until(lambda: not page.find("process-row").is_displayed())
    assert page.complaints() == []


def test_who_replicates_since_its_start_took_nothing_over(page: DashboardPage):
    page.stage.has_history(hours=1)
    page.stage.shown.update(process="mirror-1", active="mirror-1", active_since=NOW - timedelta(minutes=14))
    page.open()
    page.shows("active-since", "10:01:00 UTC")
    page.until(lambda: page.run("return steps.length > 0"))
    assert page.text("alerts") == ""
