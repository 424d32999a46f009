"""The servers and the browser, for the tests here."""

from collections.abc import Iterator

import pytest
from selenium.webdriver import Chrome

from tests.servers.browser import chromium
from tests.servers.fixtures import *  # noqa: F403
from tests.support.installed.dashboard_page import DashboardPage


@pytest.fixture(scope="session")
def driver() -> Iterator[Chrome]:
    """The browser of the whole run."""
    with chromium() as found:
        yield found


@pytest.fixture
def page(driver: Chrome) -> Iterator[DashboardPage]:
    made = DashboardPage(driver)
    yield made
    made.close()
