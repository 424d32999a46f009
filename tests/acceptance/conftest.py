"""The servers and the browser, for the tests here."""

from collections.abc import Iterator

import pytest
from selenium.webdriver import Chrome

from tests.servers.browser import chromium
from tests.servers.fixtures import *  # noqa: F403
from tests.support.installed.dashboard_page import DashboardPage


@pytest.fixture(scope="session")
def browser() -> Iterator[Chrome]:
    """Of the whole run."""
    with chromium() as found:
        yield found


@pytest.fixture
def driver(browser: Chrome) -> Chrome:
    """The browser; nothing of what it complained about before is there any more."""
    browser.get_log("browser")
    return browser


@pytest.fixture
def page(driver: Chrome) -> Iterator[DashboardPage]:
    made = DashboardPage(driver)
    yield made
    made.close()
