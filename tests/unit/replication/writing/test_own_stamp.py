"""A source's own attribute with the stamp's name is content: a difference in it is mended by every path (I6)."""

from __future__ import annotations

import pytest

from service.replication.guard_window import GuardWindow
from service.replication.writing.guard import Guard, Outcome
from service.replication.writing.write_path import WritePath
from tests.fakes.clock import EPOCH
from tests.support.workbench import Bench, item, key

OWN, OTHER = {"timestamp": {"S": "own"}}, {"timestamp": {"S": "another"}}


async def unlike() -> tuple[Bench, WritePath]:
    bench = Bench(window=GuardWindow(guards_all=False, until=EPOCH + 1000))
    path = await bench.open()
    bench.put("a", "1", **OWN)
    bench.world.replica.preset(item("a", "1", **OTHER))
    return bench, path


async def put(bench: Bench, guard: Guard) -> Outcome:
    change = bench.newest()
    assert change.image is not None
    return await guard.put(change, change.image, change.image)


async def refresh(bench: Bench, guard: Guard) -> Outcome:
    return await guard.refresh(key("a"))


@pytest.mark.parametrize("way", [put, refresh])
async def test_a_guarded_write_and_a_refresh_see_the_difference(way):
    bench, path = await unlike()
    assert await way(bench, path.guard) is Outcome.WRITTEN
    assert bench.world.replica.item({"key": {"S": "a"}})["timestamp"] == OWN["timestamp"]
    assert await refresh(bench, path.guard) is Outcome.UNCHANGED


async def test_a_snapshot_sees_the_difference():
    bench, path = await unlike()
    page = path.guard.brought.open_page()
    image = bench.world.source.items[key("a")]
    assert await path.copier.copy_together([(key("a"), image)], page) == {}
    assert await path.copier.copy(key("a"), image, page) is Outcome.WRITTEN
    again = path.guard.brought.open_page()
    assert await path.copier.copy(key("a"), image, again) is Outcome.UNCHANGED


async def test_a_stamp_of_ours_is_no_difference():
    bench, path = await unlike()
    bench.put("b", "1")
    bench.world.replica.preset(item("b", "1", **OTHER))
    assert await path.guard.refresh(key("b")) is Outcome.UNCHANGED
