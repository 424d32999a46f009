"""Looks at everything that a pipeline needs, in the order in which a start would, and goes on after each problem.

Nothing is changed, so that it may run beside a living pipeline and any number of times.
"""

from __future__ import annotations

import contextlib
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any, TypeVar

from service.check.findings import Findings, Outcome
from service.check.first_start import first_start
from service.check.inspection import Inspection, Side
from service.check.rights import NOT_ASKED, Right, rights
from service.configuration.settings import Settings
from service.errors import DynamirrorError, PositionError, RefusedError, RetryableError
from service.events import Event, Warned
from service.migrations import load_migrations, plan
from service.model import ShardId, StreamStatus, TableDescription, ViewType
from service.ports import Clock
from service.preflight import WARN_OF_CLOCK_SECONDS, check_sequence_attribute, check_stream, check_tables
from service.replication.writing.write_path import metadata_of

Answer = TypeVar("Answer")
TRIES = 3
WAIT_SECONDS = 0.3


async def check(settings: Settings, inspection: Inspection, clock: Clock) -> Findings:
    """All that was found. Raises nothing of the outside: what can't be looked at is a finding."""
    return await _Check(settings, inspection, clock).run()


class _ToldError(Exception):
    """What was to be looked at can't be, and is a finding already."""


class _Check:
    def __init__(self, settings: Settings, inspection: Inspection, clock: Clock) -> None:
        self._settings = settings
        self._inspection = inspection
        self._clock = clock
        self._findings = Findings(settings.pipeline_name)
        self._add = self._findings.add
        self._tables: dict[Side, TableDescription] = {}

    async def run(self) -> Findings:
        settings = self._settings
        self._add("settings", "values", Outcome.RIGHT, f"{settings.source_table} to {settings.replica_table}")
        await _through(self._credentials("source"))
        await _through(self._credentials("replica"))
        await _through(self._source())
        await _through(self._replica())
        await _through(self._control())
        for right in rights(settings):
            await _through(self._right(right))
        for (side, operation), why in NOT_ASKED.items():
            if side in self._tables:
                self._add(side, operation, Outcome.NOT_ASKED, why)
        self._time()
        if self._findings.is_right:
            await _through(self._first_start())
        return self._findings

    async def _asked(
        self, topic: str, name: str, step: Callable[[], Awaitable[Answer]], if_refused: Outcome = Outcome.PROBLEM
    ) -> Answer:
        """A lost answer is asked for again, and so is what was signed at a wrong time. Raises _ToldError."""
        for tries_left in reversed(range(TRIES)):
            try:
                return await step()
            except DynamirrorError as error:
                if not tries_left or not (isinstance(error, RetryableError) or _is_about_time(error)):
                    self._add(topic, name, if_refused, str(error))
                    raise _ToldError from error
            await self._clock.sleep(WAIT_SECONDS)
        raise AssertionError  # the last try returns or raises

    def _is_met(self, topic: str, name: str, condition: Callable[[], None]) -> bool:
        """Whether a check of the start's passes; otherwise it is told."""
        try:
            condition()
        except DynamirrorError as error:
            self._add(topic, name, Outcome.PROBLEM, str(error))
            return False
        return True

    async def _credentials(self, side: Side) -> None:
        identity = await self._asked(side, "credentials", lambda: self._inspection.identity(side))
        if identity is not None:
            self._add(side, "credentials", Outcome.RIGHT, identity)
            return
        text = f"{self._inspection.address(side)} is not AWS: nobody there tells whose the credentials are"
        self._add(side, "credentials", Outcome.NOT_ASKED, text)

    async def _table(self, side: Side, name: str) -> TableDescription | None:
        """None: it does not exist."""
        table = await self._asked(side, "table", lambda: self._inspection.table(side))
        if table is not None:
            self._tables[side] = table
            place = f"in {table.region}, at {self._inspection.address(side)}"
            self._add(side, "table", Outcome.RIGHT, f"{name} {place}; its key is {table.key_text}")
        return table

    def _missing(self, side: Side, name: str, *, is_created: bool, remedy: str) -> None:
        if is_created:
            text = f"{name} does not exist yet; the first start creates it, which needs dynamodb:CreateTable"
            self._add(side, "table", Outcome.NOT_ASKED, text)
            return
        text = f"the {side} table {name} does not exist at {self._inspection.address(side)}"
        self._add(side, "table", Outcome.PROBLEM, f"{text}, for these credentials and this region: {remedy}")

    async def _source(self) -> None:
        settings = self._settings
        source = await self._table("source", settings.source_table)
        if source is None:
            self._missing("source", settings.source_table, is_created=False, remedy="correct these, or create it")
            return
        self._is_met("source", "metadata", lambda: check_sequence_attribute(source, settings.sequence_attribute))
        if self._is_met("source", "stream", lambda: check_stream(source)):
            await self._stream(source)

    async def _stream(self, source: TableDescription) -> None:
        stream = await self._asked("source", "stream", lambda: self._inspection.stream(source))
        view_type, shards = stream.view_type, len(stream.shards)
        if stream.status is StreamStatus.ENABLED:
            self._add("source", "stream", Outcome.RIGHT, f"{view_type.value}, {shards} shards are listed")
        else:
            self._add("source", "stream", Outcome.PROBLEM, f"it is {stream.status.value}: switch it on, or wait for it")
        if view_type in (ViewType.KEYS_ONLY, ViewType.OLD_IMAGE):
            text = f"{view_type.value} has no new images, so that each change costs a read of the source"
            self._add("source", "view type", Outcome.WARNING, f"{text}; NEW_AND_OLD_IMAGES and NEW_IMAGE need none")
        if stream.shards:
            shard_id = stream.shards[-1].shard_id
            await self._asked("source", "GetRecords", lambda: self._read(source, shard_id))
            self._add("source", "GetRecords", Outcome.RIGHT, "allowed, and GetShardIterator: reads the stream")

    async def _read(self, source: TableDescription, shard_id: ShardId) -> None:
        with contextlib.suppress(PositionError):  # the shard left the list meanwhile: that is no question of rights
            await self._inspection.read_stream(source, shard_id)

    async def _replica(self) -> None:
        settings = self._settings
        replica = await self._table("replica", settings.replica_table)
        if replica is None:
            remedy = "correct these, create it, or set DYNAMIRROR_CREATE_REPLICA=true"
            self._missing("replica", settings.replica_table, is_created=settings.create_replica, remedy=remedy)
            return
        source, is_one_endpoint = self._tables.get("source"), self._inspection.is_one_endpoint
        if source is not None and source.stream_arn is not None:
            keyed = source
            if self._is_met("replica", "keys", lambda: check_tables(keyed, replica, is_one_endpoint=is_one_endpoint)):
                self._add("replica", "keys", Outcome.RIGHT, "the same as the source's")
        heard = _Heard()
        metadata_of(settings, replica, heard).note(replica)
        for text in heard.warnings:
            self._add("replica", "metadata", Outcome.WARNING, text)
        if not heard.warnings:
            self._add("replica", "metadata", Outcome.RIGHT, "no index refuses the attributes that are added")

    async def _control(self) -> None:
        name, schema = self._settings.control_table, self._inspection.schema
        if await self._asked("control", "table", schema.keys) is None:
            self._missing("control", name, is_created=True, remedy="")
            return
        pending = await self._asked("control", "schema", lambda: plan(schema))
        await self._table("control", name)
        text = f"the start applies {', '.join(map(str, pending))}" if pending else f"up to {load_migrations()[-1]}"
        self._add("control", "schema", Outcome.RIGHT, text)

    async def _right(self, right: Right) -> None:
        table = self._tables.get(right.side)
        if table is None:
            return
        if_refused = Outcome.PROBLEM if right.is_needed else Outcome.WARNING
        ask, keys = self._inspection.ask, table.keys
        await self._asked(right.side, right.operation, lambda: ask(right.side, right.operation, keys), if_refused)
        self._add(right.side, right.operation, Outcome.RIGHT, f"allowed: {right.use}")

    def _time(self) -> None:
        offset = self._inspection.clock_offset()
        if offset is None:
            self._add("clock", "offset", Outcome.NOT_ASKED, "no answer has told the time")
        elif abs(offset) >= WARN_OF_CLOCK_SECONDS:
            place = "behind" if offset > 0 else "ahead of"
            text = f"this machine's clock is {abs(offset):.0f} s {place} AWS's: set it (NTP)"
            self._add("clock", "offset", Outcome.WARNING, text)
        else:
            self._add("clock", "offset", Outcome.RIGHT, f"AWS's clock is {offset:+.1f} s from this machine's")

    async def _first_start(self) -> None:
        settings, inspection, source = self._settings, self._inspection, self._tables["source"]
        told = await self._asked("control", "progress", lambda: first_start(settings, inspection, source))
        self._findings.first_start = told


class _Heard:
    """An observer that keeps the warnings."""

    def __init__(self) -> None:
        self.warnings: list[str] = []

    def observe(self, event: Event) -> None:
        if isinstance(event, Warned):
            self.warnings.append(event.text)


async def _through(part: Coroutine[Any, Any, None]) -> None:
    """One part of the check: what it can't look at is told, and the next part follows."""
    with contextlib.suppress(_ToldError):
        await part


def _is_about_time(error: DynamirrorError) -> bool:
    """The answer has told the service's time: the next request is signed at that."""
    return isinstance(error, RefusedError) and ("Signature" in error.cause or "Skewed" in error.cause)
