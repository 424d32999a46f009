"""The dashboard's charts in headless Chromium: the last 24 hours, what was not known of them, and single values."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from selenium.webdriver import ActionChains, Keys

from service.operations.console import NotFoundError
from service.operations.documents.status import History, PipelineState
from tests.fakes.console import NOW
from tests.support.installed.dashboard_page import DashboardPage


def caption(page: DashboardPage, chart: str) -> str:
    return str(page.run(f"return document.querySelector('#{chart}-chart figcaption').textContent"))


def drawn(page: DashboardPage, chart: str) -> str:
    """Empty until something is known."""
    return str(page.run(f"return document.querySelector('#{chart}-chart .line-0').getAttribute('d') ?? ''"))


def shades(page: DashboardPage, chart: str) -> list[str]:
    """The kinds of the shaded times, from left to right."""
    script = f"return [...document.querySelectorAll('#{chart}-chart .shade')].map((each) => each.classList[1])"
    found: list[str] = page.run(script)
    return found


def choose(page: DashboardPage, seconds: int) -> None:
    page.run(f"document.querySelector('#history-range [value=\"{seconds}\"]').click()")


def replace(page: DashboardPage, hours: tuple[float, float], state: PipelineState, lag: float = 0.4) -> None:
    """Between so many hours ago the pipeline was in another state."""
    since, until = (NOW - timedelta(hours=ago) for ago in hours)
    page.stage.steps = [
        page.stage.step(each.at, each.seconds, state, lag) if since <= each.at < until else each
        for each in page.stage.steps
    ]


def test_a_page_that_was_just_opened_shows_what_happened_before(page: DashboardPage):
    page.stage.is_busy()
    page.stage.has_history()
    page.open()
    page.until(lambda: drawn(page, "lag"))
    assert caption(page, "lag").startswith("Highest: lag 0.4 s")
    choose(page, 86_400)
    page.until(lambda: "lag 42 s at 23 Nov 2026, 04:05:00 UTC" in caption(page, "lag"))
    assert "longest" in caption(page, "latency")
    assert "applied" in caption(page, "rate")
    axis = page.run("return [...document.querySelectorAll('#lag-chart .x-axis span')].map((each) => each.textContent)")
    assert axis == ["22 Nov 10:15", "22:15", "23 Nov 10:15 UTC"]
    choose(page, 900)
    page.until(lambda: "42 s" not in caption(page, "lag"))
    assert page.complaints() == []


def test_what_comes_is_asked_for_alone_and_added(page: DashboardPage):
    page.stage.has_history(hours=1)
    page.open()
    page.until(lambda: drawn(page, "lag"))
    page.requested()
    page.stage.steps.append(page.stage.step(NOW - timedelta(seconds=2), 1, PipelineState.RUNNING, 30))
    page.run("void pollHistory()")
    page.until(lambda: "lag 30 s" in caption(page, "lag"))
    asked = {url.partition("/history?since=")[2] for url in page.requested() if "/history" in url}
    # It asks by itself, too: from then on for what comes after the step that it has got.
    assert "2026-11-23T10%3A14%3A00Z" in asked
    assert asked <= {"2026-11-23T10%3A14%3A00Z", "2026-11-23T10%3A14%3A58Z"}


def test_times_without_a_process_or_with_another_one_are_not_drawn(page: DashboardPage):
    page.stage.has_history()
    replace(page, (5, 4), PipelineState.STANDBY, lag=7)
    replace(page, (3, 2), PipelineState.PAUSED, lag=3600)
    page.open()
    page.until(lambda: drawn(page, "lag"))
    choose(page, 21_600)
    page.until(lambda: shades(page, "rate") == ["unknown", "paused", "unknown"])
    assert shades(page, "lag") == ["paused", "unknown"], "the lag of the other process is told"
    assert drawn(page, "lag").count("M") == 2
    assert drawn(page, "rate").count("M") == 3
    assert drawn(page, "latency").count("M") == 4, "nothing is written in a pause"
    assert "shaded: paused; hatched: not known here" in caption(page, "lag")


def test_each_value_is_read_with_the_pointer_and_with_the_keyboard(page: DashboardPage):
    page.stage.has_history()
    page.open()
    page.until(lambda: drawn(page, "lag"))
    plot = page.find("lag-chart").find_element("class name", "plot")
    page.until(plot.is_displayed)  # the history may be there before the status that shows its panel
    ActionChains(page.driver).move_to_element(plot).perform()
    page.until(lambda: ":00 UTC, for 1 min: lag 0.4 s; running." in caption(page, "lag"))
    moment = caption(page, "lag").split(",")[1]
    assert moment in (" 09:44:00 UTC", " 09:45:00 UTC")
    assert moment in caption(page, "latency"), "all charts show the same moment"
    ActionChains(page.driver).move_to_element(page.find("state")).perform()
    page.until(lambda: caption(page, "lag").startswith("Highest"))
    page.run("document.querySelector('#lag-chart .plot').focus()")
    assert page.is_focus_visible()
    value = "return document.activeElement.getAttribute('aria-valuetext')"
    assert "Arrow keys" in page.run(value)
    page.press(Keys.ARROW_LEFT, Keys.ARROW_LEFT)
    assert "23 Nov 2026, 10:13:00 UTC" in page.run(value)
    page.press(Keys.HOME)
    assert "23 Nov 2026, 09:21:00 UTC" in page.run(value)
    page.press(Keys.ESCAPE)
    assert "Arrow keys" in page.run(value)


def test_the_charts_are_there_as_a_table(page: DashboardPage):
    page.stage.has_history()
    page.open()
    page.until(lambda: drawn(page, "lag"))
    choose(page, 86_400)
    page.unfold("The charts as a table")

    def rows() -> list[list[str]]:
        script = "(row) => [...row.cells].map((cell) => cell.textContent)"
        found: list[list[str]] = page.run(f"return [...document.querySelectorAll('#history-rows tr')].map({script})")
        return found

    page.until(lambda: len(rows()) == 12)
    assert [row[1] for row in rows()].count("42 s") == 1
    assert rows()[0][0].endswith(" UTC")
    assert rows()[0][5] == "Running"


def test_a_service_without_a_history_is_remembered_by_the_page(page: DashboardPage):
    def gone() -> Any:
        raise NotFoundError("there is no such call")

    page.stage.history = gone  # type: ignore[method-assign]  # an older service
    page.stage.lags(30, unapplied=5)
    page.open()
    page.shows("state", "Running")
    page.until(lambda: "lag 30 s" in caption(page, "lag"))
    assert page.complaints(network=False) == []


def test_a_restart_leaves_what_was_seen_before_it(page: DashboardPage):
    page.stage.has_history(hours=1)
    page.open()
    page.until(lambda: drawn(page, "lag"))
    page.stage.history = lambda: History(items=[])  # type: ignore[method-assign]  # it begins with nothing
    page.run("wholeAt = -Infinity; void pollHistory()")
    page.until(lambda: page.run("return wholeAt > 0"))
    assert drawn(page, "lag")
