"""kill -9 at the moments when the most is under way: a migration, the first start, a snapshot, a replay, a redrive."""

from __future__ import annotations

import asyncio
import contextlib
import random
import re
from typing import Any

import httpx
import pytest

from tests.chaos.test_unfit_replica import ANight
from tests.support.chaos.faults import Rates, Role
from tests.support.chaos.night import Night
from tests.support.chaos.supervisor import Supervised
from tests.support.chaos.verdict import check_witness
from tests.support.chaos.workload import Workload
from tests.support.patience import PATIENCE_SECONDS


@pytest.mark.parametrize("seed", [11])
async def test_killed_while_it_migrates_and_starts_it_comes_up_whole(a_night: ANight, seed: int) -> None:
    """Killed after the first to the eleventh of its requests: some of them are the migration's."""
    dice = random.Random(seed)
    async with a_night(lease_seconds=3) as night:
        await night.put(key={"S": "a"}, n={"N": "1"})
        for _ in range(5):
            asked = len(night.proxy.witness.requests)
            await night.product.launch()
            enough = asked + dice.randrange(1, 12)
            await night.until(lambda: len(night.proxy.witness.requests) >= enough, what="it is asked")  # noqa: B023 it is awaited here
            await night.product.kill()
            await break_lock(night)
        night.proxy.plan.calm()
        await night.product.start()
        await night.until_applied()
        await night.until_settled()
        assert await night.check_equal() == 1
        assert await night.product.stop() == 0


async def break_lock(night: Night) -> None:
    """As schemas/README.md allows when the owner is surely dead; otherwise the next one waits for a minute."""
    key = {"pipeline": {"S": "#schema"}, "item": {"S": "lock"}}
    with contextlib.suppress(night.dynamodb.exceptions.ResourceNotFoundException):  # killed before the table was there
        await night.dynamodb.delete_item(TableName=night.control, Key=key)


@pytest.mark.parametrize("seed", [12])
async def test_killed_while_a_snapshot_runs_it_goes_on_and_brings_nothing_back(a_night: ANight, seed: int) -> None:
    """E66, E68: deletes and writes go on while it scans."""
    dice = random.Random(seed)
    settings: dict[str, Any] = {"start_at": "snapshot", "lease_seconds": 3, "max_writes_per_second": 100}
    async with a_night(**settings) as night:
        await night.put_all([{"key": {"S": f"k{number}"}, "n": {"N": f"-{number}"}} for number in range(400)])
        process, copied = Supervised(night.product), night.proxy.witness.replica
        async with Workload(night.dynamodb, night.source, seed=seed, keys=400, per_second=40, big=0.01):
            for _ in range(2):
                before = len(copied)
                await process.start()
                await night.until(lambda: len(copied) > before, what="it copies")  # noqa: B023 it is awaited here
                await asyncio.sleep(dice.uniform(0.1, 1.0))
                await process.kill()
            assert len(copied) < 380, "the kills came too late"
            await process.start()
            await night.product.until(lambda status: status["state"] == "running")
        await night.until_applied()
        await night.until_settled()
        await night.check_equal()
        check_witness(night.proxy.witness)
        (job,) = (await night.told("/snapshots"))["items"]
        await until_done(night, f"/snapshots/{job['id']}")
        assert await night.product.stop() == 0


async def test_killed_while_a_replay_runs_it_goes_on_and_takes_nothing_back(a_night: ANight) -> None:
    """I3, E70: changes go on meanwhile; what was damaged is mended, and nothing else is written twice."""
    async with a_night(lease_seconds=3, queue_max_records=20, writers=4) as night:
        filler = Workload(night.dynamodb, night.source, seed=13, keys=100, big=0)
        for _ in range(300):
            await filler.write_once()
        await (await night.product.start()).until_running()
        await night.until_applied()
        for item in (await night.dynamodb.scan(TableName=night.replica))["Items"][:20]:
            await night.dynamodb.delete_item(TableName=night.replica, Key={"key": item["key"]})
        night.proxy.plan.of[Role.REPLICA].rates = Rates(slow=1.0)
        night.proxy.plan.of[Role.REPLICA].slow_seconds = 0.2
        path = (await night.product.post("/replay", {"from": "trim_horizon"})).headers["location"]
        before = await read_by(night, path, more_than=0)
        await read_by(night, path, more_than=before)
        await night.product.kill()
        await filler.write_once()
        await (await night.product.start()).until_running()
        assert (await night.told(path))["state"] == "running", "the kill came too late"
        night.proxy.plan.calm()
        await until_done(night, path)
        await night.until_applied()
        await night.check_equal()
        check_witness(night.proxy.witness)
        assert await night.product.stop() == 0


async def until_done(night: Night, path: str) -> None:
    async with asyncio.timeout(PATIENCE_SECONDS):
        while (await night.told(path))["state"] != "done":  # noqa: ASYNC110 a process has no event to wait for
            await asyncio.sleep(0.1)


async def read_by(night: Night, path: str, *, more_than: int) -> int:
    """How many records a replay has read, once they are more than so many."""
    async with asyncio.timeout(PATIENCE_SECONDS):
        while True:
            job = await night.told(path)
            if job["records_read"] > more_than:
                return int(job["records_read"])
            await asyncio.sleep(0.05)


async def test_killed_while_it_redrives_it_loses_no_letter_and_takes_nothing_back(a_night: ANight) -> None:
    """I3, I7: a letter ends after its write, so that one between the two is found superseded by who goes on."""
    async with a_night(lease_seconds=3) as night:
        witness = night.proxy.witness
        replica, control = night.proxy.plan.of[Role.REPLICA], night.proxy.plan.of[Role.CONTROL]
        replica.poison = re.compile("poison")
        await (await night.product.start()).until_running()
        # Redriven 32 at a time, the oldest first: what is made newer is not at its turn before the kill.
        older, newer = range(32), range(32, 40)
        for number in (*older, *newer):
            await night.put(key={"S": f"poison{number}"}, n={"N": "1"})
        await night.product.until(lambda status: status["dead_letters"] == 40)
        replica.poison, replica.writes_per_second = None, 5.0
        control.rates, control.slow_seconds = Rates(slow=1.0), 0.1
        waiting = {witness.key_of({"key": {"S": f"poison{number}"}}) for number in older}
        for round_ in (2, 3):
            enough = len(waiting & witness.replica.keys()) + 3
            redriving = asyncio.create_task(night.redrive())
            await night.until(lambda: len(waiting & witness.replica.keys()) >= enough, what="a redrive writes")  # noqa: B023
            await night.product.kill()
            await asyncio.wait([redriving])
            assert isinstance(redriving.exception(), httpx.TransportError), "the kill came too late"
            for number in newer:
                await night.put(key={"S": f"poison{number}"}, n={"N": str(round_)})
            await (await night.product.start()).until_running()
        night.proxy.plan.calm()
        await night.until_applied(but=lambda key: key in waiting)
        for job in (await night.told("/redrives"))["items"]:
            ended = await night.redriven(job["id"])
            assert (ended["state"], ended["failed"]) == ("done", 0), ended
        assert await night.dead_letters() == []
        await night.product.until(lambda status: status["dead_letters"] == 0)
        lost = waiting - witness.replica.keys()
        assert not lost, f"neither in the replica nor a dead letter: {lost}"
        assert await night.check_equal() == 40
        check_witness(witness)
        assert await night.product.stop() == 0
