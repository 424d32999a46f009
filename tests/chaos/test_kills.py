"""kill -9 at the moments when the most is under way: a migration, a snapshot, the first start."""

from __future__ import annotations

import asyncio
import random
from typing import Any

import pytest

from tests.chaos.faults import Rates, Role
from tests.chaos.supervised import Supervised
from tests.chaos.test_unfit_replica import ANight
from tests.chaos.verdict import check_witness
from tests.chaos.workload import Workload


@pytest.mark.parametrize("seed", [11])
async def test_killed_while_it_migrates_and_starts_it_comes_up_whole(a_night: ANight, seed: int) -> None:
    """Every request to the control table is slow, so that the kills fall between them."""
    dice = random.Random(seed)
    async with a_night(lease_seconds=2) as night:
        await night.put(key={"S": "a"}, n={"N": "1"})
        night.proxy.plan.of[Role.CONTROL].rates = Rates(slow=1.0)
        night.proxy.plan.of[Role.CONTROL].slow_seconds = 0.3
        for _ in range(5):
            await night.product.start_and_kill(dice.uniform(0.7, 2.5))
        night.proxy.plan.calm()
        await night.product.start()
        await night.until_applied()
        await night.product.until_caught_up()
        assert await night.check_equal() == 1
        assert await night.product.stop() == 0


@pytest.mark.parametrize("seed", [12])
async def test_killed_while_a_snapshot_runs_it_goes_on_and_brings_nothing_back(a_night: ANight, seed: int) -> None:
    """E66, E68: deletes and writes go on while it scans."""
    dice = random.Random(seed)
    settings: dict[str, Any] = {"start_at": "snapshot", "lease_seconds": 2, "max_writes_per_second": 300}
    async with a_night(**settings) as night:
        filler = Workload(night.dynamodb, night.source, seed=seed, keys=400, big=0)
        for _ in range(800):
            await filler.write_once()
        process = Supervised(night.product)
        async with Workload(night.dynamodb, night.source, seed=seed + 1, keys=400, per_second=60, big=0.01):
            for _ in range(4):
                await process.start()
                await asyncio.sleep(dice.uniform(0.5, 3.5))
                await process.kill()
            await process.start()
        await night.product.until(lambda status: status["state"] == "running", 60)
        await night.until_applied()
        await night.product.until_caught_up()
        await night.check_equal()
        check_witness(night.proxy.witness)
        jobs = (await night.product.get("/snapshots")).json()["items"]
        assert [job["state"] for job in jobs] == ["done"]
        assert await night.product.stop() == 0
