"""A server in front of another one that writes down which operation is asked of which table, and hands it on."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import aiohttp
from aiohttp import web

from tests.servers.process import Server

MAX_BODY = 32 * 1024 * 1024
_PASSED_ON = ("content-type", "x-amz-target", "authorization", "x-amz-date")


class Recorder:
    """`asked` holds `(operation, table name)`; the table of a stream's call is the one that the stream is of.

    `access_keys` has those that each table was asked with.

    A transaction counts as the writes that it is made of, as it does for IAM (Developer Guide, "Using IAM with DynamoDB
    transactions").
    """

    def __init__(self, behind: str, client: aiohttp.ClientSession) -> None:
        self.asked: set[tuple[str, str]] = set()
        self.access_keys: dict[str, set[str]] = defaultdict(set)
        self._behind = behind
        self._client = client
        self._iterators: dict[str, str] = {}

    async def answer(self, request: web.Request) -> web.Response:
        body = await request.read()
        operation = request.headers.get("x-amz-target", ".").partition(".")[2]
        asked = json.loads(body or b"{}")
        tables = self._tables(operation, asked)
        if operation == "TransactWriteItems":
            writes = [write for item in asked["TransactItems"] for write in item.items()]
            self.asked.update((f"{kind}Item", write["TableName"]) for kind, write in writes)
        else:
            self.asked.update((operation, table) for table in tables)
        _, _, scope = request.headers.get("authorization", "").partition("Credential=")
        for table in tables:
            self.access_keys[table].add(scope.partition("/")[0])
        headers = {name: request.headers[name] for name in _PASSED_ON if name in request.headers}
        async with self._client.post(self._behind + "/", data=body, headers=headers) as found:
            content = await found.read()
        if found.status == 200:
            self._note_iterators(content, tables)
        kept = {name: found.headers[name] for name in ("content-type", "x-amz-crc32") if name in found.headers}
        return web.Response(status=found.status, body=content, headers=kept)

    def _tables(self, operation: str, asked: dict[str, Any]) -> list[str]:
        if operation == "GetRecords":
            return [self._iterators.get(asked["ShardIterator"], "?")]
        if "StreamArn" in asked:
            return [asked["StreamArn"].partition(":table/")[2].partition("/")[0]]
        if "RequestItems" in asked:
            return list(asked["RequestItems"])
        if "TransactItems" in asked:
            return [action["TableName"] for item in asked["TransactItems"] for action in item.values()]
        return [asked.get("TableName", "?")]

    def _note_iterators(self, content: bytes, tables: list[str]) -> None:
        """An iterator tells nothing of its stream."""
        if b"ShardIterator" in content:
            found = json.loads(content)
            for name in ("ShardIterator", "NextShardIterator"):
                if found.get(name):
                    self._iterators[found[name]] = tables[0]


@asynccontextmanager
async def recording(server: Server) -> AsyncIterator[tuple[Server, Recorder]]:
    """The server to speak to instead, and what was asked of it."""
    application = web.Application(client_max_size=MAX_BODY)
    async with aiohttp.ClientSession() as client:
        recorder = Recorder(server.endpoint_url, client)
        application.router.add_post("/", recorder.answer)
        runner = web.AppRunner(application)
        await runner.setup()
        try:
            site = web.TCPSite(runner, "127.0.0.1", 0)
            await site.start()
            host, port = runner.addresses[0][:2]
            yield Server(f"recorded {server.name}", f"http://{host}:{port}", server.process_id), recorder
        finally:
            await runner.cleanup()
