"""Our clock is wrong by minutes: AWS's answers and records have another time than this machine.

Hours and days: `acceptance/test_clocks.py`, and the histories, which begin with each such clock in turn.
"""

from __future__ import annotations

import asyncio

import pytest

from tests.chaos.test_unfit_replica import ANight, put_some
from tests.support.chaos.verdict import check_witness
from tests.support.chaos.workload import Workload


@pytest.mark.parametrize("offset", [150.0, -150.0])
@pytest.mark.parametrize("start_at", ["latest", "snapshot"])
async def test_a_first_start_under_writes_drops_nothing(a_night: ANight, start_at: str, offset: float) -> None:
    """I2: what comes after the start is applied, however our clock differs from the service's."""
    async with a_night(start_at=start_at) as night:
        night.proxy.set_clock(offset)
        async with Workload(night.dynamodb, night.source, seed=31, per_second=60, big=0, keys=200):
            await asyncio.sleep(0.5)
            await (await night.product.start()).until_running()
            await asyncio.sleep(1.0)
        await put_some(night, "after")
        await night.until_seen()
        newest = {f'{{"key":{{"S":"after{number}"}}}}' for number in range(5)}
        if start_at == "snapshot":
            await night.until_applied()
            await night.check_equal()
        else:
            await night.until(lambda: newest <= night.proxy.witness.replica.keys(), what="what came last is applied")
        check_witness(night.proxy.witness)
        assert await night.product.stop() == 0


@pytest.mark.parametrize("offset", [150.0, -150.0])
async def test_after_a_kill_nothing_goes_back(a_night: ANight, offset: float) -> None:
    """I3: what may have been applied before is judged in the service's time."""
    async with a_night(checkpoint_interval_seconds=5, lease_seconds=4, write_mode="auto") as night:
        night.proxy.set_clock(offset)
        await (await night.product.start()).until_running()
        for number in range(5):
            for key in range(20):
                await night.put(key={"S": f"k{key}"}, n={"N": f"{number}{key}"})
            await night.until_applied()
        await night.product.kill()
        await night.product.start()
        await put_some(night, "after")
        await night.until_applied()
        await night.check_equal()
        check_witness(night.proxy.witness)
        assert await night.product.stop() == 0
