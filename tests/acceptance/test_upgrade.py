"""An upgrade under load, as a rolling update does it: the new version starts while the old one replicates."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.acceptance.test_start_errors import ended_run, pointed_at
from tests.servers import Server, create_streamed_table, scan, sdk_client
from tests.support.installed.command import Command, Ended, ran
from tests.support.installed.newer_version import MIGRATION, PROGRAM, SHIPPED, Newer, install
from tests.support.installed.product import Product
from tests.support.installed.random_writer import Load
from tests.support.installed.replica_history import check_never_back, histories, until_equal

REFUSAL = f"dynamirror: the control table has migration {MIGRATION}, this dynamirror knows only {SHIPPED[-1]}: "


@pytest.fixture(scope="module")
def newer_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return install(tmp_path_factory.mktemp("newer"))


async def applied(dynamodb: Any, control: str) -> list[str]:
    """The migrations that the control table has recorded, by number."""
    found = [item for item in await scan(dynamodb, control) if item["pipeline"]["S"] == "#schema"]
    numbers = {item["item"]["S"].removeprefix("migration#"): item for item in found if "name" in item}
    return [f"{number}_{numbers[number]['name']['S']}" for number in sorted(numbers)]


@pytest.mark.needs("open shards have no end")
async def test_the_new_version_stands_by_until_the_old_one_has_drained_then_migrates_and_goes_on(
    strict_server: Server, unique_name: Callable[[str], str], newer_folder: Path
) -> None:
    """I1, I2, I3, I5 through an upgrade; no older process replicates afterwards, be it started or still there."""
    source, replica = unique_name("source"), unique_name("replica")
    where = pointed_at(strict_server, source, replica)
    control = str(where["control_table"])
    tables, settings = (source, replica), {"start_at": "trim_horizon", "lease_seconds": 6}
    async with (
        sdk_client(strict_server.endpoint_url, attempts=3) as dynamodb,
        sdk_client(strict_server.endpoint_url, "dynamodbstreams", attempts=3) as streams,
        Product(strict_server, tables, **settings) as old,
        Product(strict_server, tables, **settings) as idle,
        Newer(newer_folder, strict_server, tables, **settings) as new,
    ):
        await create_streamed_table(dynamodb, source)
        await create_streamed_table(dynamodb, replica)
        await (await old.start()).until_running()
        async with Load(dynamodb, source, seed=8, per_second=60) as load:
            await asyncio.gather(idle.start(), new.start())
            await idle.until(lambda status: status["state"] == "standby")
            await new.until(lambda status: status["state"] == "standby")
            assert (await new.get("/readyz")).status_code == 200
            await load.until_written(load.writes + 30)
            assert (await old.status())["state"] == "running"
            assert await applied(dynamodb, control) == SHIPPED, "it migrated under the feet of the old version"

            idle.freeze()  # both stand by, and the new one shall be the quicker
            assert await old.stop() == 0
            await new.until_running()
            assert await applied(dynamodb, control) == [*SHIPPED, MIGRATION]
            described = (await dynamodb.describe_time_to_live(TableName=control))["TimeToLiveDescription"]
            assert described["TimeToLiveStatus"] in ("ENABLING", "ENABLED")
            await load.until_written(load.writes + 30)

            await new.kill()
            idle.wake()
            (code, told), idle_code = await asyncio.gather(ended_run(**where), idle.ended())
            assert (code, idle_code) == (1, 1)
            assert told == f"{REFUSAL}refuse to run on a newer schema: upgrade dynamirror\n"
            assert idle.errors.decode().splitlines()[-1] == told.strip()
            assert b"Traceback" not in idle.errors
            await (await new.start()).until_running()
            await load.until_written(load.writes + 30)
        assert await until_equal(dynamodb, source, replica) > 20
        await new.until_caught_up()
        check_never_back(await histories(dynamodb, streams, source), await histories(dynamodb, streams, replica))
        assert await new.stop() == 0


async def newer(folder: Path, *arguments: str, **settings: object) -> Ended:
    """A command of the installation in this folder."""
    async with Command(*arguments, program=PROGRAM, folder=str(folder), **settings) as command:
        return await command.ended()


async def test_an_old_version_that_runs_while_the_table_is_migrated_goes_on_and_is_the_last(
    ministack: Server, unique_name: Callable[[str], str], newer_folder: Path
) -> None:
    """`migrate` does what it is told at once; a migration only adds, so it harms nobody."""
    source, replica = unique_name("source"), unique_name("replica")
    where = pointed_at(ministack, source, replica)
    async with (
        sdk_client(ministack.endpoint_url) as dynamodb,
        Product(ministack, (source, replica), start_at="trim_horizon") as old,
    ):
        await create_streamed_table(dynamodb, source)
        await create_streamed_table(dynamodb, replica, view_type=None)
        await (await old.start()).until_running()

        done = await newer(newer_folder, "migrate", **where)
        assert (done.code, done.out) == (0, f"applied {MIGRATION}\n")

        await dynamodb.put_item(TableName=source, Item={"key": {"S": "after"}, "n": {"N": "1"}})
        assert await until_equal(dynamodb, source, replica) == 1
        await old.until_caught_up()
        assert await old.stop() == 0
        before = await scan(dynamodb, str(where["control_table"]))
        for ended in await asyncio.gather(ran("migrate", **where), ran("snapshot", **where)):
            assert ended.code == 1
            assert ended.err.startswith(REFUSAL)
        assert await scan(dynamodb, str(where["control_table"])) == before
