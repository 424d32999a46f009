"""A replica that refuses everything is not a poison: the flow waits, says why, and goes on by itself when mended."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager

from tests.servers import create_streamed_table
from tests.support.chaos.faults import Role
from tests.support.chaos.night import Night
from tests.support.chaos.verdict import check_witness
from tests.support.patience import PATIENCE_SECONDS

ANight = Callable[..., AbstractAsyncContextManager[Night]]


async def put_some(night: Night, prefix: str) -> None:
    for number in range(5):
        await night.put(key={"S": f"{prefix}{number}"}, n={"N": str(number)})


async def until_not_ready(night: Night, word: str, seconds: float = PATIENCE_SECONDS) -> str:
    """What /readyz says, once it is 503 and names the reason."""
    text = ""
    async with asyncio.timeout(seconds):
        while word not in text:
            answer = await night.product.get("/readyz")
            text = answer.text if answer.status_code == 503 else ""
            await asyncio.sleep(0.1)
    return text


async def check_mended(night: Night) -> None:
    """No dead letter came of it, and all is applied without anybody's help."""
    await night.until_applied()
    assert await night.dead_letters() == []
    await night.until_ready()
    check_witness(night.proxy.witness)
    assert await night.product.stop() == 0


async def test_without_permission_it_waits_and_goes_on_when_allowed_again(a_night: ANight) -> None:
    """E52."""
    async with a_night() as night:
        await (await night.product.start()).until_running()
        await put_some(night, "before")
        await night.until_applied()
        night.proxy.plan.of[Role.REPLICA].refusal = ("AccessDeniedException", "User is not authorized")
        await put_some(night, "during")
        assert "AccessDenied" in await until_not_ready(night, "AccessDenied")
        status = await night.product.status()
        assert status["dead_letters"] == 0
        assert "AccessDenied" in (status["reason"] or "")
        assert status["lag"]["seconds"] > 0
        night.proxy.plan.calm()
        await check_mended(night)


async def test_a_deleted_replica_is_waited_for(a_night: ANight) -> None:
    """E52: the one that is created then is another table, which a snapshot fills: it heals by itself."""
    async with a_night(on_gap="snapshot") as night:
        await (await night.product.start()).until_running()
        await night.dynamodb.delete_table(TableName=night.replica)
        await put_some(night, "during")
        assert night.replica in await until_not_ready(night, night.replica)
        assert (await night.product.status())["dead_letters"] == 0
        await create_streamed_table(night.dynamodb, night.replica)
        await check_mended(night)
        assert await night.check_equal() == 5


async def test_a_replica_with_another_key_makes_no_dead_letters(a_night: ANight) -> None:
    """E27, E52: every item is invalid there, and none is at fault."""
    async with a_night(on_gap="snapshot") as night:
        await (await night.product.start()).until_running()
        await night.dynamodb.delete_table(TableName=night.replica)
        await create_streamed_table(night.dynamodb, night.replica, keys={"other": "S"})
        await put_some(night, "during")
        assert "other (S)" in await until_not_ready(night, "other (S)")
        assert (await night.product.status())["dead_letters"] == 0
        await night.dynamodb.delete_table(TableName=night.replica)
        await create_streamed_table(night.dynamodb, night.replica)
        await check_mended(night)
        assert await night.check_equal() == 5
