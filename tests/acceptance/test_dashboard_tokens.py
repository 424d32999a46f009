"""The tokens that the dashboard asks for, and what it says when it is refused or gets no answer."""

from __future__ import annotations

from selenium.webdriver import Keys

from tests.fakes.api import ADMIN, READ
from tests.support.installed.dashboard_page import DashboardPage


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
    page.stage.has_letters(2)
    page.stage.has_jobs()
    page.stage.fails_with_a_gap()
    page.open(admin_token=ADMIN, read_token=READ)
    page.until(lambda: page.is_open("token-dialog"))
    page.find("token").send_keys(READ, Keys.ENTER)
    page.shows("state", "Failed")
    page.shows("read-only", "This token only reads")
    page.shows("jobs", "running")
    page.shows("letters", "customer-00000")
    seen = "[...document.querySelectorAll('main button')].filter((each) => each.checkVisibility())"
    labels = page.run(f"return {seen}.map((each) => each.innerText)")
    assert [label for label in labels if "…" in label] == [], "a button that can't work"
    page.click("change-token")
    page.until(lambda: page.is_open("token-dialog"))
    page.find("token").send_keys(ADMIN, Keys.ENTER)
    page.until(lambda: page.find("pause").is_displayed())
    assert not page.find("read-only").is_displayed()


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
