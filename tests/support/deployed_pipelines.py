"""One pipeline through everything that it can do, on recorded servers: which operations does that take?"""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import Callable
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

from tests.servers import Server, create_streamed_table, environment, read_stream, sdk_client
from tests.servers.functions import contents, until
from tests.servers.recorder import Recorder, recording
from tests.support.installed.product import Product

INVOKE = """
import json, sys
from service.lambda_handler import forget, handler

class Context:
    def get_remaining_time_in_millis(self):
        return 300000

print(json.dumps(handler(json.load(sys.stdin), Context())))
forget()
"""
COMMAND = str(Path(sys.executable).with_name("dynamirror"))


class Pipeline:
    """Source and replica behind recorders of their own, and a control table."""

    def __init__(self, dynamodb: Any, streams: Any, unique_name: Callable[[str], str], view_type: str) -> None:
        self.dynamodb = dynamodb
        self._streams = streams
        self.source, self.replica, self.control = (unique_name(word)[-90:] for word in ("src", "rep", "ctl"))
        self.view_type = view_type
        self.stream_arn = ""

    async def open(self, stack: AsyncExitStack, server: Server, *, makes_replica: bool = True) -> None:
        self.stream_arn = str(await create_streamed_table(self.dynamodb, self.source, view_type=self.view_type))
        if makes_replica:
            await create_streamed_table(self.dynamodb, self.replica, view_type=None)
        self.source_server, self._at_source = await stack.enter_async_context(recording(server))
        self.replica_server, self._at_replica = await stack.enter_async_context(recording(server))

    def product(self, **settings: object) -> Product:
        tables = (self.source, self.replica)
        settings = {"control_table": self.control, "lease_seconds": 5, **settings}
        return Product(self.source_server, tables, replica=self.replica_server, **settings)

    def actions(self) -> dict[str, set[str]]:
        """What was asked of each table, as IAM's actions, by `source`, `replica`, `control`."""
        roles = {self.source: "source", self.replica: "replica", self.control: "control"}
        found: dict[str, set[str]] = {role: set() for role in roles.values()}
        for recorder in (self._at_source, self._at_replica):
            for operation, table in recorder.asked:
                found[roles[table]].add(f"dynamodb:{operation}")
        return found

    def forget(self) -> None:
        """What was asked until now is another scenario's."""
        self._at_source.asked.clear()
        self._at_replica.asked.clear()

    async def put(self, key: str, value: str) -> None:
        await self.dynamodb.put_item(TableName=self.source, Item={"key": {"S": key}, "value": {"S": value}})

    async def delete(self, key: str) -> None:
        await self.dynamodb.delete_item(TableName=self.source, Key={"key": {"S": key}})

    async def until_equal(self) -> None:
        async def are_equal() -> bool:
            right = await contents(self.dynamodb, self.replica, "timestamp", "dynamirror_sequence")
            return await contents(self.dynamodb, self.source) == right

        await until(are_equal, "both tables are equal")

    def variables(self) -> dict[str, str]:
        return environment() | {
            "DYNAMIRROR_SOURCE_TABLE": self.source,
            "DYNAMIRROR_REPLICA_TABLE": self.replica,
            "DYNAMIRROR_CONTROL_TABLE": self.control,
            "DYNAMIRROR_SOURCE_ENDPOINT_URL": self.source_server.endpoint_url,
            "DYNAMIRROR_REPLICA_ENDPOINT_URL": self.replica_server.endpoint_url,
        }

    async def event(self) -> dict[str, Any]:
        """Everything that the stream has by now, as Lambda would send it."""
        records = await read_stream(self._streams, self.stream_arn)
        return {"Records": [_as_event(record, self.stream_arn) for record in records]}

    async def invoke(self, event: dict[str, Any] | None = None) -> str:
        """The Lambda function, as a process of its own; without an event, with everything that the stream has."""
        return await output_of([sys.executable, "-c", INVOKE], self.variables(), event or await self.event())

    async def of_file(self, file: Path) -> set[str]:
        """The actions that a dry run of a file asks the source's server for."""
        tables = {"DYNAMIRROR_SOURCE_TABLE", "DYNAMIRROR_REPLICA_TABLE"}
        variables = {name: value for name, value in self.variables().items() if name not in tables}
        await output_of([COMMAND, "run", "--config", str(file), "--dry-run"], variables, None)
        return {f"dynamodb:{operation}" for operation, _ in self._at_source.asked}

    async def command(self, *arguments: str) -> str:
        return await output_of([COMMAND, *arguments], self.variables(), None)


def _as_event(record: dict[str, Any], stream_arn: str) -> dict[str, Any]:
    created = record["dynamodb"]["ApproximateCreationDateTime"].timestamp()
    stream = {**record["dynamodb"], "ApproximateCreationDateTime": created}
    return {**record, "dynamodb": stream, "eventSource": "aws:dynamodb", "eventSourceARN": stream_arn}


async def output_of(command: list[str], variables: dict[str, str], event: Any) -> str:
    """Of a program that gets an event, and that ends with 0 or, as `verify` does, with 3."""
    process = await asyncio.create_subprocess_exec(
        *command,
        env=variables,
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    said, errors = await process.communicate(json.dumps(event).encode())
    assert process.returncode in (0, 3), errors.decode()
    return said.decode()


__all__ = ["Pipeline", "Recorder", "sdk_client"]
