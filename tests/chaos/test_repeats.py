"""What was read and not settled is read again after a crash, and what was applied already is not applied again."""

from __future__ import annotations

import asyncio

from tests.chaos.test_unfit_replica import ANight
from tests.support.chaos.faults import Role
from tests.support.chaos.night import Night
from tests.support.chaos.verdict import check_witness

SMALL_PAGES = {"queue_max_records": 4, "writers": 4}
"""So that the states of a key do not all meet in one batch, where only the newest is written."""


async def put_rounds(night: Night, first: int, rounds: int = 12) -> None:
    for number in range(first, first + rounds):
        for key in "abc":
            await night.put(key={"S": key}, n={"N": str(number)})
    await night.until_seen()


async def test_a_child_shard_waits_for_its_parent(a_night: ANight) -> None:
    """I1: with both in the list from the start, and the parent's end shown late."""
    async with a_night(**SMALL_PAGES) as night:
        lineage = night.stream.lineage
        lineage.child_delay, lineage.ending_delay = (0.0, 0.0), (5.0, 5.0)
        await put_rounds(night, 0)
        lineage.split()
        await put_rounds(night, 100)
        lineage.roll()
        await put_rounds(night, 200)
        await night.product.start()
        await night.until_applied()
        check_witness(night.proxy.witness)
        assert await night.check_equal() == 3
        assert await night.product.stop() == 0


async def test_what_was_applied_and_not_saved_is_not_applied_again(a_night: ANight) -> None:
    """I3: killed before its first checkpoint, it reads everything again."""
    async with a_night(**SMALL_PAGES, checkpoint_interval_seconds=60, lease_seconds=4) as night:
        await put_rounds(night, 0)
        await night.product.start()
        await night.until_applied()
        states = sum(map(len, night.proxy.witness.replica.values()))
        await night.product.kill()
        await night.product.start()
        await put_rounds(night, 100, 1)
        await night.until_applied()
        check_witness(night.proxy.witness)
        assert sum(map(len, night.proxy.witness.replica.values())) == states + 3
        assert await night.product.stop() == 0


async def test_what_was_read_and_not_applied_is_not_lost_by_a_kill(a_night: ANight) -> None:
    """I2: checkpoints are saved all the time, while the replica takes nearly nothing of what was read."""
    async with a_night(checkpoint_interval_seconds=0.2, lease_seconds=4) as night:
        for number in range(120):
            await night.put(key={"S": f"k{number}"}, n={"N": "1"})
        await night.until_seen()
        night.proxy.plan.of[Role.REPLICA].writes_per_second = 4.0
        for _ in range(2):
            await night.product.start()
            await night.product.until(lambda status: status["totals"]["items_written"] > 2)
            await asyncio.sleep(0.6)
            assert len(night.proxy.witness.replica) < 120, "the kill came too late"
            await night.product.kill()
        night.proxy.plan.calm()
        await night.product.start()
        await night.until_applied()
        assert await night.check_equal() == 120
        check_witness(night.proxy.witness)
        assert await night.product.stop() == 0
