"""`GET /history`: all of it, or what began after a time."""

from __future__ import annotations

from datetime import timedelta
from urllib.parse import quote

import pytest

from service.operations.documents.status import History
from tests.fakes.api import FakeApi, problem_of
from tests.fakes.console import NOW


@pytest.fixture
def three(api: FakeApi) -> FakeApi:
    """Three steps of five seconds."""
    (step,) = api.console.history().items
    items = [step.model_copy(update={"at": NOW + timedelta(seconds=5 * number)}) for number in range(3)]
    api.console.history = lambda: History(items=items)  # type: ignore[method-assign]  # what it tells here
    return api


async def test_it_is_told_whole(three: FakeApi):
    items = (await three.call("GET", "/history")).json()["items"]
    assert [item["at"] for item in items] == ["2026-11-23T10:15:00Z", "2026-11-23T10:15:05Z", "2026-11-23T10:15:10Z"]
    assert {item["state"] for item in items} == {"running"}


@pytest.mark.parametrize(("since", "left"), [("2026-11-23T10:15:05Z", 1), ("2026-11-23T11:15:04.999+01:00", 2)])
async def test_what_began_until_a_time_is_left_out(three: FakeApi, since: str, left: int):
    for path in ("/history", "/pipelines/master-table--replica-table/history"):
        answer = await three.call("GET", f"{path}?since={quote(since)}")
        assert len(answer.json()["items"]) == left


@pytest.mark.parametrize("query", ["since=2026-11-23T10:15:05", "since=1", "since=", "until=2026-11-23T10:15:05Z"])
async def test_what_is_no_time_is_refused(three: FakeApi, query: str):
    assert problem_of(await three.call("GET", f"/history?{query}"))["status"] == 422
