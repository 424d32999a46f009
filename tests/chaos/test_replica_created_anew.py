"""The replica is deleted and created anew by hand: another table, which holds nothing of what was written.

Each way to notice it and each setting once; the histories play them all.
"""

from __future__ import annotations

from tests.chaos.test_unfit_replica import ANight, put_some
from tests.support.chaos.night import Night


async def replica_is_created_anew(night: Night, *, is_stopped: bool) -> None:
    """It held five items; one more is written after."""
    await (await night.product.start()).until_running()
    await put_some(night, "before")
    await night.until_applied()
    await night.until_settled()
    if is_stopped:
        assert await night.product.stop() == 0
    await night.replica_anew()
    if is_stopped:
        await night.product.start()
    await night.put(key={"S": "after"}, n={"N": "1"})


async def test_a_replica_that_is_created_anew_under_a_running_pipeline_is_healed(a_night: ANight) -> None:
    async with a_night(on_gap="snapshot") as night:
        await replica_is_created_anew(night, is_stopped=False)
        await night.until(lambda: len(night.proxy.witness.replica) == 6, what="all items are there again")
        await night.until_settled()
        assert await night.check_equal() == 6
        assert await night.product.stop() == 0


async def test_a_replica_that_was_created_anew_while_nothing_ran_is_a_failure(a_night: ANight) -> None:
    async with a_night(on_gap="fail") as night:
        await replica_is_created_anew(night, is_stopped=True)
        await night.product.until(lambda status: status["state"] == "failed")
        assert (await night.product.get("/readyz")).status_code == 503
