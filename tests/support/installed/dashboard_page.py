"""The dashboard in a real browser, as a person would use it: by what can be seen, clicked and typed."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

from selenium.common.exceptions import (
    ElementClickInterceptedException,
    JavascriptException,
    StaleElementReferenceException,
)
from selenium.webdriver import ActionChains, Chrome, Keys
from selenium.webdriver.common.by import By
from selenium.webdriver.remote.webelement import WebElement
from selenium.webdriver.support.ui import WebDriverWait

from tests.fakes.api import FakeApi
from tests.fakes.dashboard_console import Stage
from tests.fakes.threaded_api import ThreadedApi
from tests.support.patience import PATIENCE_SECONDS

ON_THE_WAY = (StaleElementReferenceException, JavascriptException, ElementClickInterceptedException)
"""Raised by a look at a page that is just being left for another one, and by a click at what moves just then."""
PHONE = {"width": 360, "height": 740, "deviceScaleFactor": 2, "mobile": True}


class DashboardPage:
    """`stage` is what the service shows; `complaints` is what the browser had to say about the page."""

    def __init__(self, driver: Chrome) -> None:
        self.driver = driver
        self.stage = Stage()
        self.service = ThreadedApi()

    def serve(self, **options: Any) -> None:
        """Serve the stage, or `consoles`. After `stop`: again, at the same address."""
        self.service.start(FakeApi(console=self.stage, **options))

    def open(self, **options: Any) -> None:
        self.serve(**options)
        self.driver.get(self.service.url)

    def close(self) -> None:
        self.driver.execute_cdp_cmd("Emulation.clearDeviceMetricsOverride", {})
        self.driver.get("about:blank")  # so that no poll is left to fail
        self.service.stop()

    def use_a_phone(self) -> None:
        self.driver.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", PHONE)

    def reload(self) -> None:
        self.driver.refresh()

    def find(self, element_id: str) -> WebElement:
        return self.driver.find_element(By.ID, element_id)

    def text(self, element_id: str) -> str:
        """As it is seen: empty while it is hidden."""
        return self.find(element_id).text

    def attribute(self, element_id: str, name: str) -> str | None:
        return self.find(element_id).get_attribute(name)

    def until(self, holds: Callable[[], Any]) -> Any:
        waiting = WebDriverWait(self.driver, PATIENCE_SECONDS, 0.05, ignored_exceptions=ON_THE_WAY)
        return waiting.until(lambda _: holds())

    def shows(self, element_id: str, part: str) -> None:
        """Wait until an element shows this text."""
        try:
            self.until(lambda: part in self.text(element_id))
        except Exception as error:
            raise AssertionError(f"{element_id} shows {self.text(element_id)!r}, not {part!r}") from error

    def click(self, element_id: str) -> None:
        def clicked() -> bool:
            found = self.find(element_id)
            if is_there := found.is_displayed():
                found.click()
            return is_there

        self.until(clicked)

    def click_in(self, element_id: str, label: str) -> None:
        """The first button in an element that begins with this label, once it is there."""

        def clicked() -> bool:
            buttons = self.find(element_id).find_elements(By.TAG_NAME, "button")
            found = next((button for button in buttons if button.text.startswith(label)), None)
            if found is not None:
                found.click()
            return found is not None

        self.until(clicked)

    def unfold(self, summary: str) -> None:
        """Open the fold with this summary."""
        found = self.driver.find_elements(By.TAG_NAME, "summary")
        next(each for each in found if each.text == summary).click()

    def confirm(self) -> None:
        self.click("confirmation-go")

    def field(self, name: str) -> WebElement:
        return self.find("confirmation-form").find_element(By.NAME, name)

    def press(self, *keys: str) -> None:
        for key in keys:
            ActionChains(self.driver).send_keys(key).perform()

    def tab_to(self, element_id: str) -> None:
        """With the Tab key alone."""
        for _ in range(100):
            if self.focused() == element_id:
                return
            self.press(Keys.TAB)
        raise AssertionError(f"the Tab key never gets to {element_id}")

    def focused(self) -> str:
        return str(self.driver.execute_script("return document.activeElement.id"))

    def is_focus_visible(self) -> bool:
        script = "const e = document.activeElement; return getComputedStyle(e).outlineStyle !== 'none'"
        return bool(self.driver.execute_script(script))

    def is_open(self, dialog_id: str) -> bool:
        return bool(self.driver.execute_script("return document.getElementById(arguments[0]).open", dialog_id))

    def opacity(self, element_id: str) -> float:
        script = "return Number(getComputedStyle(document.getElementById(arguments[0])).opacity)"
        return float(self.driver.execute_script(script, element_id))

    def overflow(self) -> list[str]:
        """What stands out over the right edge of the window."""
        script = """
            const edge = document.documentElement.clientWidth;
            return [document.documentElement, ...document.querySelectorAll("body *")]
              .filter((each) => each.scrollWidth > each.clientWidth + 1 && each === document.documentElement
                || each.getBoundingClientRect().right > edge + 0.5)
              .filter((each) => each.checkVisibility() && !each.closest(".unseen, thead"))
              .map((each) => `${each.tagName}#${each.id}.${each.className}`);
        """
        return [str(each) for each in self.driver.execute_script(script)]

    def run(self, script: str) -> Any:
        return self.driver.execute_script(script)

    def changes_asked(self, name: str) -> list[dict[str, object]]:
        """What a change was asked for with, each time."""
        return [values for asked, values in self.stage.asked if asked == name]

    @property
    def title(self) -> str:
        return self.driver.title

    @property
    def address(self) -> str:
        return self.driver.current_url

    def complaints(self, *, network: bool = True) -> list[str]:
        """The console's entries since the last call: errors, warnings, refusals of the content security policy."""
        entries = self.driver.get_log("browser")
        return [entry["message"] for entry in entries if network or entry["source"] != "network"]

    def requested(self) -> set[str]:
        """Every address that the browser was asked for since the last call, whatever came of it."""
        messages = [json.loads(entry["message"])["message"] for entry in self.driver.get_log("performance")]
        sent = [each["params"]["request"]["url"] for each in messages if each["method"] == "Network.requestWillBeSent"]
        return {url for url in sent if not url.startswith("data:")}
