"""A real Chromium without a window, driven through chromedriver; from Debian's packages, installed when missing.

`python -m tests.servers fetch` installs it ahead of the tests; otherwise the first start does, where it may: that takes
apt-get and root. What can't be installed is an error that says what to install; nothing is ever skipped.
"""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager

from selenium.webdriver import Chrome, ChromeOptions, ChromeService

from tests.servers import debian

_PACKAGES = ("chromium", "chromium-driver")
_BROWSERS = ("chromium", "chromium-browser", "google-chrome")
_DRIVER = "chromedriver"
_FLAGS = (
    "--headless=new",
    "--no-sandbox",  # a container's root has none; the browser only ever sees this repository's own page
    "--disable-gpu",
    "--disable-dev-shm-usage",  # a container's /dev/shm may have 64 MB
    "--disable-quic",
    "--no-first-run",
    "--no-proxy-server",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)


@contextmanager
def chromium(width: int = 1280, height: int = 1000) -> Iterator[Chrome]:
    """A fresh Chromium for the length of the block. It logs its console and its requests."""
    fetch()
    with tempfile.TemporaryDirectory(prefix="chromium-") as profile:
        options = ChromeOptions()
        options.binary_location = _browser() or ""
        options.set_capability("goog:loggingPrefs", {"browser": "ALL", "performance": "ALL"})
        for flag in (*_FLAGS, f"--user-data-dir={profile}", f"--window-size={width},{height}", "--lang=en"):
            options.add_argument(flag)
        driver = Chrome(options=options, service=ChromeService(shutil.which(_DRIVER), env=_environment(profile)))
        try:
            yield driver
        finally:
            driver.quit()


def fetch() -> None:
    """Make sure that Chromium and its driver are there; several processes may call it at once. Raises ServerError."""
    if _browser() is None or shutil.which(_DRIVER) is None:
        debian.install(_PACKAGES, [_BROWSERS[0], _DRIVER], "the tests of the dashboard")


def _browser() -> str | None:
    return next((found for name in _BROWSERS if (found := shutil.which(name))), None)


def _environment(home: str) -> dict[str, str]:
    """Times in UTC, and nothing of the person's own settings."""
    return {"PATH": os.environ["PATH"], "HOME": home, "TZ": "UTC", "LANG": "C.UTF-8"}
