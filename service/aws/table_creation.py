"""Finds the replica, and creates it with the source's key schema where it is missing and that is wanted.

Asked for again, or by two processes at the same moment, it comes to the same: DynamoDB creates a table once, and
whoever meets it on its way waits until it is there.
"""

from __future__ import annotations

from typing import Any

from service.aws.calls import ask
from service.aws.error_codes import Call
from service.aws.http.wire import Wire
from service.aws.tables import found_table
from service.errors import HaltError, RefusedError
from service.model import TableDescription
from service.ports import Clock

CREATION_SECONDS = 300.0
"""A table of no data is there within seconds; a service that needs longer is in trouble."""
POLL_SECONDS = 0.5
# botocore, dynamodb 2012-08-10: TableStatus. An UPDATING table is read and written as an active one.
_USABLE = frozenset({"ACTIVE", "UPDATING"})
PASSING = frozenset({"CREATING", "DELETING"})


async def found_or_created(
    wire: Wire, table: str, source: TableDescription, clock: Clock, *, creates: bool
) -> TableDescription:
    """The replica, once it can be written to; one that exists is left as it is. Only a missing one is created.

    Raises HaltError when it is missing and not to be created, or does not come; RefusedError.
    """
    give_up_at = clock.monotonic() + CREATION_SECONDS
    while True:
        found = await found_table(wire, table, "replica")
        if found is None:
            if not creates:
                raise HaltError(
                    f"the replica table {table} does not exist: create it with the key {source.key_text}, or set "
                    "DYNAMIRROR_CREATE_REPLICA=true"
                )
            await create_table_like(wire, table, source)
        elif found.status in _USABLE:
            return found
        elif found.status not in PASSING:
            raise HaltError(f"the replica table {table} is {found.status}, and takes no writes: make it active again")
        if clock.monotonic() >= give_up_at:
            status = "missing" if found is None else found.status
            raise HaltError(f"the replica table {table} is {status} still after {CREATION_SECONDS:.0f} s")
        await clock.sleep(POLL_SECONDS)


async def create_table_like(wire: Wire, table: str, source: TableDescription) -> None:
    """Billed per request, since nobody has said what capacity it needs. Nothing where somebody else was quicker."""
    await create_table(
        wire,
        f"the replica table {table}",
        TableName=table,
        BillingMode="PAY_PER_REQUEST",
        AttributeDefinitions=[{"AttributeName": key.name, "AttributeType": key.type} for key in source.keys],
        KeySchema=[
            {"AttributeName": key.name, "KeyType": "RANGE" if position else "HASH"}
            for position, key in enumerate(source.keys)
        ],
    )


async def create_table(wire: Wire, resource: str, **request: Any) -> bool:
    """False: somebody else creates it, or DescribeTable, which is eventually consistent, does not know it yet."""
    try:
        await ask(wire, Call("CreateTable", resource), lambda answer: answer["TableDescription"], **request)
    except RefusedError as error:
        if error.cause != "ResourceInUseException":
            raise
        return False
    return True
