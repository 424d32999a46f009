"""DynamoDB within this process: moto on a free loopback port, with the demo's two tables.

Everything in it is gone when the process ends.
"""

from __future__ import annotations

import logging
import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import httpx

from service.errors import HaltError
from service.loading import loading

SOURCE, REPLICA = "master-table", "replica-table"
REGION = "us-west-2"
AUTHORIZATION = f"AWS4 Credential=demo/x/{REGION}/dynamodb/x"
"""moto checks no signature; it takes service and region from here."""

Item = dict[str, Any]
"""In DynamoDB JSON."""
ANSWER_SECONDS = 60.0
"""The emulator shares this process, and perhaps a busy machine."""


@contextmanager
def running_emulator() -> Iterator[str]:
    """The emulator's URL, for as long as the block lasts. Raises HaltError when moto is not installed."""
    try:
        # Here, since only the demo needs moto, and only the extra `demo` installs it.
        with loading():
            from moto.server import ThreadedMotoServer
    except ImportError as error:
        raise HaltError(f"the demo needs its emulator ({error}): pip install 'dynamirror[demo]'") from error
    logging.getLogger("werkzeug").setLevel(logging.ERROR)  # a line for each request otherwise
    server = ThreadedMotoServer("127.0.0.1", 0, verbose=False)
    server.start()
    try:
        host, port = server.get_host_and_port()
        yield f"http://{host}:{port}"
    finally:
        server.stop()


def use_dummy_credentials() -> None:
    """From now on this process knows nothing of the machine's AWS settings, and speaks to loopback without a proxy."""
    for name in [name for name in os.environ if name.startswith("AWS_")]:
        del os.environ[name]
    os.environ.update(
        AWS_ACCESS_KEY_ID="demo",
        AWS_SECRET_ACCESS_KEY="demo",
        AWS_DEFAULT_REGION=REGION,
        AWS_CONFIG_FILE=os.devnull,
        AWS_SHARED_CREDENTIALS_FILE=os.devnull,
        AWS_EC2_METADATA_DISABLED="true",
        NO_PROXY="127.0.0.1,localhost",
        no_proxy="127.0.0.1,localhost",
    )


class Tables:
    """The demo's own way to the emulator, beside the service's. `async with` it."""

    def __init__(self, url: str) -> None:
        headers = {"Authorization": AUTHORIZATION, "Content-Type": "application/x-amz-json-1.0"}
        self._client = httpx.AsyncClient(
            base_url=url, headers=headers, timeout=ANSWER_SECONDS, trust_env=False, verify=False
        )

    async def __aenter__(self) -> Tables:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._client.aclose()

    async def create(self) -> None:
        """Both tables, with the key `key`; the source with a stream."""
        stream = {"StreamEnabled": True, "StreamViewType": "NEW_AND_OLD_IMAGES"}
        for name, more in ((SOURCE, {"StreamSpecification": stream}), (REPLICA, {})):
            await self._call(
                "CreateTable",
                TableName=name,
                BillingMode="PAY_PER_REQUEST",
                AttributeDefinitions=[{"AttributeName": "key", "AttributeType": "S"}],
                KeySchema=[{"AttributeName": "key", "KeyType": "HASH"}],
                **more,
            )

    async def put(self, item: Item) -> None:
        """Into the source."""
        await self._call("PutItem", TableName=SOURCE, Item=item)

    async def delete(self, key: str) -> None:
        """From the source."""
        await self._call("DeleteItem", TableName=SOURCE, Key={"key": {"S": key}})

    async def items(self, table: str) -> dict[str, Item]:
        """Every item of a table, by its key."""
        found: dict[str, Item] = {}
        start: dict[str, Any] = {}
        while True:
            page = await self._call("Scan", TableName=table, ConsistentRead=True, **start)
            found |= {item["key"]["S"]: item for item in page["Items"]}
            if "LastEvaluatedKey" not in page:
                return found
            start = {"ExclusiveStartKey": page["LastEvaluatedKey"]}

    async def _call(self, operation: str, **request: Any) -> dict[str, Any]:
        answer = await self._client.post("/", json=request, headers={"X-Amz-Target": f"DynamoDB_20120810.{operation}"})
        if answer.is_error:
            raise HaltError(f"the demo's emulator refused {operation}: {answer.text[:300]}")
        content: dict[str, Any] = answer.json()
        return content
