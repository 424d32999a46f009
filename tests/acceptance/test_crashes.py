"""kill -9 under load, two processes on one pipeline, and memory behind a slow replica: with the installed command."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable

import pytest

from tests.servers import Server, create_streamed_table, sdk_client
from tests.support.installed.product import Installed
from tests.support.installed.random_writer import Load
from tests.support.installed.replica_history import check_never_back, histories, until_equal
from tests.support.thoroughness import IS_THOROUGH

KILLS = 6 if IS_THOROUGH else 3


@pytest.mark.parametrize("seed", [20261])
async def test_kills_under_load_lose_nothing_and_take_nothing_back(
    strict_server: Server, unique_name: Callable[[str], str], seed: int
) -> None:
    """I1, I2, I3, E55: judged from the replica's own stream."""
    source, replica = unique_name("source"), unique_name("replica")
    dice = random.Random(seed)
    async with (
        sdk_client(strict_server.endpoint_url, attempts=3) as dynamodb,
        sdk_client(strict_server.endpoint_url, "dynamodbstreams", attempts=3) as streams,
    ):
        await create_streamed_table(dynamodb, source)
        await create_streamed_table(dynamodb, replica)
        async with Installed(
            strict_server, (source, replica), start_at="trim_horizon", lease_seconds=2, checkpoint_interval_seconds=0.2
        ) as product:
            async with Load(dynamodb, source, seed=seed) as load:
                for _ in range(KILLS):
                    await product.start()
                    await asyncio.sleep(dice.uniform(0.2, 5.0))
                    await product.kill()
                await load.until_written(30 * KILLS)
            await product.start()
            await until_equal(dynamodb, source, replica)
            check_never_back(await histories(dynamodb, streams, source), await histories(dynamodb, streams, replica))
            assert await product.stop() == 0


async def test_the_second_process_goes_on_by_itself_when_the_first_is_killed(
    strict_server: Server, unique_name: Callable[[str], str]
) -> None:
    """I5: one writes, the other stands by and takes over."""
    source, replica = unique_name("source"), unique_name("replica")
    async with sdk_client(strict_server.endpoint_url) as dynamodb:
        await create_streamed_table(dynamodb, source)
        await create_streamed_table(dynamodb, replica, view_type=None)
        tables, settings = (source, replica), {"start_at": "trim_horizon"}
        async with (
            Installed(strict_server, tables, **settings) as first,
            Installed(strict_server, tables, **settings) as second,
        ):
            await (await first.start()).until_running()
            await second.start()
            standing = await second.until(lambda status: status["state"] == "standby")
            assert standing["role"] == "standby"
            assert (await second.get("/readyz")).status_code == 200

            await first.kill()
            await dynamodb.put_item(TableName=source, Item={"key": {"S": "after"}, "n": {"N": "1"}})
            # How soon is judged where the clock is the test's: unit/replication/test_lease.py.
            await second.until(lambda status: (status["role"], status["state"]) == ("active", "running"))
            assert await until_equal(dynamodb, source, replica) == 1
            assert await second.stop() == 0


@pytest.mark.needs("open shards have no end")
async def test_a_pause_is_durable_and_a_clean_stop_repeats_nothing(
    strict_server: Server, unique_name: Callable[[str], str]
) -> None:
    """E73: paused stays paused through a restart; then everything that came meanwhile is applied once."""
    source, replica = unique_name("source"), unique_name("replica")
    async with sdk_client(strict_server.endpoint_url) as dynamodb:
        await create_streamed_table(dynamodb, source)
        await create_streamed_table(dynamodb, replica, view_type=None)
        async with Installed(strict_server, (source, replica), start_at="trim_horizon") as product:
            await (await product.start()).until_running()
            assert (await product.post("/pause")).json()["state"] == "paused"
            await dynamodb.put_item(TableName=source, Item={"key": {"S": "meanwhile"}, "n": {"N": "1"}})
            refused = await product.post("/replicate", {"keys": {"key": {"S": "meanwhile"}}})
            assert refused.status_code == 409
            assert "resume" in refused.json()["detail"]
            await asyncio.sleep(3.0)
            lag = (await product.get("/status")).json()["lag"]["seconds"]
            assert lag > 2
            assert await product.stop() == 0

            await product.start()
            status = await product.until(lambda status: status["state"] == "paused")
            assert status["lag"]["seconds"] >= lag  # it goes on: what was held back is as old as it was (I8)
            await asyncio.sleep(1.0)
            assert "Item" not in await dynamodb.get_item(TableName=replica, Key={"key": {"S": "meanwhile"}})
            assert (await product.get("/readyz")).status_code == 200

            # A process that began as paused has not looked at the stream yet, and does so before it answers.
            assert (await product.post("/resume")).json()["state"] == "running"
            status = await product.until_caught_up()
            assert status["totals"]["items_written"] == 1
            assert await product.stop() == 0

            await product.start()
            status = await product.until_caught_up()
            assert status["totals"]["records_read"] == 0
            assert await product.stop() == 0
