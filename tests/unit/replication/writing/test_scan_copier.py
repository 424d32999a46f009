"""A scan's items come beside the stream: where the replica has none, and never over what the stream has brought."""

from __future__ import annotations

import pytest

from service.errors import AmbiguousError, BatchRefusedError, ChangeError, ThrottledError
from service.model import Image, ItemKey
from service.replication.guard_window import GuardWindow
from service.replication.writing.guard import Outcome
from service.replication.writing.write_path import WritePath
from tests.fakes.clock import EPOCH
from tests.fakes.images import image_of, item_of
from tests.support.workbench import Bench, item, key


async def copying(**settings: str) -> tuple[Bench, WritePath]:
    bench = Bench(window=GuardWindow(guards_all=False, until=EPOCH + 1000), **settings)
    return bench, await bench.open()


def scanned(bench: Bench, *names: str) -> list[tuple[ItemKey, Image]]:
    """The source's items as a page has them."""
    return [(key(name), bench.world.source.items[key(name)]) for name in names]


async def test_a_scanned_item_is_written_where_the_replica_has_none_e66():
    bench, path = await copying()
    bench.world.source.preset(item("a", "1"))
    page = path.guard.brought.open_page()
    assert await path.copier.copy(key("a"), image_of(item("a", "1")), page) is Outcome.WRITTEN
    assert bench.number("a") is None
    assert await path.copier.copy(key("a"), image_of(item("a", "1")), page) is Outcome.UNCHANGED


async def test_a_scanned_item_that_the_stream_has_brought_meanwhile_is_dropped_e66():
    bench, path = await copying()
    bench.world.source.put(item("a", "1"))
    page = path.guard.brought.open_page()
    scanned = image_of(item("a", "1"))
    gone = bench.delete("a")
    await path.guard.delete(gone)
    assert await path.copier.copy(key("a"), scanned, page) is Outcome.STALE
    assert bench.held("a") is None


async def test_a_scanned_item_never_replaces_a_newer_one_e66():
    bench, path = await copying()
    bench.world.source.put(item("a", "2"))
    bench.world.replica.preset(item("a", "2"))
    page = path.guard.brought.open_page()
    await path.copier.copy(key("a"), image_of(item("a", "1")), page)
    assert bench.held("a") == item("a", "2")


async def test_items_that_the_replica_lacks_are_written_together():
    bench, path = await copying()
    names = [f"item{number}" for number in range(25)]
    bench.world.source.preset(*[item(name, "1") for name in names])
    page = path.guard.brought.open_page()
    outcomes = await path.copier.copy_together(scanned(bench, *names), page)
    assert outcomes == dict.fromkeys(map(key, names), Outcome.WRITTEN)
    assert bench.world.replica.calls["write_batch"] == 1
    assert bench.world.replica.calls["put"] == 0
    assert {bench.number(name) for name in names} == {None}


async def test_of_a_batch_what_the_stream_brought_is_dropped_and_what_is_there_is_left_e66():
    bench, path = await copying()
    bench.world.source.preset(*[item(name, "1") for name in ("same", "differs", "new")])
    bench.world.source.put(item("gone", "1"))
    bench.world.replica.preset(item("same", "1"), item("differs", "0"))
    page = path.guard.brought.open_page()
    some = scanned(bench, "same", "differs", "new", "gone")
    await path.guard.delete(bench.delete("gone"))
    outcomes = await path.copier.copy_together(some, page)
    assert outcomes == {key("same"): Outcome.UNCHANGED, key("new"): Outcome.WRITTEN, key("gone"): Outcome.STALE}
    assert bench.held("gone") is None
    assert bench.held("differs") == item("differs", "0"), "that one is looked at alone"
    assert bench.world.replica.writes[key("same")] == 0


@pytest.mark.parametrize("error", [BatchRefusedError("invalid"), AmbiguousError("lost")])
async def test_a_batch_that_is_refused_or_in_doubt_is_left_to_be_copied_one_by_one(error):
    bench, path = await copying()
    bench.world.source.preset(item("a", "1"), item("b", "1"))
    bench.world.plan.fail_next("replica.write_batch", error)
    page = path.guard.brought.open_page()
    assert await path.copier.copy_together(scanned(bench, "a", "b"), page) == {}


async def test_a_throttled_batch_and_what_it_leaves_unprocessed_are_written_in_the_end_e38_e39():
    bench, path = await copying()
    bench.world.source.preset(item("a", "1"), item("b", "1"))
    bench.world.plan.fail_next("replica.write_batch", ThrottledError("slow", "Throttling"), times=3)
    left = [key("b")]
    bench.world.replica.leaves_unprocessed = lambda write: write.key in left and not left.clear()
    page = path.guard.brought.open_page()
    outcomes = await path.copier.copy_together(scanned(bench, "a", "b"), page)
    assert outcomes == dict.fromkeys([key("a"), key("b")], Outcome.WRITTEN)


async def test_an_item_that_is_refused_does_not_hold_back_its_batch():
    bench, path = await copying()
    bench.world.source.preset(item("good", "1"), item("bad", "bad"))
    bench.world.replica.poison = lambda write: (
        ChangeError("refused") if item_of(write.item)["value"] == {"S": "bad"} else None
    )
    page = path.guard.brought.open_page()
    some = scanned(bench, "good", "bad")
    assert await path.copier.copy_together(some, page) == {}
    assert await path.copier.copy(*some[0], page) is Outcome.WRITTEN
    with pytest.raises(ChangeError):
        await path.copier.copy(*some[1], page)


async def test_an_item_that_its_stamp_makes_too_large_is_copied_alone_e43():
    bench, path = await copying()
    room = 400 * 1024 - len("key") - len("a") - len("value")
    bench.world.source.preset(item("a", "x" * room), item("b", "1"))
    page = path.guard.brought.open_page()
    some = scanned(bench, "a", "b")
    bench.world.replica.poison = lambda write: None
    assert await path.copier.copy_together(some, page) == {}
    assert [await path.copier.copy(*one, page) for one in some] == [Outcome.WRITTEN] * 2


async def test_where_others_write_too_nothing_is_written_in_batches():
    bench = Bench(window=GuardWindow(guards_all=False, is_shared=True))
    path = await bench.open()
    bench.world.source.preset(item("a", "1"))
    page = path.guard.brought.open_page()
    assert await path.copier.copy_together(scanned(bench, "a"), page) == {}
    assert bench.world.replica.calls["write_batch"] == 0


def test_what_shares_a_lane_comes_together_in_parts_of_a_batch():
    from service.replication.writing.lanes import Lanes

    lanes = Lanes(4, sink=None)  # type: ignore[arg-type]  nothing is applied
    items = [(key(f"item{number}"), number) for number in range(500)]
    parts = lanes.together(items)
    assert sorted(one for part in parts for one in part) == sorted(items)
    assert max(map(len, parts)) == 25
    assert len(parts) < 30
