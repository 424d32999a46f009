"""A real Chromium without a window, driven through chromedriver; from Debian's packages, installed when missing.

`python -m tests.servers fetch` installs it ahead of the tests; otherwise the first start does, where it may: that takes
apt-get and root. What can't be installed is an error that says what to install; nothing is ever skipped.
"""

from __future__ import annotations

import fcntl
import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from selenium.webdriver import Chrome, ChromeOptions, ChromeService

from tests.servers.process import ServerError

_PACKAGES = ("chromium", "chromium-driver")
_BROWSERS = ("chromium", "chromium-browser", "google-chrome")
_DRIVER = "chromedriver"
_LOCK = Path(tempfile.gettempdir()) / "dynamirror-tests-chromium.lock"
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
    if _is_there():
        return
    with _LOCK.open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not _is_there():
            _install()


def _browser() -> str | None:
    return next((found for name in _BROWSERS if (found := shutil.which(name))), None)


def _is_there() -> bool:
    return _browser() is not None and shutil.which(_DRIVER) is not None


def _install() -> None:
    wanted = " and ".join(_PACKAGES)
    if os.geteuid() != 0 or shutil.which("apt-get") is None:
        raise ServerError(f"the dashboard's tests need {wanted} (so Debian calls them), or Chrome with {_DRIVER}")
    for command in (["update"], ["install", "-y", "--no-install-recommends", *_PACKAGES]):
        done = subprocess.run(
            ["apt-get", "-qq", *command],
            env={**os.environ, "DEBIAN_FRONTEND": "noninteractive"},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=900,
            check=False,
        )
        if done.returncode:
            raise ServerError(f"can't install {wanted}: apt-get {' '.join(command)}: {done.stdout[-2000:]}")
    if not _is_there():
        raise ServerError(f"{wanted} are installed, and there is still no browser or no {_DRIVER} on the PATH")


def _environment(home: str) -> dict[str, str]:
    """Times in UTC, and nothing of the person's own settings."""
    return {"PATH": os.environ["PATH"], "HOME": home, "TZ": "UTC", "LANG": "C.UTF-8"}
