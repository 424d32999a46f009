"""Jobs on the dashboard: who started them, how fast they are, and their end by somebody's hand."""

from __future__ import annotations

import pytest

from service.operations.console import ConflictError
from service.operations.documents.jobs import JobState, RedriveFailure, Redriving, StartedBy
from tests.fakes.console import NOW
from tests.support.installed.dashboard_page import DashboardPage


@pytest.fixture
def running(page: DashboardPage) -> DashboardPage:
    page.stage.has_jobs()
    page.open()
    page.shows("jobs", "s1 began by an admin")
    return page


def test_a_job_is_cancelled_after_a_question(running: DashboardPage):
    running.click_in("jobs", "Cancel")
    running.shows("confirmation-text", "never taken up again")
    assert running.focused() == "confirmation-cancel"
    running.click("confirmation-cancel")
    assert all(job.state is not JobState.CANCELLED for job in running.stage.jobs_begun.values())
    running.click_in("jobs", "Cancel")
    running.confirm()
    running.shows("jobs-notice", "is cancelled.")
    running.shows("jobs-text", "2 running")
    assert running.complaints() == []


def test_two_who_cancel_at_once_are_both_told_that_it_is_cancelled(running: DashboardPage):
    running.click_in("jobs", "Cancel")
    running.shows("confirmation-title", "Cancel this")
    for job_id in ("s1", "v1", "r1"):
        running.stage.jobs_begun[job_id] = running.stage.jobs_begun[job_id].model_copy(
            update={"state": JobState.CANCELLED}
        )
    running.confirm()
    running.shows("jobs-notice", "had ended already: cancelled.")


def test_one_that_can_t_be_cancelled_says_why(running: DashboardPage):
    def refuse(name: str, **_: object) -> None:
        if name.startswith("cancel"):
            raise ConflictError("the replica is not complete without it: pause the pipeline instead")

    running.stage._ask = refuse  # type: ignore[method-assign]  # refuses cancels alone
    running.click_in("jobs", "Cancel")
    running.confirm()
    running.shows("confirmation-problem", "pause the pipeline instead")


def test_its_rate_and_the_time_left_are_told_and_who_started_it(running: DashboardPage):
    told = {"started_by": StartedBy.GAP, "per_second": 812.4, "seconds_left": 1098.2}
    running.stage.jobs_begun["s1"] = running.stage.jobs_begun["s1"].model_copy(update=told)
    running.run("void pollJobs()")
    running.shows("jobs", "s1 began to mend a gap 23 Nov 2026, 10:11:00 UTC, 812/s, about 18 min 19 s left")
    running.stage.jobs_begun["s1"] = running.stage.jobs_begun["s1"].model_copy(update={"seconds_left": None})
    running.run("void pollJobs()")
    running.shows("jobs", "UTC, 812/s\n")


def test_a_redrive_says_which_letters_were_refused_and_why(page: DashboardPage):
    failures = [RedriveFailure(id="000001100000000017454423009", error="the item is too large")]
    page.stage.jobs_begun["d1"] = Redriving(id="d1", state=JobState.DONE, started_at=NOW, failed=1, failures=failures)
    page.open()
    page.shows("jobs", "1 refused again")
    page.unfold("1 refused letter")
    page.shows("jobs", "000001100000000017454423009: the item is too large")
