"""A source's own attribute with the stamp's name is content: a difference in it is mended by every path (I6)."""

from __future__ import annotations

import pytest

from service.operations.verification.comparison import Comparison, Kind
from service.replication.guard_window import GuardWindow
from service.replication.writing.guard import Guard, Outcome
from service.replication.writing.write_path import WritePath
from tests.fakes.clock import EPOCH
from tests.fakes.images import image_of, item_of
from tests.support.workbench import Bench, item, key

OWN, OTHER = {"timestamp": {"S": "own"}}, {"timestamp": {"S": "another"}}
STAMP, FOREIGN = {"timestamp": {"S": "2025-06-15T15:06:40.000Z"}}, {"timestamp": {"N": "666"}}


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
    bench.world.replica.preset(item("b", "1", **STAMP))
    assert await path.guard.refresh(key("b")) is Outcome.UNCHANGED


@pytest.mark.parametrize("left", [FOREIGN, OWN, {"timestamp": {"M": {}}}])
async def test_what_the_source_no_longer_has_and_is_no_time_is_a_difference(left):
    """It was the source's own, and went while nobody looked."""
    bench, path = await unlike()
    bench.put("b", "1")
    bench.world.replica.preset(item("b", "1", **left))
    source, replica = bench.world.source.items[key("b")], bench.world.replica.items[key("b")]
    comparison = Comparison(path.guard.shape, keeps_extra=False)
    assert comparison.difference(source, replica) is Kind.DIFFERENT
    assert comparison.mark_of(source) not in comparison.marks_in_replica(replica)
    assert await path.guard.refresh(key("b")) is Outcome.WRITTEN
    found = bench.world.replica.items[key("b")]
    assert comparison.difference(source, found) is None
    assert comparison.mark_of(source) in comparison.marks_in_replica(found)


@pytest.mark.parametrize(
    "time", ["2026-11-28T19:40:48Z", "2026-11-28 19:40:48.082123", "2026-11-28T19:40:48.082+00:00"]
)
async def test_the_time_of_what_replicated_before_is_no_difference(time):
    bench, path = await unlike()
    bench.put("b", "1")
    bench.world.replica.preset(item("b", "1", timestamp={"S": time}))
    assert await path.guard.refresh(key("b")) is Outcome.UNCHANGED


@pytest.mark.parametrize("own", [FOREIGN, {"timestamp": {"S": "2026-02-02"}}])
async def test_what_another_pipeline_kept_goes_on_and_its_stamp_does_not(own):
    """In a chain: the source's item has a number of that pipeline."""
    bench, path = await unlike()
    shape = path.guard.shape
    number = {shape.sequence_attribute: {"S": "7".zfill(40)}}
    kept = shape.project(image_of(item("c", "1") | number | own))
    assert kept is not None
    assert item_of(kept) == item("c", "1") | own
    stamped = shape.project(image_of(item("c", "1") | number | STAMP))
    assert stamped is not None
    assert item_of(stamped) == item("c", "1")
