"""A stop with real signals while nothing answers any more: over in time, and at once if it is asked for twice."""

from __future__ import annotations

import asyncio
import json
import os
import signal
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from tests.servers import Server, create_streamed_table, environment, sdk_client
from tests.support.installed.command import Command
from tests.support.installed.middlebox import Middlebox
from tests.support.installed.product import Installed

TIMEOUT_SECONDS = 2
HANGS_SECONDS = 600
"""What a stop would take that nothing bounds. The bounds themselves are held on virtual time, in tests/unit."""
STUCK = """
import time

def change(item):
    while item["key"] == {"S": "stuck"}:
        time.sleep(1)
    return item
"""


@pytest.mark.parametrize("signals", [1, 2])
async def test_a_stop_while_everything_hangs_is_over_in_time_and_at_once_if_asked_twice(
    moto: Server, unique_name: Callable[[str], str], tmp_path: Path, signals: int
) -> None:
    (tmp_path / "stuck.py").write_text(STUCK)
    source, replica = unique_name("source"), unique_name("replica")
    timeout_seconds = TIMEOUT_SECONDS if signals == 1 else HANGS_SECONDS
    async with sdk_client(moto.endpoint_url) as dynamodb, Middlebox(moto, chances={}) as box:
        await create_streamed_table(dynamodb, source)
        async with Installed(
            box.server,
            (source, replica),
            more={
                "PYTHONPATH": os.pathsep.join([str(tmp_path), *environment().get("PYTHONPATH", "").split(os.pathsep)])
            },
            create_replica="true",
            transform="stuck:change",
            lease_seconds=30,
            shutdown_timeout_seconds=timeout_seconds,
            start_at="trim_horizon",
        ) as product:
            await (await product.start()).until_caught_up()
            await dynamodb.put_item(TableName=source, Item={"key": {"S": "stuck"}})
            await product.until(lambda status: status["lag"]["unapplied_records"] > 0)
            box.hangs = True
            while box.counted["hung"] < 2:  # noqa: ASYNC110  there is no event to wait for
                await asyncio.sleep(0.05)
            _, client = await asyncio.open_connection("127.0.0.1", product.port)
            client.write(b"POST /pause HTTP/1.1\r\nHost: localhost\r\nContent-Length: 5\r\n\r\n")
            await client.drain()

            if signals == 2:
                os.kill(product.process_id, signal.SIGTERM)
                await product.until(lambda status: status["state"] == "stopping")
            assert await product.stop() == 0
            client.close()
        if signals == 1:
            assert product.errors.decode().count("cut short") == 1
            told = [json.loads(line) for line in product.errors.decode().splitlines() if line.startswith("{")]
            (acquired,) = (line for line in told if line["event"] == "lease acquired")
            assert acquired["pipeline"] == f"{source}--{replica}", "each line says whose it is, also of a single one"


@asynccontextmanager
async def tar_pit() -> AsyncIterator[tuple[str, asyncio.Event]]:
    """A server that accepts, and never answers; the event tells that somebody has asked."""
    has_asked = asyncio.Event()

    async def never(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(1)
        has_asked.set()
        await reader.read()
        writer.close()

    async with await asyncio.start_server(never, "127.0.0.1", 0) as server:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}", has_asked


@pytest.mark.parametrize(
    ("arguments", "code", "told"), [(["run"], 0, ""), (["verify", "--repair"], 1, "dynamirror: stopped: ")]
)
async def test_a_start_that_nobody_answers_is_stopped_at_once(arguments: list[str], code: int, told: str) -> None:
    """Rather than when it gives up by itself: that is an error, and told as one."""
    async with tar_pit() as (url, has_asked):
        settings = {
            "source_table": "master-table", "replica_table": "replica-table",
            "source_endpoint_url": url, "replica_endpoint_url": url,
            "source_region": "eu-west-1", "replica_region": "eu-west-1", "lease_seconds": 30, "admin_port": 0,
        }  # fmt: skip
        async with Command(*arguments, **settings) as command:
            await has_asked.wait()
            command.send(signal.SIGTERM)
            ended = await command.ended()
    assert (ended.code, ended.err[: len(told)]) == (code, told), ended
