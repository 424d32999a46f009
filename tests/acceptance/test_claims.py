"""The installed command: one replica belongs to one pipeline, through kills and standbys, until it is handed over."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from tests.servers import Server, create_streamed_table, sdk_client
from tests.support.installed.product import Product
from tests.support.installed.replica_history import until_equal


async def test_a_second_pipeline_is_refused_until_it_is_told_to_take_over(
    server_named: Callable[[str], Server], unique_name: Callable[[str], str]
) -> None:
    server = server_named("ministack")
    async with sdk_client(server.endpoint_url) as dynamodb:
        await hand_over(server, dynamodb, unique_name)


async def hand_over(server: Server, dynamodb: Any, unique_name: Callable[[str], str]) -> None:
    source, replica = unique_name("source"), unique_name("replica")
    await create_streamed_table(dynamodb, source)
    await create_streamed_table(dynamodb, replica, view_type=None)
    more = {"lease_seconds": 6, "checkpoint_interval_seconds": 0.2}

    def product_of(pipeline: str) -> Product:
        return Product(server, (source, replica), pipeline=pipeline, **more)

    async with product_of("a") as first, product_of("a") as standby, product_of("b") as second:
        await (await first.start()).until_caught_up()
        await standby.start()
        await standby.until(lambda status: status["state"] == "standby")
        await first.kill()
        await standby.until_caught_up()
        await first.start()
        await first.until(lambda status: status["state"] == "standby")
        assert await first.stop() == 0

        await second.start()
        reason = (await second.until(lambda status: status["state"] == "failed"))["reason"]
        assert "belongs to the pipeline 'a'" in reason
        assert "\n" not in reason
        for path, body in [("/snapshot", None), ("/verify", {"repair": True}), ("/replay", {"from": "trim_horizon"})]:
            answer = await second.post(path, body)
            assert answer.status_code == 409, path
            assert "belongs to the pipeline 'a'" in answer.json()["detail"]
        assert (await second.get("/snapshots")).json()["items"] == []
        assert await second.stop() == 0

        control = f"control-{replica}"[:200]
        claims = (await dynamodb.scan(TableName=control, ConsistentRead=True))["Items"]
        (claim,) = [item for item in claims if item["item"]["S"] == "claim"]
        assert claim["pipeline"]["S"] in reason  # where to delete it
        await dynamodb.delete_item(TableName=control, Key={name: claim[name] for name in ("pipeline", "item")})
        await (await second.start()).until_caught_up()
        status = await standby.until(lambda status: status["state"] == "failed")
        # It looked before the second pipeline made its claim, or after.
        assert any(why in status["reason"] for why in ("claim on the replica", "belongs to the pipeline 'b'"))
        await dynamodb.put_item(TableName=source, Item={"key": {"S": "k"}, "n": {"N": "1"}})
        assert await until_equal(dynamodb, source, replica) == 1
        assert await standby.stop() == 0
        assert await second.stop() == 0
