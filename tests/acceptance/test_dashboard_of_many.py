"""The dashboard of several pipelines in headless Chromium: worst first, found by a search, each with its page."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from selenium.webdriver.common.by import By

from service.operations.documents.fleet import LeftOut
from service.operations.documents.status import PipelineState
from tests.fakes.api import ADMIN
from tests.fakes.consoles import FakeConsoles
from tests.fakes.dashboard_console import Stage
from tests.support.installed.dashboard_page import DashboardPage


def fleet_of(*names: str) -> FakeConsoles:
    """All caught up."""
    consoles = FakeConsoles(*names)
    for name in names:
        consoles.consoles[name] = Stage()
        stage(consoles, name).catches_up()
    return consoles


def stage(consoles: FakeConsoles, name: str) -> Stage:
    found = consoles.consoles[name]
    assert isinstance(found, Stage)
    return found


def rows(page: DashboardPage) -> list[str]:
    return [each.text for each in page.find("fleet").find_elements(By.TAG_NAME, "a")]


def test_the_worst_is_on_top_with_its_reason(page: DashboardPage):
    consoles = fleet_of(
        *["a-well", "b-paused", "c-letters", "d-late", "e-later", "f-stuck", "g-failed", "h-unknown", "i-warned"]
    )
    stage(consoles, "b-paused").state = PipelineState.PAUSED
    stage(consoles, "b-paused").lags(600, unapplied=0)  # one that somebody forgot is behind too
    stage(consoles, "c-letters").add_letter("a")
    stage(consoles, "d-late").lags(60, unapplied=1)
    stage(consoles, "e-later").lags(600, unapplied=1)
    stage(consoles, "f-stuck").reason = "no write to the replica has succeeded for 45 s"
    stage(consoles, "g-failed").state = PipelineState.FAILED
    stage(consoles, "g-failed").reason = "the replica table does not exist"
    stage(consoles, "h-unknown").lags(None)
    stage(consoles, "i-warned").warnings = ["the replica throttles"]
    page.open(consoles=consoles)
    page.shows("pipeline", "9 pipelines")
    assert rows(page) == [
        "g-failed",
        "f-stuck",
        "b-paused",
        "e-later",
        "d-late",
        "c-letters",
        "i-warned",
        "a-well",
        "h-unknown",
    ]
    page.shows("tables", "1 failed, 1 in trouble, 1 paused, 2 behind, 1 with dead letters, 1 with warnings")
    page.shows("fleet", "the replica table does not exist")
    page.shows("fleet", "paused, 23 h 50 min left")
    page.shows("fleet", "changes could not be written")
    assert "1 failed" in page.title
    stage(consoles, "a-well").state = PipelineState.FAILED
    page.until(lambda: rows(page)[:2] == ["a-well", "g-failed"])
    assert page.complaints() == []


def test_a_pause_is_told_with_its_age_and_what_is_left(page: DashboardPage):
    consoles = fleet_of("audit", "orders")
    stage(consoles, "audit").state = PipelineState.PAUSED
    stage(consoles, "audit").lags(9 * 3600 + 170)
    stage(consoles, "audit").shown["paused_since"] = datetime.now(UTC) - timedelta(hours=9, seconds=30)
    page.open(consoles=consoles)
    page.shows("fleet", "paused 9 h ago, 14 h 57 min left")
    stage(consoles, "audit").lags(None)
    page.shows("fleet", "paused 9 h ago, 14 h 59 min left")


def test_a_long_reason_is_cut_and_told_whole_where_one_points(page: DashboardPage):
    page.use_a_phone()
    consoles = fleet_of("audit", "orders")
    stage(consoles, "orders").reason = why = "the replica refuses all writes: " + "AccessDeniedException, " * 30
    page.open(consoles=consoles)
    page.shows("fleet", "Running, in trouble")
    seen = page.driver.find_element(By.CSS_SELECTOR, "#fleet .why")
    assert seen.size["height"] < 80
    assert seen.get_attribute("title") == why


def test_a_gap_is_called_one_before_what_may_be_cut(page: DashboardPage):
    consoles = fleet_of("audit", "orders")
    stage(consoles, "orders").state = PipelineState.FAILED
    stage(consoles, "orders").reason = f"the shard shardId-{'0' * 40} is gone; a snapshot mends it: POST /snapshot"
    page.open(consoles=consoles)
    page.shows("fleet", "history is missing, a snapshot mends it; the shard")


def test_each_leads_to_a_page_of_its_own_that_asks_and_changes_that_pipeline_alone(page: DashboardPage):
    consoles = fleet_of("orders", "users/eu")
    page.open(consoles=consoles, admin_token=ADMIN)
    page.until(lambda: page.is_open("token-dialog"))
    page.find("token").send_keys(ADMIN + "\n")
    page.until(lambda: rows(page) == ["orders", "users/eu"])
    page.find("fleet").find_elements(By.TAG_NAME, "a")[1].click()
    page.shows("state", "Running")
    page.click("pause")
    page.confirm()
    page.shows("state", "Paused")
    assert "pause" in [asked for asked, _ in consoles.consoles["users/eu"].asked]
    assert consoles.consoles["orders"].asked == []
    page.click("to-all")
    page.until(lambda: rows(page) == ["users/eu", "orders"])
    assert page.complaints(network=False) == []


def test_the_page_follows_a_reload_from_one_pipeline_to_two_and_back(page: DashboardPage):
    consoles = fleet_of("orders")
    page.open(consoles=consoles)
    page.shows("state", "Running")
    assert not page.find("fleet-panel").is_displayed()
    consoles.consoles["users"] = Stage()
    page.until(lambda: rows(page) == ["orders", "users"])
    assert not page.find("state-panel").is_displayed()
    del consoles.consoles["orders"]
    page.shows("state", "Running")
    assert not page.find("fleet-panel").is_displayed()


def test_two_hundred_are_cut_and_found_by_a_search(page: DashboardPage):
    consoles = fleet_of(*(f"table-{number:03}" for number in range(200)))
    consoles.not_replicated = [LeftOut(table="prod-x", reason="it has no stream")]
    page.open(consoles=consoles)
    page.until(lambda: len(rows(page)) == 50)
    page.click("more-fleet")
    page.until(lambda: len(rows(page)) == 200)
    page.find("fleet-search").send_keys("le-19")
    page.until(lambda: rows(page) == [f"table-19{digit}" for digit in range(10)])
    page.shows("fleet-text", "10 of 200")
    page.unfold("1 discovered table without a pipeline")
    page.shows("left-out", "prod-x: it has no stream")
    stage(consoles, "table-007").state = PipelineState.FAILED
    page.find("fleet-search").clear()
    page.find("fleet-search").send_keys("failed")
    page.until(lambda: rows(page) == ["table-007"])


def test_a_phone_of_360_pixels_needs_no_sideways_scrolling(page: DashboardPage):
    page.use_a_phone()
    consoles = fleet_of(*(f"a-table-with-a-long-name-{number}--and-its-replica-has-one-too" for number in range(60)))
    for console in consoles.consoles.values():
        console.reason = "no write to the replica has succeeded: ProvisionedThroughputExceededException"
    page.open(consoles=consoles)
    page.until(lambda: len(rows(page)) == 50)
    assert page.overflow() == []


def test_what_a_reason_says_is_never_markup(page: DashboardPage):
    consoles = fleet_of("orders", "users")
    stage(consoles, "users").reason = "<img src=x onerror=alert(1)>"
    page.open(consoles=consoles)
    page.shows("fleet", "<img src=x onerror=alert(1)>")
    assert page.complaints() == []
