"""The shard tree on the dashboard: splits, what is over, and a thousand of them."""

from __future__ import annotations

from service.operations.documents.status import PipelineState
from tests.support.installed.dashboard_page import DashboardPage


def rows(page: DashboardPage) -> list[list[str]]:
    script = "[...document.querySelectorAll('#shards tr')].map((row) => [...row.cells].map((cell) => cell.innerText))"
    found: list[list[str]] = page.run(f"return {script}")
    return found


def test_hundreds_of_shards_are_cut_and_the_closed_ones_folded(page: DashboardPage):
    page.stage.has_shards(200, closed=40)
    page.open()
    page.shows("shards-text", "200: 53 waiting for parent")
    assert len(rows(page)) == 30
    assert not any(row[1] == "closed" for row in rows(page))
    assert "failed" in [row[1] for row in rows(page)[:2]]
    page.click("closed-shards")
    page.click("more-shards")
    page.until(lambda: len(rows(page)) == 200)
    depths = page.run(
        "return [...document.querySelectorAll('#shards .name')].map((c) => c.style.getPropertyValue('--depth'))"
    )
    assert depths[:6] == ["0", "1", "1", "0", "1", "1"]
    page.click("closed-shards")
    page.until(lambda: len(rows(page)) == 160)


def test_no_shard_of_a_paused_pipeline_is_called_read(page: DashboardPage):
    page.stage.state = PipelineState.PAUSED
    page.open()
    page.shows("shards-text", "1: 1 not read now")
    assert [row[1] for row in rows(page)] == ["not read now"]


def test_a_thousand_stay_readable(page: DashboardPage):
    page.stage.has_shards(1000, closed=300)
    page.open()
    page.shows("shards-text", "1,000: ")
    page.until(lambda: len(rows(page)) == 30)
    assert [row[1] for row in rows(page)].count("closed") == 0
    assert page.overflow() == []


def test_a_split_says_so_and_the_closed_parents_of_one_shard_are_unfolded(page: DashboardPage):
    page.stage.has_shards(6, closed=1)
    page.open()
    page.shows("shards", "split into 2")
    assert [row[1] for row in rows(page)].count("closed") == 0
    assert sum("after 1 closed" in row[0] for row in rows(page)) == 2
    page.click_in("shards", "after 1 closed")
    page.until(lambda: [row[1] for row in rows(page)].count("closed") == 1)
    assert not any("after" in row[0] for row in rows(page))
    depths = "return [...document.querySelectorAll('#shards .name')].map((c) => c.style.getPropertyValue('--depth'))"
    assert page.run(depths) == ["0", "1", "1", "0", "1", "1"]
    assert page.complaints() == []
