"""The control table's form: its creation, its recorded migrations, the lock around them.

The records lie in the control table itself, under a pipeline name that no pipeline can have.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, TypeVar

from service.aws.calls import ask
from service.aws.control.attributes import Attributes, attributes_of, understood, value_of
from service.aws.control.table import ControlTable, is_done
from service.aws.error_codes import Call
from service.aws.http.wire import Wire
from service.aws.table_creation import CREATION_SECONDS, PASSING, POLL_SECONDS, create_table
from service.aws.tables import found_table
from service.errors import HaltError, UnavailableError
from service.model import KeyAttribute
from service.pipeline_state import AppliedMigration
from service.ports import Clock

Answer = TypeVar("Answer")

SCHEMA = "#schema"
LOCK = "lock"
MIGRATION = "migration#"


class DynamoSchemaStore:
    """Implements service.ports.SchemaStore."""

    def __init__(self, wire: Wire, table: str, clock: Clock) -> None:
        """`table` is a name or an ARN."""
        self._wire = wire
        self._clock = clock
        self._items = ControlTable(wire, table, SCHEMA)
        self._resource = f"the control table {table}"

    @property
    def table(self) -> str:
        return self._items.name

    async def keys(self) -> tuple[KeyAttribute, ...] | None:
        give_up_at = self._clock.monotonic() + CREATION_SECONDS
        while True:
            found = await found_table(self._wire, self.table, "control")
            if found is None:
                return None
            if found.status not in PASSING:
                return found.keys
            await self._wait(give_up_at, f"is {found.status}")

    async def apply_step(self, kind: str, arguments: Mapping[str, Any]) -> None:
        match kind:
            case "create_table":
                await self._create_table(arguments)
            case "update_time_to_live":
                await self._update_time_to_live(arguments)
            case _:
                raise HaltError(f"a migration asks for {kind!r}, which this dynamirror can't do")

    async def applied(self) -> list[AppliedMigration]:
        return [_applied(found) async for found in self._items.query(MIGRATION)]

    async def record(self, migration: AppliedMigration) -> None:
        name, attributes = f"{MIGRATION}{migration.number:04d}", attributes_of(migration, "number")
        await is_done(self._items.put(name, attributes, only_if="attribute_not_exists(#item)"))

    async def lock(self, owner: str, now: float, seconds: float) -> bool:
        lock, values = {"owner": owner, "expires_at": now + seconds}, {":mine": owner, ":now": now}
        only_if = "attribute_not_exists(#owner) OR #owner = :mine OR #expires_at < :now"
        return await is_done(self._items.put(LOCK, lock, only_if=only_if, values=values))

    async def unlock(self, owner: str) -> None:
        await is_done(self._items.delete(LOCK, only_if="#owner = :mine", values={":mine": owner}))

    async def _create_table(self, arguments: Mapping[str, Any]) -> None:
        give_up_at = self._clock.monotonic() + CREATION_SECONDS
        while await self.keys() is None:
            if not await create_table(self._wire, self._resource, TableName=self.table, **arguments):
                await self._wait(give_up_at, "exists and does not exist")

    async def _update_time_to_live(self, wanted: Mapping[str, Any]) -> None:
        """Asked first, because the service refuses to turn on what is on, and any change within an hour of another."""
        is_on, attribute = await self._call("DescribeTimeToLive", _time_to_live)
        if is_on == wanted["Enabled"] and (not is_on or attribute == wanted["AttributeName"]):
            return
        name = "TimeToLiveSpecification"
        await self._call("UpdateTimeToLive", lambda answer: answer[name], **{name: dict(wanted)})

    async def _call(self, operation: str, read: Callable[[dict[str, Any]], Answer], **request: Any) -> Answer:
        return await ask(self._wire, Call(operation, self._resource), read, TableName=self.table, **request)

    async def _wait(self, give_up_at: float, what: str) -> None:
        if self._clock.monotonic() >= give_up_at:
            raise UnavailableError(f"{self._resource} {what} for {CREATION_SECONDS:.0f} s", "Creating")
        await self._clock.sleep(POLL_SECONDS)


def _time_to_live(answer: Mapping[str, Any]) -> tuple[bool, str | None]:
    present = answer["TimeToLiveDescription"]
    return present["TimeToLiveStatus"] in ("ENABLING", "ENABLED"), present.get("AttributeName")


def _applied(found: Attributes) -> AppliedMigration:
    with understood(SCHEMA, found["item"]["S"]):
        return value_of(AppliedMigration, found, number=int(found["item"]["S"].removeprefix(MIGRATION)))
