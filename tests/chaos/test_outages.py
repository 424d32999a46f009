"""The source, the control table and the network are away for a while, each alone."""

from __future__ import annotations

import asyncio
import time

import pytest

from tests.chaos.faults import Outage, Role
from tests.chaos.sampler import Sampler
from tests.chaos.test_unfit_replica import ANight, put_some, until_not_ready
from tests.chaos.verdict import check_witness
from tests.chaos.workload import Workload


@pytest.mark.parametrize("outage", list(Outage))
async def test_while_the_source_is_away_the_lag_grows(a_night: ANight, outage: Outage) -> None:
    """I8, E75; the readiness of a dead reader has its own limit of 30 s, which one of the three waits for."""
    async with a_night() as night:
        await (await night.product.start()).until_running()
        await put_some(night, "before")
        await night.until_applied()
        for role in (Role.SOURCE, Role.STREAM):
            night.proxy.plan.of[role].outage = outage
        began = time.monotonic()
        await put_some(night, "during")
        await night.product.until(lambda status: status["lag"]["seconds"] > 4 and not status["lag"]["caught_up"], 20)
        if outage is Outage.HANG:
            await until_not_ready(night, "was not read successfully", 45)
            assert time.monotonic() - began > 25
            assert (await night.product.status())["lag"]["seconds"] > 25
        night.proxy.plan.calm()
        await night.until_applied()
        await night.product.until_caught_up()
        assert (await night.product.get("/readyz")).status_code == 200
        check_witness(night.proxy.witness)
        assert await night.product.stop() == 0


async def test_without_the_control_table_nothing_is_written_once_the_lease_may_be_anothers(a_night: ANight) -> None:
    """I5: trust ends before the lease does; when the table is back, it goes on by itself and loses nothing."""
    lease_seconds = 2.0
    async with (
        a_night(lease_seconds=lease_seconds) as night,
        Workload(night.dynamodb, night.source, seed=1, per_second=30, big=0) as _,
    ):
        await (await night.product.start()).until_running()
        async with Sampler(night) as sampler:
            night.proxy.plan.of[Role.CONTROL].outage = Outage.RESET
            await asyncio.sleep(lease_seconds + 0.2)
            over_at = time.monotonic()
            await asyncio.sleep(2.0)
            late = night.proxy.witness.since(over_at, Role.REPLICA, writes_only=True)
            assert not late, f"{len(late)} writes after the lease had run out"
            night.proxy.plan.calm()
            await night.product.until_running()
        await asyncio.sleep(0.5)
        assert not sampler.lies
        assert len(night.proxy.witness.since(over_at, Role.REPLICA, writes_only=True)) > 0
        check_witness(night.proxy.witness)


async def test_a_woken_process_writes_nothing_when_another_has_taken_over(a_night: ANight) -> None:
    """I5, E63: SIGSTOP for longer than the lease, then SIGCONT."""
    lease_seconds = 2.0
    async with a_night(lease_seconds=lease_seconds) as night:
        second = await night.another("second")
        await (await night.product.start()).until_running()
        await second.start()
        async with Workload(night.dynamodb, night.source, seed=2, per_second=150, big=0.002):
            for sleeper, waker, door in ((night.product, second, "first"), (second, night.product, "second")):
                await asyncio.sleep(1.0)
                sleeper.freeze()
                await waker.until_running(30)
                await asyncio.sleep(1.0)
                woken_at = time.monotonic()
                sleeper.wake()
                await asyncio.sleep(2.0)
                late = night.proxy.witness.since(woken_at, Role.REPLICA, door=door, writes_only=True)
                assert not late, f"{len(late)} writes of a process that had lost its lease: {late[:3]}"
                assert (await sleeper.status())["role"] == "standby"
        await night.until_applied()
        await night.check_equal()
        check_witness(night.proxy.witness)
        assert await second.stop() == 0
        assert await night.product.stop() == 0


async def test_a_throttled_replica_is_asked_for_about_what_it_gives(a_night: ANight) -> None:
    """Pressure waits, and does not waste requests: most of what is sent does something."""
    async with a_night(writers=16) as night:
        for number in range(600):
            await night.put(key={"S": f"k{number}"}, n={"N": "1"})
        night.proxy.plan.of[Role.REPLICA].writes_per_second = 100.0
        await night.product.start()
        await night.until_applied(60)
        requests = night.proxy.witness.since(0, Role.REPLICA, writes_only=True)
        # 100 writes a second in batches of up to 25: at the least 24 requests do it, and one in a while finds no room.
        assert len(requests) < 150, f"{len(requests)} requests for 600 items at 100 a second"
        assert night.proxy.plan.injected[Role.REPLICA, "left undone"] > 0
        await night.check_equal()
        assert await night.product.stop() == 0
