"""What the service would refuse is not offered on the page, and the reason stands beside it."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from tests.support.installed.dashboard_page import DashboardPage

RUNS = "the replay 20261123T101500-3f9c runs already, and there can be only one: wait, or cancel it"
ELSEWHERE = "this process does not replicate now (it is standby); ask the active one, mirror-1, or wait"


def test_a_call_that_would_be_refused_can_t_be_clicked_and_the_reason_is_told(page: DashboardPage):
    page.stage.shown["refused"] = {"replay": RUNS}
    page.open()
    page.shows("refused", f"Replay: {RUNS}.")
    page.click("replay")
    assert not page.is_open("confirmation")
    assert page.attribute("replay", "aria-disabled") == "true"
    assert page.attribute("replay", "title") == RUNS
    page.stage.shown["refused"] = {}
    page.until(lambda: page.attribute("replay", "aria-disabled") == "false")
    assert page.text("refused") == ""
    page.click("replay")
    page.shows("confirmation-title", "Replay the stream?")
    assert page.complaints() == []


def test_on_a_standby_no_job_is_begun_nor_cancelled_and_no_letter_redriven(page: DashboardPage):
    page.stage.stands_by()
    page.stage.has_jobs()
    page.stage.has_letters(2)
    page.stage.shown["refused"] = dict.fromkeys(("replay", "snapshot", "verify", "redrive"), ELSEWHERE)
    page.open()
    page.shows("refused", f"Replay, Snapshot, Verify, Redrive: {ELSEWHERE}.")
    page.shows("jobs-text", "3 running")
    page.until(lambda: page.attribute("redrive-all", "aria-disabled") == "true")
    page.until(lambda: "Cancel" not in page.text("jobs"))
    made = page.run("return makeLetter({...lettersSeen[0]}).querySelector('[data-call]').ariaDisabled")
    assert made == "true", "of one that comes between two looks at the status, too"
    page.click_in("letters", "Redrive")
    page.click("verify")
    assert not page.is_open("confirmation")
    page.click("pause")  # a standby keeps it in the lease
    page.shows("confirmation-title", "Pause replication?")


def test_a_standby_offers_of_pause_and_resume_the_one_that_would_do_something(page: DashboardPage):
    def idle() -> dict[str, str | None]:
        return {name: page.attribute(name, "title") for name in ("pause", "resume")}

    page.stage.stands_by()
    page.open()
    page.until(lambda: idle() == {"pause": "", "resume": "it is not paused"})
    page.stage.shown["paused_since"] = datetime(2026, 11, 23, 10, tzinfo=UTC)
    page.until(lambda: idle() == {"pause": "it is paused", "resume": ""})
    page.click("pause")
    assert not page.is_open("confirmation")
    page.click("resume")  # in the lease, which the active process follows
    page.shows("confirmation-title", "Resume replication?")
    page.stage.shown.update(paused_since=None, active=None)
    page.until(lambda: idle() == {"pause": "", "resume": ""})  # nobody knows


@pytest.mark.parametrize("needed", [False, True])
def test_a_snapshot_that_the_replica_needs_has_no_cancel_button(page: DashboardPage, needed: bool):
    page.stage.has_jobs()
    for name in ("v1", "r1"):
        del page.stage.jobs_begun[name]
    page.stage.jobs_begun["s1"] = page.stage.jobs_begun["s1"].model_copy(update={"needed": needed})
    page.open()
    page.shows("jobs", "s1 began by an admin")
    assert ("Cancel" in page.text("jobs")) != needed
    assert ("can't be cancelled, a pause stops it" in page.text("jobs")) == needed


def test_the_reasons_fit_on_a_phone(page: DashboardPage):
    page.use_a_phone()
    page.stage.shown["refused"] = {"replay": RUNS, "verify": ELSEWHERE}
    page.open()
    page.shows("refused", "Verify:")
    assert page.overflow() == []


def test_of_a_pipeline_that_could_not_start_nothing_is_offered(page: DashboardPage):
    calls = ("pause", "resume", "replay", "snapshot", "verify", "redrive")
    why = "the pipeline could not start, and is started again by itself: the table orders does not exist"
    page.stage.shown["refused"] = dict.fromkeys(calls, why)
    page.open()
    page.shows("refused", f"Pause, Resume, Replay, Snapshot, Verify, Redrive: {why}.")
    for name in calls[:-1]:
        page.click(name)
        assert not page.is_open("confirmation")
