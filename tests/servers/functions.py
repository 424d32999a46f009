"""Lambda functions of ministack: created from a zip, mapped to a stream, watched, removed."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable
from typing import Any

from tests.servers.access import REGION
from tests.servers.tables import scan
from tests.support.patience import PATIENCE_SECONDS

ROLE = "arn:aws:iam::000000000000:role/dynamirror"


class Functions:
    """One test's functions and mappings. `client`, `dynamodb` and `sqs` are SDK clients."""

    def __init__(self, dynamodb: Any, client: Any, sqs: Any, code: bytes, unique_name: Callable[[str], str]) -> None:
        self.dynamodb = dynamodb
        self.client = client
        self.sqs = sqs
        self._code = code
        self._unique_name = unique_name
        self.names: list[str] = []
        self._mappings: list[str] = []

    async def create(self, source: str, replica: str, *, seconds: int = 300, **settings: str) -> str:
        """A function for a pipeline; returns its name."""
        name = self._unique_name("dynamirror")[-60:].lstrip("-")
        variables = {"DYNAMIRROR_SOURCE_TABLE": source, "DYNAMIRROR_REPLICA_TABLE": replica, **settings}
        await self.client.create_function(
            FunctionName=name,
            Runtime="python3.12",
            Role=ROLE,
            Handler="service.lambda_handler.handler",
            Code={"ZipFile": self._code},
            Timeout=seconds,
            MemorySize=512,
            Environment={"Variables": variables},
        )
        self.names.append(name)
        async with asyncio.timeout(PATIENCE_SECONDS):
            while (await self.client.get_function(FunctionName=name))["Configuration"]["State"] != "Active":  # noqa: ASYNC110 the server has no event to wait for
                await asyncio.sleep(0.1)
        return name

    async def map(self, name: str, stream_arn: str, **options: Any) -> str:
        """Map the function to a stream; returns the mapping's id."""
        given = {"BatchSize": 100, "StartingPosition": "TRIM_HORIZON", **options}
        mapping = await self.client.create_event_source_mapping(
            FunctionName=name,
            EventSourceArn=stream_arn,
            FunctionResponseTypes=["ReportBatchItemFailures"],
            **given,
        )
        self._mappings.append(mapping["UUID"])
        return str(mapping["UUID"])

    async def invoke(self, name: str, event: Any) -> tuple[Any, bool]:
        """The function's answer, and whether it is an error."""
        answer = await self.client.invoke(FunctionName=name, Payload=json.dumps(event).encode())
        return json.loads(await answer["Payload"].read()), "FunctionError" in answer

    async def queue(self) -> tuple[str, str]:
        """A queue for what failed: its URL and its ARN."""
        name = self._unique_name("failures")[-70:].lstrip("-")
        url = (await self.sqs.create_queue(QueueName=name))["QueueUrl"]
        return url, f"arn:aws:sqs:{REGION}:000000000000:{name}"

    def forget(self, mapping: str) -> None:
        """The test has removed it."""
        self._mappings.remove(mapping)

    async def remove(self) -> None:
        for mapping in self._mappings:
            await self.client.delete_event_source_mapping(UUID=mapping)
        for name in self.names:
            await self.client.delete_function(FunctionName=name)


async def until(holds: Callable[[], Awaitable[Any]], what: str, seconds: float = PATIENCE_SECONDS) -> Any:
    """What it returned when it held. Raises AssertionError that names what never was."""
    loop = asyncio.get_running_loop()
    give_up_at = loop.time() + seconds
    while loop.time() < give_up_at:
        if found := await holds():
            return found
        await asyncio.sleep(0.1)
    raise AssertionError(f"never: {what}")


async def contents(dynamodb: Any, table: str, *without: str) -> dict[str, dict[str, Any]]:
    """A table's items by their `key`, without some attributes."""
    items = await scan(dynamodb, table)
    return {item["key"]["S"]: {name: value for name, value in item.items() if name not in without} for item in items}
