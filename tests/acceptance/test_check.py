"""`dynamirror check` as it is installed: a fault of each kind is planted on a server, and nothing is ever written."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest
from aiohttp import ClientSession, web

from tests.servers import Server, create_streamed_table, scan
from tests.servers.ports import free_port
from tests.support.installed.command import Command, ran
from tests.support.installed.product import Product


@pytest.fixture
def server(strict_server: Server) -> Server:
    """One: what is tested here are the command's words; what a server answers has its tests on each."""
    return strict_server


def pointed_at(endpoint_url: str, source: str, replica: str) -> dict[str, object]:
    return {
        "source_table": source,
        "replica_table": replica,
        "source_endpoint_url": endpoint_url,
        "replica_endpoint_url": endpoint_url,
        "control_table": f"control-{replica}"[:200],
    }


class Refusing:
    """Passes requests on to a server, except those of one operation on one table, which are denied."""

    def __init__(self, server: Server, operation: str, table: str) -> None:
        self._server = server
        self._denied = (f"DynamoDB_20120810.{operation}", f'"{table}"')
        self.url = f"http://127.0.0.1:{free_port()}"

    async def __aenter__(self) -> Refusing:
        self._client = ClientSession(auto_decompress=False)
        app = web.Application()
        app.router.add_post("/", self._pass_on)
        self._runner = web.AppRunner(app)
        await self._runner.setup()
        await web.TCPSite(self._runner, "127.0.0.1", int(self.url.rpartition(":")[2])).start()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._runner.cleanup()
        await self._client.close()

    async def _pass_on(self, request: web.Request) -> web.Response:
        body = await request.text()
        target, table = self._denied
        if request.headers["X-Amz-Target"] == target and table in body:
            denied = {"__type": "com.amazon.coral.service#AccessDeniedException", "Message": "User is not authorized"}
            return web.json_response(denied, status=400)
        headers = {name: value for name, value in request.headers.items() if name != "Host"}
        async with self._client.post(f"{self._server.endpoint_url}/", data=body, headers=headers) as answer:
            return web.Response(
                body=await answer.read(), status=answer.status, content_type="application/x-amz-json-1.0"
            )


async def test_before_the_first_start_it_tells_what_is_missing_then_that_all_is_right(
    server: Server, dynamodb: Any, unique_name: Callable[[str], str]
) -> None:
    source, replica = unique_name("source"), unique_name("replica")
    settings = pointed_at(server.endpoint_url, source, replica)
    ended = await ran("check", **settings)
    assert ended.code == 1, ended.err
    assert source in ended.out
    assert "DYNAMIRROR_CREATE_REPLICA=true" in " ".join(ended.out.split())
    assert ended.err == ""

    await create_streamed_table(dynamodb, source)
    await create_streamed_table(dynamodb, replica, view_type=None)
    await dynamodb.put_item(TableName=source, Item={"key": {"S": "a"}})
    ended = await ran("check", "--json", **settings)
    document = json.loads(ended.out)
    assert ended.code == 0, ended.out
    assert document["is_right"]
    assert document["pipeline"] == f"{source}--{replica}"
    assert [each for each in document["findings"] if each["outcome"] in ("problem", "warning")] == []
    assert document["first_start"]["items"] == 1
    assert await scan(dynamodb, replica) == []
    assert settings["control_table"] not in (await dynamodb.list_tables())["TableNames"]


async def test_beside_a_running_service_it_asks_for_every_right_and_writes_nothing(
    server: Server, dynamodb: Any, unique_name: Callable[[str], str]
) -> None:
    source, replica = unique_name("source"), unique_name("replica")
    await create_streamed_table(dynamodb, source)
    await create_streamed_table(dynamodb, replica, view_type=None)
    async with Product(server, (source, replica)) as product:
        await (await product.start()).until_caught_up()
        ended = await ran("check", "--json", **pointed_at(server.endpoint_url, source, replica))
        document = json.loads(ended.out)
        assert ended.code == 0, ended.out
        allowed = {(each["topic"], each["name"]) for each in document["findings"] if each["outcome"] == "right"}
        assert {("replica", "PutItem"), ("control", "UpdateItem"), ("source", "GetRecords")} <= allowed
        assert "goes on from the positions" in document["first_start"]["text"]
        assert "stands by" in document["first_start"]["text"]
        assert await scan(dynamodb, replica) == []


async def test_a_right_that_is_missing_is_named_with_the_action_to_allow(
    server: Server, dynamodb: Any, unique_name: Callable[[str], str]
) -> None:
    source, replica = unique_name("source"), unique_name("replica")
    await create_streamed_table(dynamodb, source)
    await create_streamed_table(dynamodb, replica, view_type=None)
    async with Refusing(server, "DeleteItem", replica) as refusing:
        ended = await ran("check", "--json", **pointed_at(refusing.url, source, replica))
    problems = [each for each in json.loads(ended.out)["findings"] if each["outcome"] == "problem"]
    assert ended.code == 1
    assert [(each["topic"], each["name"]) for each in problems] == [("replica", "DeleteItem")]
    assert "allow dynamodb:DeleteItem" in problems[0]["text"]


async def test_bad_settings_end_with_2_and_all_of_them() -> None:
    ended = await ran("check", source_tabel="x", writers=0)
    assert ended.code == 2
    assert "DYNAMIRROR_SOURCE_TABEL" in ended.err
    assert "DYNAMIRROR_WRITERS" in ended.err


async def test_it_says_whose_credentials_each_side_uses(moto: Server, unique_name: Callable[[str], str]) -> None:
    settings = {"source_table": unique_name("source"), "replica_table": unique_name("replica")}
    async with Command("check", "--json", more={"AWS_ENDPOINT_URL": moto.endpoint_url}, **settings) as command:
        ended = await command.ended()
    told = [each for each in json.loads(ended.out)["findings"] if each["name"] == "credentials"]
    assert [each["topic"] for each in told] == ["source", "replica"]
    assert all(each["outcome"] == "right" and ":sts:" in each["text"] for each in told), told
