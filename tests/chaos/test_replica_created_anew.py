"""The replica is deleted and created anew by hand: another table, which holds nothing of what was written."""

from __future__ import annotations

import pytest

from tests.chaos.night import Night
from tests.chaos.test_unfit_replica import ANight, put_some
from tests.servers import create_streamed_table


async def create_anew(night: Night) -> None:
    await night.dynamodb.delete_table(TableName=night.replica)
    await create_streamed_table(night.dynamodb, night.replica)
    night.proxy.witness.replica.clear()


async def replica_is_created_anew(night: Night, *, is_stopped: bool) -> None:
    """It held five items; one more is written after."""
    await (await night.product.start()).until_running()
    await put_some(night, "before")
    await night.until_applied()
    await night.product.until_caught_up()
    if is_stopped:
        assert await night.product.stop() == 0
    await create_anew(night)
    if is_stopped:
        await night.product.start()
    await night.put(key={"S": "after"}, n={"N": "1"})


@pytest.mark.parametrize("is_stopped", [False, True], ids=["running", "stopped"])
async def test_a_replica_that_was_created_anew_is_healed(a_night: ANight, is_stopped: bool) -> None:
    async with a_night(on_gap="snapshot") as night:
        await replica_is_created_anew(night, is_stopped=is_stopped)
        await night.until(lambda: len(night.proxy.witness.replica) == 6, 40, what="all items are there again")
        await night.product.until_caught_up()
        assert await night.check_equal() == 6
        assert await night.product.stop() == 0


@pytest.mark.parametrize("is_stopped", [False, True], ids=["running", "stopped"])
async def test_a_replica_that_was_created_anew_is_a_failure(a_night: ANight, is_stopped: bool) -> None:
    async with a_night(on_gap="fail") as night:
        await replica_is_created_anew(night, is_stopped=is_stopped)
        await night.product.until(lambda status: status["state"] == "failed", 20)
        assert (await night.product.get("/readyz")).status_code == 503
