"""Writes that take effect after their sender gave them up: mended in mode auto, without effect in mode strict."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from tests.chaos.test_unfit_replica import ANight
from tests.support.chaos.faults import Rates, Role
from tests.support.chaos.night import Night
from tests.support.chaos.status_sampler import Sampler
from tests.support.chaos.verdict import check_witness
from tests.support.chaos.workload import Workload

LATE = Rates(late=1 / 12)
LEAST = 4
"""So many late writes, at least, a night is made of."""


async def write(night: Night, seed: int, changes: int, late: int = LEAST) -> None:
    """So many changes, and more until so many writes of the replica were late: a slow machine makes one of several."""
    workload = Workload(night.dynamodb, night.source, seed=seed, big=0)
    last = night.proxy.plan.injected[Role.REPLICA, "late"] + late
    while workload.writes < changes or night.proxy.plan.injected[Role.REPLICA, "late"] < last:
        await workload.write_once()
        await asyncio.sleep(0.004)


async def until_mended(night: Night) -> None:
    """Nobody asks for it. How soon it is: property/test_late_writes.py, on virtual time."""
    proxy = night.proxy
    await night.until_seen()
    for role in Role:
        proxy.plan.of[role].rates = Rates()
    await night.until(lambda: not proxy.late_pending, what="no late write is under way")
    await night.until_applied()
    await night.check_equal()


def in_doubt(status: dict[str, Any]) -> int:
    number: int = status["lag"].get("keys_in_doubt", 0)
    return number


async def test_in_auto_what_a_late_write_took_back_is_mended_by_itself(a_night: ANight) -> None:
    """I3, I8: the status says so until then."""
    async with a_night(write_mode="auto") as night:
        await (await night.product.start()).until_running()
        night.proxy.plan.of[Role.REPLICA].rates = LATE
        async with Sampler(night) as sampler:
            await write(night, 21, 250)
            status = await night.product.status()
            assert in_doubt(status) > 0, status["lag"]
            assert not status["lag"]["caught_up"]
            await write(night, 22, 250)
            await until_mended(night)
        assert not sampler.lies, sampler.lies[:3]
        check_witness(night.proxy.witness, may_land_late=True)
        assert await night.product.stop() == 0


async def test_in_strict_a_late_write_shows_no_older_state(a_night: ANight) -> None:
    """I3: nobody who reads the replica sees one, not even for a moment."""
    async with a_night(write_mode="strict") as night:
        await (await night.product.start()).until_running()
        night.proxy.plan.of[Role.REPLICA].rates = LATE
        await write(night, 23, 350)
        await until_mended(night)
        check_witness(night.proxy.witness)
        assert await night.product.stop() == 0


@pytest.mark.parametrize("takes_over", [False, True], ids=["started again", "a second takes over"])
async def test_late_writes_of_a_killed_process_are_mended_by_the_next(a_night: ANight, takes_over: bool) -> None:
    """I2, I3: what is in doubt is known over kill -9."""
    async with a_night(write_mode="auto", lease_seconds=4) as night:
        await (await night.product.start()).until_running()
        night.proxy.plan.of[Role.REPLICA].rates = Rates(late=0.25)
        night.proxy.plan.of[Role.REPLICA].late_seconds = (0.5, 5.0)
        await write(night, 25, 150)
        await night.until(lambda: night.proxy.late_pending > 0, what="a late write is under way")
        await night.product.kill()
        product = await night.another("second") if takes_over else night.product
        await product.start()
        await write(night, 26, 50, late=0)
        await product.until_running()
        await until_mended(night)
        check_witness(night.proxy.witness, may_land_late=True)
        assert await product.stop() == 0
