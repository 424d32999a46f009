"""History that was trimmed before it was read: seen, told, and mended by a snapshot (I2, E7, E8)."""

from __future__ import annotations

from tests.chaos.test_unfit_replica import ANight, put_some
from tests.support.chaos.night import Night
from tests.support.chaos.verdict import check_witness


async def lose_history(night: Night) -> None:
    """The product stops, changes come (one is a delete), and they are trimmed before it starts again."""
    await (await night.product.start()).until_running()
    await put_some(night, "before")
    await night.until_applied()
    await night.until_settled()
    assert await night.product.stop() == 0
    await put_some(night, "lost")
    await night.delete(key={"S": "before0"})
    await night.until_seen()
    for shard in list(night.stream.lineage.shards.values()):
        night.stream.lineage.trim(shard.shard_id)


async def test_a_trimmed_stream_is_a_failure_that_says_what_is_missing(a_night: ANight) -> None:
    async with a_night(on_gap="fail") as night:
        await lose_history(night)
        await night.product.start()
        status = await night.product.until(lambda status: status["state"] == "failed")
        assert len(status["gaps"]) == 1
        assert status["gaps"][0]["shard_id"] in night.stream.lineage.shards
        assert "snapshot" in status["reason"]
        ready = await night.product.get("/readyz")
        assert ready.status_code == 503
        assert "lost" in ready.text
        assert (await night.product.get("/healthz")).status_code == 200

        assert (await night.product.post("/snapshot")).status_code == 202
        status = await night.product.until(lambda status: status["state"] == "running" and not status["gaps"])
        await night.until_applied()
        assert await night.check_equal() == 9
        check_witness(night.proxy.witness)
        assert await night.product.stop() == 0


async def test_with_on_gap_snapshot_it_heals_by_itself(a_night: ANight) -> None:
    async with a_night(on_gap="snapshot") as night:
        await lose_history(night)
        await night.product.start()
        await night.product.until(lambda status: status["state"] == "running" and not status["gaps"])
        await night.until_applied()
        await night.until_settled()
        assert await night.check_equal() == 9
        check_witness(night.proxy.witness)
        assert (await night.product.get("/readyz")).status_code == 200
        assert await night.product.stop() == 0


async def test_finished_shards_that_leave_the_list_are_no_gap(a_night: ANight) -> None:
    """E8, E23."""
    async with a_night(shards=2) as night:
        night.stream.wild()
        await (await night.product.start()).until_running()
        for round_ in range(3):
            await put_some(night, f"round{round_}-")
            await night.until_seen()
            night.stream.lineage.split()
            night.stream.lineage.roll()
        await put_some(night, "last")
        await night.until_applied()
        await night.until_settled()
        assert await night.product.stop() == 0
        closed = [shard for shard in night.stream.lineage.shards.values() if not shard.is_open]
        assert len(closed) == 6
        for shard in closed:
            night.stream.lineage.trim(shard.shard_id)
        await night.product.start()
        await put_some(night, "after")
        await night.until_applied()
        status = await night.until_settled()
        assert status["gaps"] == []
        assert await night.check_equal() == 25
        assert await night.product.stop() == 0
