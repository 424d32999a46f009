"""A description of the stream is a moment's guess: one listing, and any number of empty pages, prove nothing."""

from __future__ import annotations

import asyncio

from tests.chaos.test_unfit_replica import ANight, put_some
from tests.support.chaos.faults import Role
from tests.support.chaos.verdict import check_witness

EMPTY_PAGES = 25


async def test_a_finished_shard_that_comes_back_to_the_list_is_not_read_again(a_night: ANight) -> None:
    """I3: its old records would show old states again."""
    async with a_night() as night:
        lineage = night.stream.lineage
        lineage.child_delay = lineage.ending_delay = (0.0, 0.1)
        await (await night.product.start()).until_running()
        for number in range(3):
            await night.put(key={"S": "k"}, n={"N": str(number)})
        await night.until_applied()
        finished = lineage.open_shards[0].shard_id
        lineage.roll()
        await night.product.until(lambda status: len(status["shards"]) > 1)
        await night.put(key={"S": "k"}, n={"N": "9"})
        await night.until_applied()
        for round_ in range(4):
            if round_ % 2 == 0:
                night.stream.leave_out(finished, listings=1)
            lineage.roll()  # the list is asked for
            await put_some(night, f"more{round_}-")
            await night.until_applied()
        await asyncio.sleep(2.0)
        check_witness(night.proxy.witness)
        await night.check_equal()
        assert await night.product.stop() == 0


async def test_a_child_waits_for_a_parent_that_is_missing_in_the_list(a_night: ANight) -> None:
    """I1: the parent is being read, whatever the list says."""
    async with a_night(queue_max_records=10, writers=1) as night:
        lineage = night.stream.lineage
        lineage.child_delay = lineage.ending_delay = (0.0, 0.0)
        await (await night.product.start()).until_running()
        for round_ in range(3):
            parent = lineage.open_shards[0].shard_id
            night.stream.empty_before[parent] = EMPTY_PAGES
            for number in range(10):
                await night.put(key={"S": f"k{number}"}, n={"N": f"{round_}{number}"})
            await night.until_seen()
            night.stream.leave_out(parent, listings=2)
            lineage.roll()
            for number in range(10):
                await night.put(key={"S": f"k{number}"}, n={"N": f"{round_}{number}5"})
            await night.until_applied()
        check_witness(night.proxy.witness)
        await night.check_equal()
        assert await night.product.stop() == 0


async def test_open_shards_that_are_missing_at_a_start_are_no_gap(a_night: ANight) -> None:
    """The next listing has them: all of them left out once, then all pages but the first."""
    async with a_night(shards=4, on_gap="fail") as night:
        stream = night.stream
        stream.page_shards = 1
        await (await night.product.start()).until_running()
        await put_some(night, "before")
        await night.until_applied()
        for lacks in ("shards", "pages"):
            await night.product.until_caught_up()
            assert await night.product.stop() == 0
            await put_some(night, lacks)
            if lacks == "pages":
                stream.first_page_only = 1
            else:
                for shard in stream.lineage.open_shards:
                    stream.leave_out(shard.shard_id, listings=1)
            await night.product.start()
            await night.until_applied()
            status = await night.product.until_running()
            assert status["gaps"] == []
            await night.check_equal()
        assert night.proxy.plan.injected[Role.STREAM, "shard left out of a listing"]
        assert night.proxy.plan.injected[Role.STREAM, "only the first page of a listing"]
        assert await night.product.stop() == 0


async def test_records_of_a_closed_shard_behind_many_empty_pages_are_lag(a_night: ANight) -> None:
    """I8: a closed shard is at its end when an answer has no iterator, however many pages are empty."""
    async with a_night(start_at="trim_horizon", poll_interval_seconds=0.2) as night:
        await put_some(night, "behind")
        await night.until_seen()
        shard = night.stream.lineage.open_shards[0].shard_id
        night.stream.lineage.ending_delay = (0.0, 0.0)
        night.stream.lineage.roll()
        night.stream.empty_before[shard] = EMPTY_PAGES
        await night.product.start()
        seen = 0
        while night.proxy.witness.oldest_unapplied_at() is not None:
            left = night.stream.empty_before[shard]
            lag = (await night.product.status())["lag"]
            if night.proxy.witness.oldest_unapplied_at() is None:
                break
            assert not lag["caught_up"], f"{left} empty pages are left: {lag}"
            if 0 < left < EMPTY_PAGES - 5:
                seen += 1
                assert lag["seconds"] != 0, f"{left} empty pages are left: {lag}"
            await asyncio.sleep(0.05)
        assert seen, "no status was looked at between the empty pages"
        await night.product.until_caught_up()
        await night.check_equal()
        assert await night.product.stop() == 0
