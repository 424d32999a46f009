"""Creates a replica with the source's key schema, where it is missing and that is wanted."""

from __future__ import annotations

from typing import Any

from service.aws.calls import ask
from service.aws.error_codes import Call
from service.errors import HaltError, RefusedError
from service.model import KeyAttribute
from service.ports import Clock

CREATION_SECONDS = 300.0
POLL_SECONDS = 0.5


async def create_table_like(client: Any, table: str, keys: tuple[KeyAttribute, ...], clock: Clock) -> None:
    """Returns when the table is there and active; a table that exists is left alone.

    Billed per request, since nobody has said what capacity it needs. Raises HaltError, RefusedError.
    """
    try:
        await ask(
            client,
            "create_table",
            Call("CreateTable", f"the replica table {table}"),
            dict,
            TableName=table,
            BillingMode="PAY_PER_REQUEST",
            AttributeDefinitions=[{"AttributeName": key.name, "AttributeType": key.type} for key in keys],
            KeySchema=[
                {"AttributeName": key.name, "KeyType": "RANGE" if position else "HASH"}
                for position, key in enumerate(keys)
            ],
        )
    except RefusedError as error:
        if error.cause != "ResourceInUseException":
            raise
    describe = Call("DescribeTable", f"the replica table {table}")
    give_up_at = clock.monotonic() + CREATION_SECONDS
    while clock.monotonic() < give_up_at:
        try:
            if await ask(client, "describe_table", describe, _is_active, TableName=table):
                return
        except RefusedError as error:
            if error.cause != "ResourceNotFoundException":  # DescribeTable is eventually consistent
                raise
        await clock.sleep(POLL_SECONDS)
    raise HaltError(f"the replica table {table} did not become active within {CREATION_SECONDS:.0f} s")


def _is_active(answer: dict[str, Any]) -> bool:
    return bool(answer["Table"]["TableStatus"] == "ACTIVE")
