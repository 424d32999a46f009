"""How much the control table is asked: modestly, idle or busy, with the contract's defaults."""

from __future__ import annotations

import asyncio
import time

from tests.chaos.test_unfit_replica import ANight
from tests.support.chaos.faults import Role
from tests.support.chaos.night import Night
from tests.support.chaos.workload import Workload

IDLE_SECONDS, BUSY_SECONDS = 5.0, 8.0


async def requests_a_minute(night: Night, seconds: float) -> float:
    began = time.monotonic()
    await asyncio.sleep(seconds)
    return len(night.proxy.witness.since(began, Role.CONTROL)) * 60 / (time.monotonic() - began)


async def test_the_control_table_is_asked_a_few_times_a_second_at_most(a_night: ANight) -> None:
    """Idle: the lease's renewals, five in a lease time. Busy: a save each checkpoint interval beside them."""
    async with a_night(lease_seconds=10, checkpoint_interval_seconds=1) as night:
        await night.put(key={"S": "a"}, n={"N": "1"})
        await night.product.start()
        await night.until_applied()
        await night.product.until_caught_up()
        idle = await requests_a_minute(night, IDLE_SECONDS)
        async with Workload(night.dynamodb, night.source, seed=5, per_second=100, big=0):
            busy = await requests_a_minute(night, BUSY_SECONDS)
        print(f"requests a minute: idle {idle:.0f}, busy {busy:.0f}")
        assert idle <= 60
        assert busy <= 120
        assert await night.product.stop() == 0
