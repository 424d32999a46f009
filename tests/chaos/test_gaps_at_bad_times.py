"""History that is lost in the midst of a snapshot, or in a stop that was longer than the stream keeps it."""

from __future__ import annotations

import asyncio
from typing import Any

from tests.chaos.test_unfit_replica import ANight, put_some
from tests.support.chaos.faults import Role
from tests.support.chaos.night import Night
from tests.support.chaos.verdict import check_witness

HOUR = 3600.0


async def trim_all(night: Night) -> None:
    await night.until_seen()
    for shard in list(night.stream.lineage.shards.values()):
        night.stream.lineage.trim(shard.shard_id)
    night.proxy.plan.note(Role.STREAM, "trimmed")


async def lose_history_in_a_snapshot(night: Night) -> str:
    """Part of the segments are copied; then the product is away, and what happens meanwhile is lost. The old job."""
    for number in range(200):
        await night.put(key={"S": f"k{number}"}, n={"N": str(number)})
    await night.until_seen()
    scans = 0

    async def hold(role: Role, operation: str, payload: dict[str, Any]) -> None:
        nonlocal scans
        if role is Role.SOURCE and operation == "Scan":
            if payload.get("Segment", 0) % 2:
                await asyncio.sleep(60)
            scans += 1

    night.proxy.before_read = hold
    await night.product.start()
    await night.until(lambda: len(night.proxy.witness.replica) > 20, what="some segments are copied")
    await asyncio.sleep(1.5)
    job = (await night.told("/snapshots"))["items"][0]
    assert job["state"] == "running"
    await night.product.kill()
    for number in range(0, 200, 2):
        await night.delete(key={"S": f"k{number}"})
        await night.put(key={"S": f"k{number + 1}"}, n={"N": f"9{number}"})
    await trim_all(night)
    night.proxy.set_clock(25 * HOUR)
    night.proxy.before_read = None
    found: str = job["id"]
    return found


async def test_a_gap_in_the_midst_of_a_snapshot_heals_with_a_new_one(a_night: ANight) -> None:
    """I2, I6: nothing extra is left of the segments that were copied before."""
    async with a_night(start_at="snapshot", on_gap="snapshot") as night:
        old = await lose_history_in_a_snapshot(night)
        await night.product.start()
        await put_some(night, "after")
        await night.until_applied()
        await night.until_settled()
        await night.check_equal()
        assert (await night.told(f"/snapshots/{old}"))["state"] == "failed"
        assert await night.product.stop() == 0


async def test_a_gap_in_the_midst_of_a_snapshot_fails_when_it_is_to(a_night: ANight) -> None:
    async with a_night(start_at="snapshot", on_gap="fail") as night:
        await lose_history_in_a_snapshot(night)
        await night.product.start()
        status = await night.product.until(lambda status: status["state"] == "failed")
        assert status["gaps"]
        assert (await night.product.get("/readyz")).status_code == 503


async def idle_and_stop(night: Night) -> None:
    """It holds a position without a sequence number."""
    await night.product.start()
    await night.product.until_caught_up()
    await asyncio.sleep(1.0)
    assert await night.product.stop() == 0
    for number in range(200):
        await night.put(key={"S": f"k{number % 150}"}, n={"N": str(number)})
    await night.until_seen()


async def test_a_stop_of_more_than_a_day_that_lost_records_is_a_gap(a_night: ANight) -> None:
    """I2: a position without a number is as good as the time since it was last known to be read up to."""
    async with a_night(start_at="latest", on_gap="fail") as night:
        await idle_and_stop(night)
        shard = night.stream.lineage.open_shards[0]
        night.stream.lineage.trim(shard.shard_id, shard.records[140].number)
        night.proxy.set_clock(25 * HOUR)
        await night.product.start()
        status = await night.product.until(lambda status: status["state"] == "failed" or status["lag"]["caught_up"])
        assert status["state"] == "failed", status["lag"]
        assert status["gaps"]
        assert (await night.product.get("/readyz")).status_code == 503


async def test_a_stop_of_two_hours_is_no_gap_and_loses_nothing(a_night: ANight) -> None:
    async with a_night(start_at="latest", on_gap="fail") as night:
        await idle_and_stop(night)
        night.proxy.set_clock(2 * HOUR)
        await night.product.start()
        await night.until_applied()
        status = await night.until_settled()
        assert status["gaps"] == []
        await night.check_equal()
        check_witness(night.proxy.witness)
        assert await night.product.stop() == 0
