"""The Lambda engine: an event of a DynamoDB Streams event source mapping, applied to the replica.

The same lanes, sink, guard, shape and dead letters as in the running service. Lambda may send a batch again, or cut
in two, so every change is guarded (I3). What is not settled in time is answered as failed from the lowest sequence
number on, so that nothing is lost and little is repeated (I2).

The function's handler is `service.lambda_handler.handler`; the mapping needs `ReportBatchItemFailures`.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from contextlib import AsyncExitStack
from typing import Any, Protocol

import msgspec

from service.config import Settings, load_settings
from service.errors import DynamirrorError, HaltError
from service.log import LogObserver
from service.log_setup import configure_log
from service.model import Change, SequenceNumber, ShardId
from service.operations.pipeline import Outside
from service.records import RecordReader
from service.replication.change_queue import ChangeQueue
from service.replication.guard_window import GuardWindow
from service.replication.replicator import first_of
from service.replication.write_path import WritePath, build_write_path
from service.table_names import table_name
from service.telemetry import Observer
from service.world import SystemClock, at_start, new_owner, open_world

SHARD = ShardId("lambda")
"""The mapping does not tell which shard a batch comes from; sequence numbers tell changes apart."""
MARGIN_SECONDS = 2.0
"""Kept of the invocation's time for the answer, or a fifth of a shorter time."""
EVENT_SOURCE = "aws:dynamodb"


class Context(Protocol):
    """What Lambda's runtime tells of an invocation."""

    def get_remaining_time_in_millis(self) -> int: ...


class Engine:
    """What is kept between invocations: the connections, and what is known of the tables."""

    def __init__(self, settings: Settings, outside: Outside, observer: Observer) -> None:
        self._settings = settings
        self._outside = outside
        self._observer = observer
        self._reader = RecordReader(outside.source.keys, outside.source.view_type)

    async def apply(self, records: Sequence[Mapping[str, Any]], seconds: float) -> SequenceNumber | None:
        """The lowest sequence number that was not settled within so many seconds; None when all are.

        Raises HaltError when the records are not the source table's.
        """
        self._check_source(records)
        unsettled: set[SequenceNumber] = set()

        def settle(changes: Sequence[Change]) -> None:
            unsettled.difference_update([change.sequence for change in changes])

        writing = build_write_path(
            settings=self._settings,
            adapters=self._outside.adapters,
            source=self._outside.source,
            window=GuardWindow(guards_all=True),
            settle=settle,
            check_trust=lambda: None,
            observer=self._observer,
        )
        changes = [self._reader.read(SHARD, msgspec.json.encode(record)) for record in records]
        unsettled.update([change.sequence for change in changes if change.sequence is not None])
        try:
            async with asyncio.timeout(seconds):
                for change in changes:
                    if not isinstance(change, Change):
                        await writing.dead_letters.park_unreadable(change)
                        unsettled.discard(change.sequence or SequenceNumber(0))
                await self._write(writing, [change for change in changes if isinstance(change, Change)])
        except TimeoutError:
            pass
        return min(unsettled, default=None)

    async def _write(self, writing: WritePath, changes: list[Change]) -> None:
        """Through the lanes, a key's changes in order; the whole batch is in memory already, so nothing bounds it."""
        queue = ChangeQueue(len(changes) + 1, sum(change.size for change in changes) + 1)
        await queue.put(changes)
        queue.close()
        try:
            await writing.lanes.apply_all(queue)
        except BaseExceptionGroup as errors:
            raise first_of(errors) from errors

    def _check_source(self, records: Sequence[Mapping[str, Any]]) -> None:
        for record in records:
            if record.get("eventSource") != EVENT_SOURCE:
                raise HaltError(
                    f"this function takes events of a DynamoDB stream, and got one of {record.get('eventSource')!r}: "
                    "map it to the source table's stream only"
                )
            arn = str(record.get("eventSourceARN", ""))
            table = arn.partition(":table/")[2].partition("/")[0]
            expected = table_name(self._settings.source_table)
            if table and table != expected:
                raise HaltError(
                    f"this function replicates {expected}, and got a record of {table}: map it to the stream of "
                    f"{expected}, or set DYNAMIRROR_SOURCE_TABLE"
                )


class Function:
    """The function's process: one event loop and one engine for all of its invocations, which come one by one."""

    def __init__(self) -> None:
        self._loop = asyncio.new_event_loop()
        self._stack = AsyncExitStack()
        self._engine: Engine | None = None

    def invoke(self, event: Mapping[str, Any], seconds: float) -> dict[str, Any]:
        return self._loop.run_until_complete(self._answer(event, seconds))

    async def _answer(self, event: Mapping[str, Any], seconds: float) -> dict[str, Any]:
        records = event.get("Records")
        if not isinstance(records, list):
            raise HaltError('this function takes events of a DynamoDB stream: {"Records": […]}')
        if not records:
            return {"batchItemFailures": []}
        engine = self._engine or await self._start()
        lowest = await engine.apply(records, seconds)
        return {"batchItemFailures": [] if lowest is None else [{"itemIdentifier": str(lowest)}]}

    async def _start(self) -> Engine:
        """The first invocation pays for the connections, the checks of both tables and the migrations."""
        settings = load_settings()
        configure_log(settings)
        clock = SystemClock()
        world = await self._stack.enter_async_context(open_world(settings))
        outside = await at_start(clock, world.look)
        await at_start(clock, lambda: world.migrate(new_owner()))
        self._engine = Engine(settings, outside, LogObserver())
        return self._engine

    def close(self) -> None:
        """End the connections; for tests, since Lambda just freezes or ends the process."""
        self._loop.run_until_complete(self._stack.aclose())
        self._loop.close()


_function: Function | None = None


def handler(event: Mapping[str, Any], context: Context) -> dict[str, Any]:
    """Lambda's entry point: `{"batchItemFailures": [{"itemIdentifier": "SEQUENCE"}]}`, empty when all is settled.

    Raises when nothing can be applied at all (settings, tables, a foreign event): Lambda then sends the batch again,
    by the mapping's rules, and the error's text is in the log.
    """
    global _function  # noqa: PLW0603  Lambda keeps a process, and so its module, between invocations
    if _function is None:
        _function = Function()
    left = context.get_remaining_time_in_millis() / 1000
    try:
        return _function.invoke(event, max(0.0, left - min(MARGIN_SECONDS, left / 5)))
    except DynamirrorError as error:
        raise RuntimeError(str(error)) from error
