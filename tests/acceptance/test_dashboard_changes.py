"""What the dashboard changes after a confirmation: pause and resume, jobs, and dead letters."""

from __future__ import annotations

from selenium.webdriver import Keys

from service.operations.console import ConflictError, TrimmedAlreadyError
from service.operations.documents.jobs import JobState
from tests.fakes.dashboard_console import NUMBER
from tests.support.installed.dashboard_page import DashboardPage


def test_pause_and_resume_work_after_a_confirmation(page: DashboardPage):
    page.open()
    page.shows("state", "Running")
    page.click("pause")
    page.shows("confirmation-title", "Pause replication?")
    page.click("confirmation-cancel")
    assert page.changes_asked("pause") == []
    page.click("pause")
    page.confirm()
    page.shows("state", "Paused")
    page.shows("messages", "Paused. No write is in flight.")
    page.click("resume")
    page.confirm()
    page.shows("state", "Running")
    assert len(page.changes_asked("pause")) == len(page.changes_asked("resume")) == 1
    assert page.complaints() == []


def test_a_pause_takes_only_the_keyboard(page: DashboardPage):
    page.open()
    page.shows("state", "Running")
    page.tab_to("pause")
    assert page.is_focus_visible()
    page.press(Keys.ENTER)
    page.until(lambda: page.is_open("confirmation"))
    assert page.focused() == "confirmation-go"
    page.press(Keys.ESCAPE)
    page.until(lambda: not page.is_open("confirmation"))
    assert page.focused() == "pause"
    page.press(Keys.ENTER)
    page.until(lambda: page.is_open("confirmation"))
    page.press(Keys.ENTER)
    page.shows("state", "Paused")
    page.until(lambda: not page.is_open("confirmation"))
    assert page.focused() == "pause"
    page.press(Keys.ENTER)  # it is paused: the button keeps the focus and does nothing
    assert not page.is_open("confirmation")


def test_a_refused_change_says_why_and_may_be_tried_again(page: DashboardPage):
    page.stage.refusal = ConflictError("Another process replicates; ask that one.")
    page.open()
    page.click("pause")
    page.confirm()
    page.shows("confirmation-problem", "Another process replicates; ask that one.")
    page.stage.refusal = None
    page.confirm()
    page.shows("state", "Paused")


def test_a_replay_begins_where_the_form_says(page: DashboardPage):
    page.open()
    page.click("replay")
    page.confirm()
    page.shows("confirmation-problem", "Give a sequence number")
    page.field("sequence_number").send_keys(NUMBER)
    page.field("dry_run").click()
    page.confirm()
    page.shows("messages", "Dry run")
    page.shows("jobs", f"from {NUMBER}, dry run")
    page.click("replay")
    page.run("document.querySelector('#confirmation-form [value=from]').click()")
    page.confirm()
    page.shows("jobs", "from the trim horizon")
    page.click("replay")
    page.run("document.querySelector('#confirmation-form [value=from_time]').click()")
    page.run("document.querySelector('#confirmation-form [name=from_time]').value = '2026-11-23T09:30:00'")
    page.confirm()
    page.until(lambda: len(page.changes_asked("replay")) == 3)
    by_number, from_horizon, by_time = page.changes_asked("replay")
    assert (by_number["sequence_number"], by_number["dry_run"]) == (NUMBER, True)
    assert (from_horizon["from_"], from_horizon["dry_run"]) == ("trim_horizon", False)
    assert str(by_time["from_time"]) == "2026-11-23 09:30:00+00:00"


def test_a_trimmed_replay_offers_the_oldest_record_that_is_left(page: DashboardPage):
    page.stage.refusal = TrimmedAlreadyError("That record is trimmed already.", NUMBER)
    page.open()
    page.click("replay")
    page.field("sequence_number").send_keys("1")
    page.confirm()
    page.shows("confirmation-problem", "trimmed already")
    page.click_in("confirmation-problem", "Use the oldest")
    assert page.field("sequence_number").get_attribute("value") == NUMBER


def test_snapshot_and_verification_begin_and_show_their_progress(page: DashboardPage):
    page.open()
    page.click("snapshot")
    page.confirm()
    page.shows("jobs", "Snapshot")
    page.click("verify")
    page.field("repair").click()
    page.confirm()
    page.shows("jobs", "with repair")
    assert page.changes_asked("verify") == [{"repair": True, "sample": None}]
    page.shows("jobs-text", "2 running")


def test_jobs_show_how_far_they_are_and_what_came_of_them(page: DashboardPage):
    page.stage.has_jobs()
    page.open()
    page.shows("jobs", "312,000 scanned (about 25 %)")
    page.shows("jobs", "running, with repair")
    values = page.run("return [...document.querySelectorAll('#jobs progress')].map((bar) => bar.position.toFixed(2))")
    assert {"0.26", "0.67", "-1.00"} <= set(values)
    page.click("more-jobs")
    page.shows("jobs", "The stream was re-created meanwhile.")
    page.unfold("3 differing keys")
    page.shows("jobs", 'missing: customer = "customer-00000"')
    shape = "(job) => [job.innerText, job.querySelector('use').getAttribute('href')]"
    icons = page.run(f"return [...document.querySelectorAll('#jobs .job')].map({shape})")
    (verified,) = [icon for text, icon in icons if text.startswith("Verification done, 3 differences left")]
    assert verified == "#icon-warning"
    page.stage.jobs_begun["s1"] = page.stage.jobs_begun["s1"].model_copy(
        update={"items_scanned": 20_000, "items_estimated": 1}
    )
    page.shows("jobs", "20,000 scanned ·")
    bars = "return [...document.querySelectorAll('#jobs .job')].find((job) => job.innerText.startsWith('Snapshot'))"
    assert page.run(f"{bars}.querySelector('progress').position") == -1, "an estimate that is passed tells nothing"
    page.stage.jobs_begun["s1"] = page.stage.jobs_begun["s1"].model_copy(update={"state": JobState.DONE})
    page.shows("jobs-text", "2 running")
