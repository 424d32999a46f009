"""Dead letters on the dashboard: grouped by cause and by key, redriven and discarded one by one and together."""

from __future__ import annotations

import asyncio

import pytest

from service.operations.console import ConflictError
from service.operations.documents.jobs import JobState
from tests.support.installed.dashboard_page import DashboardPage

TOO_LARGE = "DynamoDB's limit is 400 KB"


@pytest.fixture
def seven(page: DashboardPage) -> DashboardPage:
    """Seven letters of two causes."""
    page.stage.has_letters(7)
    page.open()
    page.shows("letters", "customer-00006")
    return page


def groups(page: DashboardPage) -> list[str]:
    seen = "[...document.querySelectorAll('#letters > li > * > summary')].filter((each) => each.checkVisibility())"
    found: list[str] = page.run(f"return {seen}.map((each) => each.innerText)")
    return found


def test_they_are_grouped_by_cause_or_by_key_with_their_counts(seven: DashboardPage):
    by_cause = groups(seven)
    assert [each.split(maxsplit=2)[:2] for each in by_cause] == [["4", "changes"], ["3", "changes"]]
    assert TOO_LARGE in by_cause[0]
    seven.shows("letters", 'customer = "customer-00000", order = 1000')
    seven.run("document.getElementById('by-key').click()")
    assert len(groups(seven)) == 7
    assert groups(seven)[0] == 'customer = "customer-00000", order = 1000 1 cause'
    assert seven.complaints() == []


def test_a_cause_is_told_once_and_its_letters_are_as_wide_as_its_heading(seven: DashboardPage):
    found = seven.run("""
        const group = document.querySelector("#letters > li");
        const edge = (each) => Math.round(each.getBoundingClientRect().right);
        return [group.innerText, ...[...group.querySelectorAll(".buttons")].map(edge)];
    """)
    told, *edges = found
    assert told.count(TOO_LARGE) == 1
    assert len(set(edges)) == 1


def test_on_a_phone_all_of_a_cause_are_redriven_before_its_letters(page: DashboardPage):
    page.use_a_phone()
    page.stage.has_letters(7)
    page.open()
    page.shows("letters", "customer-00006")
    tops = page.run("""
        const group = document.querySelector("#letters > li");
        return [...group.querySelectorAll(".buttons")].map((each) => each.getBoundingClientRect().top);
    """)
    assert tops == sorted(tops)
    assert tops[0] < page.run("return document.querySelector('#letters .letter').getBoundingClientRect().top")
    assert page.overflow() == []


def test_a_cause_that_the_document_knows_has_its_own_advice(page: DashboardPage):
    page.stage.has_letters(2)
    for letter in page.stage.letters.values():
        letter["error"] = "the transform raised KeyError: 'email' (shop_fields.py, line 2)"
    page.open()
    page.shows(
        "letters", 'What to do: correct the transform, restart the process (with all its pipelines), then "Redrive…".'
    )
    assert page.text("letters-advice") == "", "the general one says no more"


def test_a_cause_whose_numbers_differ_is_one_and_many_letters_are_folded(page: DashboardPage):
    page.stage.has_letters(60)
    for at, letter in enumerate(page.stage.letters.values()):
        letter["error"] = f"The item has {at} bytes too many."
    page.open()
    page.shows("letters", "60 changes")
    assert "customer-00000" not in page.text("letters")
    page.run("document.querySelector('#letters summary').click()")
    page.shows("letters", "customer-00007")
    assert "customer-00008" not in page.text("letters")
    page.click_in("letters", "Show more")
    page.shows("letters", "customer-00039")


def test_one_is_redriven_and_the_list_is_true_at_once(seven: DashboardPage):
    seven.click_in("letters", "Redrive…")
    seven.confirm()
    seven.shows("letters", "1 written, 0 not needed any more, 0 refused again.")
    assert "customer-00000" not in seven.text("letters")
    assert groups(seven)[0].startswith("3 changes The item is")
    assert seven.text("messages") == "", "the notice stands beside the button"
    seven.shows("letter-count", "6")
    assert seven.changes_asked("redrive") == [{"ids": ["letter-0000"]}]


def test_a_whole_cause_is_redriven_and_its_notice_stays_where_it_was(seven: DashboardPage):
    seven.click_in("letters", "Redrive all 4")
    seven.shows("confirmation-title", "Redrive 4 dead letters?")
    seven.confirm()
    seven.shows("letters", "4 written")
    assert [each.split(maxsplit=2)[0] for each in groups(seven)] == ["3"]
    assert seven.changes_asked("redrive") == [{"ids": [f"letter-000{number}" for number in (0, 2, 4, 6)]}]
    seven.click("redrive-all")
    seven.confirm()
    seven.shows("letters-notice", "3 written")
    seven.shows("letter-count", "0")
    seven.click_in("letters-notice", "Dismiss")
    seven.click_in("letters", "Dismiss")
    seven.until(lambda: not seven.find("letters-panel").is_displayed())


def test_more_than_one_call_takes_are_redriven_in_several(page: DashboardPage):
    page.stage.has_letters(260)
    page.open()
    page.shows("letters", "130 changes")
    page.click_in("letters", "Redrive all 130")
    page.confirm()
    page.shows("letters", "130 written")
    assert [len(asked["ids"]) for asked in page.changes_asked("redrive")] == [100, 30]  # type: ignore[arg-type]


def test_one_that_takes_long_is_followed_to_its_end(seven: DashboardPage):
    seven.stage.held = asyncio.Event()  # it goes on as a job
    seven.click_in("letters", "Redrive all 4")
    seven.confirm()
    seven.shows("letters", "goes on: 4 written")
    (job_id,) = seven.stage.jobs_begun
    ended = {"state": JobState.DONE, "redriven": 3, "failed": 1}
    seven.stage.jobs_begun[job_id] = seven.stage.jobs_begun[job_id].model_copy(update=ended)
    seven.shows("letters", "3 written, 0 not needed any more, 1 refused again.")


def test_one_and_all_of_a_cause_are_discarded(seven: DashboardPage):
    seven.click_in("letters", "Discard…")
    seven.until(lambda: seven.is_open("confirmation"))
    assert seven.focused() == "confirmation-cancel"
    seven.confirm()
    seven.shows("letters", "Discarded customer = ")
    seven.shows("letter-count", "6")
    seven.click_in("letters", "Discard all 3")
    seven.stage.letters.pop("letter-0002")  # somebody else's, at the same moment
    seven.confirm()
    seven.shows("letters", "Discarded 3.")
    seven.shows("letter-count", "3")


def test_a_refused_redrive_says_why(seven: DashboardPage):
    seven.stage.refusal = ConflictError("the pipeline is paused, and writes nothing: resume it, then redrive")
    seven.click("redrive-all")
    seven.confirm()
    seven.shows("confirmation-problem", "resume it, then redrive")
