"""Keys in doubt are looked at again: what a lost request took back is told as a late write, and nothing else is."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from service.errors import AmbiguousError
from service.events import LateWriteMended
from service.replication.change_queue import ChangeQueue
from service.replication.guard_window import GuardWindow
from service.replication.writing.write_path import WritePath
from tests.fakes.clock import EPOCH
from tests.fakes.images import image_of
from tests.support.workbench import Bench, item, key


@asynccontextmanager
async def looking(bench: Bench) -> AsyncIterator[WritePath]:
    """Its lanes run until the block ends."""
    path, queue = await bench.open(), ChangeQueue(100, 10**6)
    running = asyncio.create_task(path.lanes.apply_all(queue), name="lanes")
    yield path
    queue.close()
    await running


async def look(bench: Bench, path: WritePath) -> int:
    """At the keys whose time it is; how many late writes were told of by then."""
    await bench.process.clock.sleep(1)
    await path.second_looks.look_once()
    return len(bench.log.of(LateWriteMended))


async def lost(bench: Bench, path: WritePath, *changes) -> None:
    """They are applied; the answer to their first request is lost."""
    bench.world.plan.fail_next("replica.write_batch", AmbiguousError("lost"))
    await path.sink.apply([[change] for change in changes])
    assert all(change.key in path.doubts for change in changes)


async def test_what_a_lost_request_took_back_is_mended_and_told():
    bench = Bench()
    async with looking(bench) as path:
        older, newer = bench.put("a", "1"), bench.put("a", "2")
        await lost(bench, path, newer)
        bench.world.replica.preset(item("a", "1", dynamirror_sequence={"S": older.sequence.guard}))
        assert await look(bench, path) == 1
        assert bench.held("a") == item("a", "2")


async def test_what_a_lost_request_brought_back_is_removed_and_told():
    bench = Bench()
    async with looking(bench) as path:
        older, newer = bench.put("a", "1"), bench.delete("a")
        await lost(bench, path, newer)
        bench.world.replica.preset(item("a", "1", dynamirror_sequence={"S": older.sequence.guard}))
        assert await look(bench, path) == 1
        assert bench.held("a") is None


@pytest.mark.parametrize("copies", ["batch", "one", "refresh"])
async def test_a_job_s_item_that_the_source_has_overtaken_is_no_late_write(copies):
    bench = Bench(window=GuardWindow(guards_all=False, until=EPOCH + 1000))
    async with looking(bench) as path:
        older = bench.put("a", "1")
        page = path.guard.brought.open_page()
        path.doubts.note([key("a")])
        if copies == "batch":
            await path.copier.copy_together([(older.key, image_of(item("a", "1")))], page)
        elif copies == "one":
            await path.copier.copy(older.key, image_of(item("a", "1")), page)
        else:
            await path.guard.refresh(older.key)
        bench.put("a", "2")  # its record is on its way
        assert await look(bench, path) == 0
        assert bench.held("a") == item("a", "2")


@pytest.mark.parametrize("copies", ["batch", "one", "refresh"])
async def test_a_job_that_brings_what_the_stream_has_removed_last_leaves_no_late_write(copies):
    bench = Bench(window=GuardWindow(guards_all=False))
    async with looking(bench) as path:
        bench.put("a", "1")
        await lost(bench, path, bench.delete("a"))
        page = path.guard.brought.open_page()
        bench.put("a", "2")  # its record, and the next one's, are on their way
        if copies == "batch":
            await path.copier.copy_together([(key("a"), image_of(item("a", "2")))], page)
        elif copies == "one":
            await path.copier.copy(key("a"), image_of(item("a", "2")), page)
        else:
            await path.guard.refresh(key("a"))
        assert bench.held("a") == item("a", "2")
        bench.put("a", "3")
        assert await look(bench, path) == 0
        assert bench.held("a") == item("a", "3")


async def test_a_stale_change_of_a_source_that_is_ahead_is_no_late_write():
    bench = Bench(window=GuardWindow(guards_all=True))
    async with looking(bench) as path:
        first = bench.put("a", "1")
        bench.put("a", "2")
        path.doubts.note([key("a")])
        await path.sink.apply([[first]])  # the source has a newer state, so that nothing is written
        assert bench.held("a") is None
        assert await look(bench, path) == 0
        assert bench.held("a") == item("a", "2")


async def test_the_right_content_under_a_lower_number_gets_its_number_and_is_no_late_write():
    bench = Bench()
    async with looking(bench) as path:
        older = bench.put("a", "1")
        bench.put("a", "2")
        newest = bench.put("a", "1")
        await lost(bench, path, newest)
        bench.world.replica.preset(item("a", "1", dynamirror_sequence={"S": older.sequence.guard}))
        assert await look(bench, path) == 0
        assert bench.number("a") == newest.sequence.guard


async def test_what_was_left_in_doubt_by_a_former_flow_is_no_late_write_though_the_source_is_ahead():
    """It could not renew its lease in time: the stream is read again from the checkpoint, which takes a while."""
    bench = Bench()
    async with looking(bench) as path:
        change = bench.put("a", "1")
        bench.world.replica.preset(item("a", "1", dynamirror_sequence={"S": change.sequence.guard}))
        path.doubts.note([key("a")])
        bench.put("a", "2")
        assert await look(bench, path) == 0
        assert bench.held("a") == item("a", "2")
