"""What to do about what the dashboard tells: beside it, in the words of docs/troubleshooting.md."""

from __future__ import annotations

import pytest
from selenium.webdriver.common.by import By

from service.operations.documents.jobs import JobState, Replay
from service.operations.documents.status import GapStatus, PipelineState
from tests.fakes.console import NOW
from tests.support.installed.dashboard_page import DashboardPage


def test_a_warning_a_gap_dead_letters_and_a_job_s_error_have_their_next_step_beside_them(page: DashboardPage):
    gone = "shard shardId-1 is gone from the stream before it was read to its end"
    denied = (
        "Scan on the table orders failed: AccessDeniedException; allow dynamodb:Scan on it to the credentials in use"
    )
    page.stage.warnings = [
        "the replica throttles: its capacity is below what the stream brings; raise it, or wait",
        denied,
    ]
    page.stage.state, page.stage.reason = PipelineState.FAILED, gone
    gap = GapStatus(shard_id="shardId-1", after_sequence_number=None, detected_at=NOW, reason=gone)
    page.stage.shown["gaps"] = [gap]
    page.stage.has_letters(1)
    error = "another process has taken the pipeline over"
    page.stage.jobs_begun["r1"] = Replay(id="r1", state=JobState.FAILED, started_at=NOW, error=error)
    page.open()
    page.shows(
        "alerts", "What to do: raise its write capacity, or the limit that AWS names in the sentence; the writers"
    )
    page.shows("alerts", "What to do: allow it, as deploy/iam/ lists; it continues automatically.")
    what = "a snapshot, which removes from the replica what the source does not have"
    page.shows("alerts", f"What to do: {what}. Why: a shard with unread records is no longer listed.")
    page.shows("alerts", "(docs/troubleshooting.md, Gaps)")
    page.shows("alerts", "1 change could not be written: see them and their causes.")
    page.shows("letters-advice", 'then "Redrive…", which never overwrites a newer state; or discard them, for good')
    page.shows("jobs", "What to do: dynamirror jobs shows it.")
    assert page.text("state-advice") == "", "it is told above"


@pytest.mark.parametrize("is_phone", [False, True])
def test_the_advice_leads_to_its_section_of_the_document(page: DashboardPage, is_phone: bool):
    if is_phone:
        page.use_a_phone()
    page.stage.warnings = ["the replica throttles: its capacity is below what the stream brings; raise it, or wait"]
    page.open()
    page.shows("alerts", "What to do: raise its write capacity, or the limit that AWS names in the sentence;")
    link = page.driver.find_element(By.LINK_TEXT, "docs/troubleshooting.md, Warnings")
    page.driver.get(str(link.get_attribute("href")))
    assert page.address.endswith("/troubleshooting#warnings")
    page.shows("warnings", "Warnings")
    top = "return document.getElementById('warnings').getBoundingClientRect().top"
    assert 0 <= page.run(top) < 200, "it is scrolled to"
    assert page.overflow() == []
    assert page.complaints() == []


@pytest.mark.parametrize(
    ("state", "reason", "advice"),
    [
        (PipelineState.FAILED, "the replica table belongs to the pipeline 'a'", "name another replica table"),
        (
            PipelineState.RUNNING,
            "the replica refuses all writes: AccessDeniedException",
            "give the right that the sentence names",
        ),
        (PipelineState.PAUSED, None, '"Resume…" before the lag is 24 hours'),
        (PipelineState.FAILED, "UnknownCode: never heard of", "correct it and restart"),
        (PipelineState.RUNNING, None, ""),
    ],
)
def test_a_state_has_it_by_its_reason_or_by_itself(page: DashboardPage, state, reason, advice):
    page.stage.state, page.stage.reason = state, reason
    page.open()
    page.shows("role", "active")
    page.shows(
        "state", "Running, in trouble" if reason and state is PipelineState.RUNNING else state.value.capitalize()
    )
    assert advice in page.text("state-advice")
    assert bool(page.text("state-advice")) == bool(advice)


def test_a_standby_that_lost_its_lease_is_in_trouble_only_while_it_knows_of_no_other_process(page: DashboardPage):
    page.stage.stands_by()
    page.stage.reason = "the lease could not be renewed in time; another process may own the pipeline: GetItem failed"
    page.open()
    page.shows("reason", "The lease could not be renewed in time")
    page.shows("state-advice", "none: it takes over when that process is gone")
    assert page.text("state") == "Standing by"
    page.stage.shown["active"] = None
    page.shows("state", "Standing by, in trouble")
    page.shows("state-advice", "ask the control table from this machine")


def test_a_command_names_the_tables_of_the_pipeline_that_is_shown(page: DashboardPage):
    page.stage.warnings = [
        "the replica throttles: its capacity is below what the stream brings; raise it, or wait",
        "the control table throttles: UpdateItem on the control table of-orders failed: ThrottlingException",
    ]
    page.open()
    where = "--table-name replica-table --region"
    page.shows("alerts", f"What it has now: aws dynamodb describe-table {where} us-west-2 --query")
    page.shows("alerts", "aws dynamodb update-table --table-name of-orders --region us-west-2 --billing-mode")
    assert page.complaints() == []
