"""What can be wrong before the start: one clear line each, the right exit code, no traceback."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable
from typing import Any

import pytest
from aiohttp import web

from tests.servers import Server, create_streamed_table, environment, set_stream
from tests.servers.ports import free_port
from tests.support.installed.loaded import LOADED, launched
from tests.support.installed.product import Product
from tests.support.patience import PATIENCE_SECONDS


@pytest.fixture
def server(strict_server: Server) -> Server:
    """One: what is tested here are the command's words, and AWS's errors have their tests on each server."""
    return strict_server


async def ended_run(without_credentials: bool = False, **settings: object) -> tuple[int, str]:
    """The exit code and the standard error of `dynamirror run` that should not start."""
    given = {f"DYNAMIRROR_{name.upper()}": str(value) for name, value in settings.items()}
    env = environment() | {"DYNAMIRROR_ADMIN_PORT": str(free_port())} | given
    if without_credentials:
        env = {name: value for name, value in env.items() if "KEY" not in name}
    process = await launched(LOADED, ("run",), env, os.sep)
    async with asyncio.timeout(PATIENCE_SECONDS):
        _, errors = await process.communicate()
    assert process.returncode is not None
    text = errors.decode()
    assert "Traceback" not in text, text
    return process.returncode, text


def pointed_at(server: Server, source: str, replica: str) -> dict[str, object]:
    return {
        "source_table": source,
        "replica_table": replica,
        "source_endpoint_url": server.endpoint_url,
        "replica_endpoint_url": server.endpoint_url,
        "control_table": f"control-{replica}"[:200],
    }


async def test_all_bad_settings_are_told_at_once_with_exit_code_2() -> None:
    code, text = await ended_run(source_tabel="x", writers=0, admin_host="0.0.0.0", start_at="never")
    assert code == 2
    for name in ("SOURCE_TABEL", "SOURCE_TABLE", "REPLICA_TABLE", "WRITERS", "ADMIN_HOST", "START_AT"):
        assert f"DYNAMIRROR_{name}" in text


async def test_a_missing_table_is_named(server: Server, dynamodb: Any, unique_name: Callable[[str], str]) -> None:
    source, replica = unique_name("source"), unique_name("replica")
    code, text = await ended_run(**pointed_at(server, source, replica))
    assert code == 1
    assert source in text
    await create_streamed_table(dynamodb, source)
    code, text = await ended_run(**pointed_at(server, source, replica))
    assert code == 1
    assert replica in text
    assert "DYNAMIRROR_CREATE_REPLICA" in text


async def test_a_stream_that_is_off_is_told_with_the_command_that_turns_it_on(
    server: Server, dynamodb: Any, unique_name: Callable[[str], str]
) -> None:
    source, replica = unique_name("source"), unique_name("replica")
    await create_streamed_table(dynamodb, source, view_type=None)
    await create_streamed_table(dynamodb, replica, view_type=None)
    code, text = await ended_run(**pointed_at(server, source, replica))
    assert code == 1
    assert "aws dynamodb update-table" in text
    assert "StreamEnabled=true" in text


async def test_different_key_schemas_are_both_shown(
    server: Server, dynamodb: Any, unique_name: Callable[[str], str]
) -> None:
    """E27."""
    source, replica = unique_name("source"), unique_name("replica")
    await create_streamed_table(dynamodb, source, keys={"pk": "S", "sk": "N"})
    await create_streamed_table(dynamodb, replica, keys={"pk": "S"}, view_type=None)
    code, text = await ended_run(**pointed_at(server, source, replica))
    assert code == 1
    assert "pk (S), sk (N)" in text
    assert "pk (S);" in text


async def test_a_key_is_no_place_for_the_sequence_number(
    server: Server, dynamodb: Any, unique_name: Callable[[str], str]
) -> None:
    source, replica = unique_name("source"), unique_name("replica")
    await create_streamed_table(dynamodb, source, keys={"pk": "S", "sk": "S"})
    await create_streamed_table(dynamodb, replica, keys={"pk": "S", "sk": "S"}, view_type=None)
    code, text = await ended_run(**pointed_at(server, source, replica), sequence_attribute="sk")
    assert code == 2
    assert "DYNAMIRROR_SEQUENCE_ATTRIBUTE: 'sk' is a key" in text


async def test_the_source_is_not_replicated_to_itself(
    server: Server, dynamodb: Any, unique_name: Callable[[str], str]
) -> None:
    source = unique_name("source")
    await create_streamed_table(dynamodb, source)
    code, text = await ended_run(**pointed_at(server, source, source))
    assert code == 2
    assert "source itself" in text


async def test_missing_credentials_are_told(unique_name: Callable[[str], str]) -> None:
    code, text = await ended_run(without_credentials=True, source_table="source", replica_table="replica")
    assert code in (1, 2)
    assert "credentials" in text


async def test_denied_access_names_the_action_and_the_resource(unique_name: Callable[[str], str]) -> None:
    async def deny(request: web.Request) -> web.Response:
        body = {"__type": "com.amazon.coral.service#AccessDeniedException", "Message": "User: x is not authorized"}
        return web.json_response(body, status=400, content_type="application/x-amz-json-1.0")

    app = web.Application()
    app.router.add_post("/", deny)
    runner = web.AppRunner(app)
    await runner.setup()
    port = free_port()
    await web.TCPSite(runner, "127.0.0.1", port).start()
    try:
        url = f"http://127.0.0.1:{port}"
        code, text = await ended_run(
            source_table="guarded-source", replica_table="replica", source_endpoint_url=url, replica_endpoint_url=url
        )
    finally:
        await runner.cleanup()
    assert code == 1
    assert "DescribeTable" in text
    assert "guarded-source" in text


async def test_a_port_that_is_taken_is_told(server: Server, dynamodb: Any, unique_name: Callable[[str], str]) -> None:
    source, replica = unique_name("source"), unique_name("replica")
    await create_streamed_table(dynamodb, source)
    await create_streamed_table(dynamodb, replica, view_type=None)
    async with Product(server, (source, replica)) as product:
        await product.start()
        code, text = await ended_run(**(pointed_at(server, source, replica) | {"admin_port": product.port}))
        assert code == 1
        assert str(product.port) in text
        assert await product.stop() == 0


@pytest.mark.parametrize("name", ["ministack"])
async def test_a_stream_that_was_recreated_is_a_gap_that_a_snapshot_mends(
    server_named: Callable[[str], Server], unique_name: Callable[[str], str], name: str
) -> None:
    """E25. moto can't switch a stream on again. The process stays up, so that the snapshot can be asked for."""
    from tests.servers import sdk_client

    server = server_named(name)
    source, replica = unique_name("source"), unique_name("replica")
    async with sdk_client(server.endpoint_url) as dynamodb:
        await create_streamed_table(dynamodb, source)
        await create_streamed_table(dynamodb, replica, view_type=None)
        await dynamodb.put_item(TableName=source, Item={"key": {"S": "gone"}, "n": {"N": "1"}})
        async with Product(server, (source, replica), start_at="trim_horizon") as product:
            await (await product.start()).until_caught_up()
            assert await product.stop() == 0
            await set_stream(dynamodb, source, None)
            await dynamodb.delete_item(TableName=source, Key={"key": {"S": "gone"}})
            await dynamodb.put_item(TableName=source, Item={"key": {"S": "missed"}, "n": {"N": "2"}})
            await asyncio.sleep(0.01)  # a stream's label counts milliseconds
            await set_stream(dynamodb, source, "NEW_AND_OLD_IMAGES")

            await product.start()
            status = await product.until(lambda status: status["state"] == "failed")
            assert "re-created" in status["reason"]
            assert "snapshot" in status["reason"]
            assert len(status["gaps"]) == 1
            answer = await product.get("/readyz")
            assert answer.status_code == 503
            assert "re-created" in answer.text
            assert "re-created" in product.errors.decode()

            assert (await product.post("/snapshot")).status_code == 202
            await product.until_caught_up()
            items = (await dynamodb.scan(TableName=replica, ConsistentRead=True))["Items"]
            assert [item["key"]["S"] for item in items] == ["missed"]
            assert (await product.get("/readyz")).status_code == 200
            assert await product.stop() == 0
