"""The dashboard asks nobody else, and neither a record nor a smuggled script runs in it."""

from __future__ import annotations

from tests.support.installed.dashboard_page import DashboardPage


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


def test_no_request_leaves_the_service(page: DashboardPage):
    page.stage.has_letters(1)
    page.requested()
    page.open()
    page.shows("letters", "customer-00000")
    page.shows("jobs-text", "None yet")
    addresses = page.requested()
    assert {f"{page.service.url}/{path}" for path in ("", "status", "replays", "snapshots")} <= addresses
    own = (f"{page.service.url}/", "chrome://")  # the browser's first page may still load
    assert {url for url in addresses if not url.startswith(own)} == set()
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
