"""The dashboard in headless Chromium, on the real server: what it shows, what it changes, and how it fails."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta

import pytest
from selenium.webdriver import Chrome, Keys

from service.operations.console import ConflictError, TrimmedAlreadyError
from service.operations.documents.jobs import JobState
from service.operations.documents.status import PipelineState, RatesStatus
from tests.fakes.console import NOW
from tests.fakes.dashboard_console import GAP, RETENTION
from tests.servers.browser import chromium
from tests.support.installed.dashboard_page import DashboardPage

ADMIN = "the-admin-token"
READ = "the-read-token"
NUMBER = "1100000000017454423009"


@pytest.fixture(scope="module")
def driver() -> Iterator[Chrome]:
    with chromium() as found:
        yield found


@pytest.fixture
def page(driver: Chrome) -> Iterator[DashboardPage]:
    made = DashboardPage(driver)
    yield made
    made.close()


def changes_asked(page: DashboardPage, name: str) -> list[dict[str, object]]:
    return [values for asked, values in page.stage.asked if asked == name]


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


def test_its_chart_grows_with_each_status(page: DashboardPage):
    page.stage.lags(30, unapplied=5)
    page.open()
    page.until(lambda: (page.attribute("line", "d") or "").count("L") >= 2)
    page.shows("chart-text", "Highest 30 s")
    assert "now 30 s, highest 30 s" in str(page.attribute("chart", "aria-label"))


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


def test_since_when_it_is_paused_is_told(page: DashboardPage):
    page.stage.state = PipelineState.PAUSED
    page.stage.shown["paused_since"] = NOW - timedelta(hours=3)
    page.open()
    page.shows("paused-since", "3 h ago")
    page.stage.state = PipelineState.RUNNING
    page.stage.shown["paused_since"] = None
    page.until(lambda: not page.find("paused-row").is_displayed())


def test_pause_and_resume_work_after_a_confirmation(page: DashboardPage):
    page.open()
    page.shows("state", "Running")
    page.click("pause")
    page.shows("confirmation-title", "Pause replication?")
    page.click("confirmation-cancel")
    assert changes_asked(page, "pause") == []
    page.click("pause")
    page.confirm()
    page.shows("state", "Paused")
    page.shows("messages", "Paused. No write is in flight.")
    page.click("resume")
    page.confirm()
    page.shows("state", "Running")
    assert len(changes_asked(page, "pause")) == len(changes_asked(page, "resume")) == 1
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
    page.until(lambda: len(changes_asked(page, "replay")) == 3)
    by_number, from_horizon, by_time = changes_asked(page, "replay")
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
    assert changes_asked(page, "verify") == [{"repair": True, "sample": None}]
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
    page.stage.jobs["s1"] = page.stage.jobs["s1"].model_copy(update={"items_scanned": 20_000, "items_estimated": 1})
    page.shows("jobs", "20,000 scanned ·")
    bars = "return [...document.querySelectorAll('#jobs .job')].find((job) => job.innerText.startsWith('Snapshot'))"
    assert page.run(f"{bars}.querySelector('progress').position") == -1, "an estimate that is passed tells nothing"
    page.stage.jobs["s1"] = page.stage.jobs["s1"].model_copy(update={"state": JobState.DONE})
    page.shows("jobs-text", "2 running")


def test_dead_letters_show_their_causes_and_can_be_redriven_and_discarded(page: DashboardPage):
    page.stage.has_letters(7)
    page.open()
    page.shows("letter-count", "7")
    page.shows("letters", 'customer = "customer-00000", order = 1000')
    page.shows("letters", "DynamoDB's limit is 400 KB")
    page.click("more-letters")
    page.shows("letters", "customer-00006")
    page.click_in("letters", "Redrive")
    page.confirm()
    page.shows("messages", "1 written")
    page.shows("letter-count", "6")
    page.click_in("letters", "Discard")
    page.until(lambda: page.is_open("confirmation"))
    assert page.focused() == "confirmation-cancel"
    page.confirm()
    page.shows("letter-count", "5")
    page.click("redrive-all")
    page.confirm()
    page.shows("letter-count", "0")
    assert changes_asked(page, "redrive") == [{"ids": ["letter-0000"]}, {"ids": None}]
    assert changes_asked(page, "discard") == [{"letter_id": "letter-0001"}]


def test_a_gap_and_a_warning_stand_above_everything(page: DashboardPage):
    page.stage.fails_with_a_gap()
    page.stage.warnings = [RETENTION]
    page.open()
    page.shows("state", "Failed")
    page.shows("alerts", GAP)
    page.shows("alerts", f"after {NUMBER}")
    page.shows("alerts", RETENTION)
    page.click_in("alerts", "Snapshot")
    page.shows("confirmation-title", "Copy the whole source table?")


def test_a_full_queue_is_told_in_words(page: DashboardPage):
    page.stage.fills_the_queue()
    page.open()
    page.shows("queue-records-text", "10,000 of 10,000 · 100 %")
    page.shows("queue-text", "Full")


def test_hundreds_of_shards_are_cut_and_the_closed_ones_folded(page: DashboardPage):
    page.stage.has_shards(200, closed=40)
    page.open()
    page.shows("shards-text", "200: 53 waiting for parent")

    def rows() -> list[list[str]]:
        script = (
            "return [...document.querySelectorAll('#shards tr')].map((row) => [...row.cells].map((c) => c.innerText))"
        )
        return page.run(script)

    assert len(rows()) == 30
    assert not any(row[1] == "closed" for row in rows())
    assert "failed" in [row[1] for row in rows()[:2]]
    page.click("closed-shards")
    page.click("more-shards")
    page.until(lambda: len(rows()) == 200)
    depths = page.run(
        "return [...document.querySelectorAll('#shards .name')].map((c) => c.style.getPropertyValue('--depth'))"
    )
    assert depths[:6] == ["0", "1", "1", "0", "1", "1"]
    page.click("closed-shards")
    page.until(lambda: len(rows()) == 160)


def test_what_a_record_says_is_never_markup(page: DashboardPage):
    page.stage.has_letters(1)
    hostile = "<img src=x onerror=alert(1)><script>alert(1)</script>"
    page.stage.letters["letter-0000"] |= {"error": hostile, "keys": {hostile: {"S": hostile}}}
    page.stage.warnings = [hostile]
    page.open()
    page.shows("letters", hostile)
    page.shows("alerts", hostile)
    assert page.run("return document.querySelectorAll('main img, main script').length") == 0
    assert page.complaints() == []


def test_without_a_token_it_asks_for_one_and_keeps_it_for_the_tab(page: DashboardPage):
    page.open(admin_token=ADMIN, read_token=READ)
    page.shows("connection", "A token is needed.")
    page.until(lambda: page.is_open("token-dialog"))
    assert page.focused() == "token"
    page.find("token").send_keys(ADMIN, Keys.ENTER)
    page.shows("state", "Running")
    assert not page.is_open("token-dialog")
    assert not page.find("connection").is_displayed()
    assert ADMIN not in page.address
    page.reload()
    page.shows("state", "Running")
    page.click("change-token")
    page.shows("connection", "A token is needed.")
    assert page.run("return sessionStorage.length") == 0
    assert page.complaints(network=False) == []


def test_a_wrong_token_is_called_wrong(page: DashboardPage):
    page.open(admin_token=ADMIN)
    page.until(lambda: page.is_open("token-dialog"))
    page.find("token").send_keys("a-guess", Keys.ENTER)
    page.shows("connection", "Wrong token.")
    page.until(lambda: page.is_open("token-dialog"))
    page.press(Keys.ESCAPE)
    page.click("enter-token")
    page.find("token").send_keys(ADMIN, Keys.ENTER)
    page.shows("state", "Running")


def test_an_expired_token_is_called_expired_and_the_old_numbers_are_dimmed(page: DashboardPage):
    page.open(admin_token=ADMIN)
    page.until(lambda: page.is_open("token-dialog"))
    page.find("token").send_keys(ADMIN, Keys.ENTER)
    page.shows("state", "Running")
    page.service.stop()
    page.serve(admin_token="another-token")
    page.shows("connection-title", "The token has expired.")
    assert page.text("reason") == "Last known: running."
    assert page.opacity("lag-panel") < 1
    page.until(lambda: page.is_open("token-dialog"))
    page.find("token").send_keys("another-token", Keys.ENTER)
    page.shows("state", "Running")
    assert page.opacity("lag-panel") == 1
    assert page.complaints(network=False) == []


def test_a_token_for_reading_shows_and_changes_nothing(page: DashboardPage):
    page.open(admin_token=ADMIN, read_token=READ)
    page.until(lambda: page.is_open("token-dialog"))
    page.find("token").send_keys(READ, Keys.ENTER)
    page.shows("state", "Running")
    page.click("pause")
    page.confirm()
    page.shows("confirmation-problem", "This token is for reading")
    assert changes_asked(page, "pause") == []


def test_an_unreachable_service_is_told_with_the_age_of_what_is_shown(page: DashboardPage):
    page.open()
    page.shows("state", "Running")
    page.service.stop()
    page.shows("connection", "Unreachable.")
    page.shows("connection-age", "The last good status is")
    page.shows("state", "Unreachable")
    assert page.text("reason") == "Last known: running."
    assert page.opacity("lag-panel") < 1
    assert "Unreachable" in page.title
    page.click("pause")
    page.confirm()
    page.shows("confirmation-problem", "The connection failed.")
    page.serve()
    page.until(lambda: not page.find("connection").is_displayed())
    page.confirm()
    page.shows("state", "Paused")
    assert page.opacity("lag-panel") == 1
    assert page.complaints(network=False) == []


def test_no_request_leaves_the_service(page: DashboardPage):
    page.stage.has_letters(1)
    page.requested()
    page.open()
    page.shows("letters", "customer-00000")
    page.shows("jobs-text", "None yet")
    addresses = page.requested()
    assert {f"{page.service.url}/{path}" for path in ("", "status", "replays", "snapshots")} <= addresses
    assert {url for url in addresses if not url.startswith(f"{page.service.url}/")} == set()
    entries = page.run("return performance.getEntriesByType('resource').map((entry) => entry.name)")
    assert {url for url in entries if not url.startswith((f"{page.service.url}/", "data:"))} == set()
    assert page.complaints() == []


def test_a_script_that_is_smuggled_in_does_not_run(page: DashboardPage):
    page.open()
    page.shows("state", "Running")
    page.run(
        "const s = document.createElement('script'); s.textContent = 'window.smuggled = 1'; document.body.append(s)"
    )
    assert page.run("return window.smuggled === undefined")
    assert any("Content Security Policy" in each for each in page.complaints())


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
