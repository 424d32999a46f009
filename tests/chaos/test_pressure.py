"""More than the replica takes, more shards than records, a key hotter than all others: nobody quiet has to wait."""

from __future__ import annotations

import asyncio
import time
import zlib

from tests.chaos.test_unfit_replica import ANight
from tests.support.chaos.faults import Role
from tests.support.chaos.lineage import VirtualShard
from tests.support.chaos.night import Night
from tests.support.chaos.verdict import check_witness


def keys_of(night: Night, shard: VirtualShard, count: int, prefix: str) -> list[str]:
    """Keys whose records go to this shard."""
    found: list[str] = []
    number = 0
    while len(found) < count:
        key = f"{prefix}{number}"
        if zlib.crc32(night.proxy.witness.key_of({"key": {"S": key}}).encode()) in shard.hashes:
            found.append(key)
        number += 1
    return found


async def test_a_quiet_shard_does_not_wait_for_the_backlog_of_a_busy_one(a_night: ANight) -> None:
    """The queue is full all the time; its places go round."""
    async with a_night(shards=2, queue_max_records=50) as night:
        busy, quiet = night.stream.lineage.open_shards
        backlog = keys_of(night, busy, 400, "busy")
        (late,) = keys_of(night, quiet, 1, "quiet")
        await night.put_all([{"key": {"S": key}, "n": {"N": "1"}} for key in backlog])
        await night.until_seen()
        night.proxy.plan.of[Role.REPLICA].writes_per_second = 40.0
        await night.product.start()
        await night.product.until(lambda status: status["queue"]["records"] >= 49)
        await night.put(key={"S": late}, n={"N": "1"})
        key = night.proxy.witness.key_of({"key": {"S": late}})
        await night.until(lambda: key in night.proxy.witness.replica, what="the quiet shard's change is applied")
        before = len(night.proxy.witness.replica) - 1
        # The queue's 50 and a page of 50 may be before it, and what comes while a busy machine looks elsewhere.
        assert before < 300, f"{before} of the busy shard's 400 changes went before it"
        night.proxy.plan.calm()
        await night.until_applied()
        assert await night.check_equal() == 401
        check_witness(night.proxy.witness)
        assert await night.product.stop() == 0


async def test_a_hot_key_costs_few_writes_and_holds_back_nobody(a_night: ANight) -> None:
    """Nine of ten records are one key's; what waits of it becomes one write."""
    async with a_night(queue_max_records=100) as night:
        hot = 270
        for number in range(hot):
            await night.put(key={"S": "hot"}, n={"N": str(number)})
            if number % 9 == 0:
                await night.put(key={"S": f"k{number}"}, n={"N": str(number)})
        await night.until_seen()
        night.proxy.plan.of[Role.REPLICA].writes_per_second = 100.0
        await night.product.start()
        await night.until_applied()
        states = {key: len(states) for key, states in night.proxy.witness.replica.items()}
        writes = states.pop(night.proxy.witness.key_of({"key": {"S": "hot"}}))
        print(f"{writes} writes for {hot} states of the hot key")
        assert writes < hot / 4
        assert set(states.values()) == {1}
        await night.product.until(lambda status: status["totals"]["records_applied"] == hot + len(states))
        assert await night.check_equal() == 1 + len(states)
        check_witness(night.proxy.witness)
        assert await night.product.stop() == 0


async def test_many_shards_are_all_read_and_modestly_asked(a_night: ANight) -> None:
    """E1, E2, E79: the list has two pages; each shard has its turn, and a turn a second is enough."""
    shards, seconds = 60, 2.0
    slowly = {"poll_interval_seconds": 1, "lease_seconds": 10, "checkpoint_interval_seconds": 1}
    async with a_night(shards=shards, **slowly) as night:
        night.stream.page_shards = shards // 2
        began = time.monotonic()
        await night.put_all([{"key": {"S": f"k{number}"}, "n": {"N": "1"}} for number in range(90)])
        await night.until_seen()
        await night.product.start()
        await night.until_applied()
        status = await night.product.until_caught_up()
        assert len(status["shards"]) == shards
        assert {shard["state"] for shard in status["shards"]} == {"reading"}
        described = [one for one in night.proxy.witness.since(began, Role.STREAM) if one.operation == "DescribeStream"]
        assert len(described) <= 10 * (time.monotonic() - began), "DescribeStream takes 10 requests a second"
        began = time.monotonic()
        await asyncio.sleep(seconds)
        reads = night.proxy.witness.since(began, Role.STREAM)
        control = night.proxy.witness.since(began, Role.CONTROL)
        seconds = time.monotonic() - began
        print(f"{len(reads) / seconds:.0f} reads a second, {len(control) * 60 / seconds:.0f} a minute of control")
        assert len(reads) <= shards * (seconds + 1)
        assert len(control) <= 5 * seconds
        assert await night.check_equal() == 90
        assert await night.product.stop() == 0
