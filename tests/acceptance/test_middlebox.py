"""Only DynamoDB's own answer is an answer: the installed command behind a middlebox that replaces, cuts and resets."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable

import pytest

from tests.servers import Server, create_streamed_table, scan, sdk_client
from tests.servers.functions import until
from tests.support.installed.middlebox import Middlebox
from tests.support.installed.product import Product
from tests.support.thoroughness import IS_THOROUGH, played

KEYS = 40
CHANGES = 600 if IS_THOROUGH else 200


def plain(items: list[dict[str, object]]) -> dict[str, object]:
    return {str(item["key"]): {"key": item["key"], "n": item["n"]} for item in items}


@pytest.mark.parametrize(("name", "write_mode"), played([("moto", "auto"), ("ministack", "strict")], every=2))
async def test_answers_that_are_not_dynamodbs_lose_nothing_and_end_nothing(
    server_named: Callable[[str], Server], unique_name: Callable[[str], str], name: str, write_mode: str
) -> None:
    server, luck = server_named(name), random.Random(3)
    source, replica = unique_name("source"), unique_name("replica")
    async with sdk_client(server.endpoint_url) as dynamodb, Middlebox(server, seed=5) as box:
        await create_streamed_table(dynamodb, source)
        async with Product(
            box.server,
            (source, replica),
            create_replica="true",
            write_mode=write_mode,
            start_at="trim_horizon",
            lease_seconds=20,  # which the faults alone may not cost, and a busy machine beside them should not
        ) as product:
            await product.start()
            for number in range(CHANGES):
                key = {"S": str(luck.randrange(KEYS))}
                if luck.random() < 0.2:
                    await dynamodb.delete_item(TableName=source, Key={"key": key})
                else:
                    await dynamodb.put_item(TableName=source, Item={"key": key, "n": {"N": str(number)}})
                if number % 20 == 0:
                    await asyncio.sleep(0.1)
            expected = plain(await scan(dynamodb, source))

            async def are_equal() -> bool:
                return plain(await scan(dynamodb, replica)) == expected

            await until(are_equal, "all is applied")
            status = await product.until_caught_up()
            # Mode auto: a page that came for a batch leaves its keys guarded, never wrong.
            assert await are_equal()
            assert status["dead_letters"] == 0
            assert await product.stop() == 0
        told = product.errors.decode()
    assert "unexpected" not in told
    assert "Traceback" not in told
    assert told.count("lease acquired") == 1
    for fault in ("page", "cut", "reset"):
        assert box.counted[fault] > 0, box.counted
