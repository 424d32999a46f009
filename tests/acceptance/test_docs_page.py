"""`/docs` in headless Chromium, on the real server: a token is entered, a call tried, and all comes from here."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any
from urllib.parse import urlsplit

import pytest
from selenium.webdriver import Chrome
from selenium.webdriver.common.by import By
from selenium.webdriver.remote.webelement import WebElement
from selenium.webdriver.support.ui import WebDriverWait

from tests.fakes.api import ADMIN, FakeApi
from tests.fakes.consoles import FakeConsoles
from tests.fakes.threaded_api import ThreadedApi
from tests.support.installed.dashboard_page import ON_THE_WAY
from tests.support.patience import PATIENCE_SECONDS

LOADED = "return performance.getEntriesByType('resource').map(each => each.name)"


@pytest.fixture
def api() -> FakeApi:
    return FakeApi(admin_token=ADMIN, consoles=FakeConsoles("orders", "users/eu"))


@pytest.fixture
def page(driver: Chrome, api: FakeApi) -> Iterator[Chrome]:
    service = ThreadedApi()
    service.start(api)
    driver.get(f"{service.url}/docs")
    yield driver
    driver.get("about:blank")
    service.stop()


def found(page: Chrome, selector: str) -> WebElement:
    """Once it can be seen."""

    def shown(_: Chrome) -> list[WebElement]:
        return [each for each in page.find_elements(By.CSS_SELECTOR, selector) if each.is_displayed()]

    return until(page, shown)[0]


def until(page: Chrome, holds: Callable[[Chrome], Any]) -> Any:
    return WebDriverWait(page, PATIENCE_SECONDS, 0.05, ignored_exceptions=ON_THE_WAY).until(holds)


def shows(page: Chrome, selector: str, part: str) -> bool:
    """Waits until it does."""
    return bool(until(page, lambda _: part in found(page, selector).text))


def test_a_call_can_be_tried_with_a_token_that_was_entered_and_nothing_comes_from_elsewhere(page: Chrome, api: FakeApi):
    found(page, ".btn.authorize").click()
    found(page, ".auth-container input").send_keys(ADMIN)
    found(page, ".auth-btn-wrapper .authorize").click()
    found(page, ".auth-btn-wrapper .btn-done").click()
    call = "[id$=-pause_pipeline]"
    found(page, f"{call} .opblock-summary-control").click()
    name = found(page, f"{call} [data-param-name=name] input")
    name.clear()
    name.send_keys("users/eu")
    found(page, f"{call} .execute").click()
    assert shows(page, f"{call} .live-responses-table", '"state": "paused"')
    assert [event.who for event in api.audited] == ["admin"]
    hosts = {urlsplit(each).netloc for each in page.execute_script(LOADED)}
    assert hosts == {urlsplit(page.current_url).netloc}
    assert page.get_log("browser") == []  # a refusal of the policy would be there


def test_without_a_token_the_answer_says_that_one_is_needed(page: Chrome):
    call = "[id$=-list_pipelines]"
    found(page, f"{call} .opblock-summary-control").click()
    found(page, f"{call} .execute").click()
    assert shows(page, f"{call} .live-responses-table", "Authorization: Bearer")
