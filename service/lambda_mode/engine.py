"""Applies one batch of an event source mapping with the parts of the running service: lanes, sink, guard, dead letters.

Lambda may send a batch again, cut in two, after a time-out, or beside another one, and nobody remembers what a former
try has written. So each change is judged by the source (GuardWindow.is_shared): what is written is what the source
holds at that moment, on the condition that nobody has written meanwhile (I1, I3). What is not settled in time is told
to Lambda, from the lowest sequence number on (I2). A crash here costs nothing: the batch comes again.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

from service.configuration.settings import Settings
from service.dynamodb_json.records import RecordReader
from service.dynamodb_json.table_names import table_name
from service.errors import HaltError, first_of
from service.events import Observer, Warned
from service.model import Change, SequenceNumber, ShardId, Unreadable
from service.observability.log_records import RecordLog
from service.operations.pipeline.outside import Outside
from service.replication.change_queue import ChangeQueue
from service.replication.guard_window import GuardWindow
from service.replication.writing.write_path import WritePath, build_write_path, metadata_of

SHARD = ShardId("lambda")
"""The mapping does not tell which shard a batch comes from; sequence numbers tell changes apart."""
LAST_SECONDS = 2.0
"""No request is begun any more so long before the end, or a quarter of a shorter time: those under way end, so that
none of them takes effect beside the next try of the batch."""
EVENT_SOURCE = "aws:dynamodb"


class Engine:
    """Kept between invocations, as are the connections behind `outside`."""

    def __init__(
        self, settings: Settings, outside: Outside, observer: Observer, log_records: RecordLog | None = None
    ) -> None:
        self._settings = settings
        self._outside = outside
        self._observer = observer
        self._log_records = log_records
        self._metadata = metadata_of(settings, outside.source, observer)
        self._metadata.note(outside.replica)
        self._reader = RecordReader(outside.source.keys, outside.source.view_type)

    async def apply(self, records: Sequence[Mapping[str, Any]], seconds: float) -> SequenceNumber | None:
        """The lowest sequence number that was not settled within so many seconds; None when all are.

        Raises HaltError when the records are not the source table's, or a person must act.
        """
        self._check_source(records)
        changes = [self._reader.read(SHARD, _as_json(record)) for record in records]
        if self._log_records is not None:
            self._log_records(changes)
        batch = Batch(changes)
        writing = build_write_path(
            settings=self._settings,
            adapters=self._outside.adapters,
            source=self._outside.source,
            window=GuardWindow(guards_all=True, is_shared=True),
            settle=batch.settle,
            check_trust=lambda: None,
            observer=self._observer,
            metadata=self._metadata,
        )
        await _within(seconds, writing, batch)
        if batch.unsettled:
            self._tell_late(batch, writing)
        return batch.lowest()

    def _tell_late(self, batch: Batch, writing: WritePath) -> None:
        why = writing.requests.refusal or "the tables were too slow, or the batch too large for the function's time-out"
        count = len(batch.unsettled)
        self._observer.observe(Warned("out of time", f"{count} records were not settled and come again: {why}"))

    def _check_source(self, records: Sequence[Mapping[str, Any]]) -> None:
        expected = table_name(self._settings.source_table)
        for record in records:
            if record.get("eventSource") != EVENT_SOURCE:
                raise HaltError(
                    f"this function takes events of a DynamoDB stream, and got one of {record.get('eventSource')!r}: "
                    "map it to the source table's stream only"
                )
            table = str(record.get("eventSourceARN", "")).partition(":table/")[2].partition("/")[0]
            if table and table != expected:
                raise HaltError(
                    f"this function replicates {expected}, and got a record of {table}: map it to the stream of "
                    f"{expected}, or set DYNAMIRROR_SOURCE_TABLE"
                )


def _as_json(record: Mapping[str, Any]) -> bytes:
    try:
        return msgspec.json.encode(record)
    except UnicodeEncodeError:  # a lone surrogate, which UTF-8 can't say, but an escape can
        return json.dumps(record, separators=(",", ":")).encode()


class Batch:
    """An event's changes in the stream's order, and which of them are not settled yet."""

    def __init__(self, changes: Sequence[Change | Unreadable]) -> None:
        self.changes = [change for change in changes if isinstance(change, Change)]
        self.unreadable = [change for change in changes if isinstance(change, Unreadable)]
        self.unsettled: set[SequenceNumber] = {change.sequence for change in self.changes}
        self._unparked = list(self.unreadable)

    def settle(self, changes: Sequence[Change]) -> None:
        self.unsettled.difference_update([change.sequence for change in changes])

    async def park(self, record: Unreadable, writing: WritePath) -> None:
        await writing.dead_letters.park_unreadable(record)
        self._unparked.remove(record)

    def lowest(self) -> SequenceNumber | None:
        """Raises HaltError when a record without a sequence number is left, which no answer could name."""
        numbers = [record.sequence for record in self._unparked]
        named = [number for number in numbers if number is not None]
        if len(named) < len(numbers):
            raise HaltError("a record without a sequence number could not be stored as a dead letter: it comes again")
        return min([*self.unsettled, *named], default=None)


async def _within(seconds: float, writing: WritePath, batch: Batch) -> None:
    """Settle what can be settled. Raises HaltError."""
    work = asyncio.create_task(_settle(writing, batch), name="batch")
    last = min(LAST_SECONDS, max(seconds, 0.0) / 4)
    try:
        await asyncio.wait([work], timeout=max(0.0, seconds - last))
        if not work.done():
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(writing.gate.pause(), last)
    finally:
        work.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await work


async def _settle(writing: WritePath, batch: Batch) -> None:
    """Through the lanes, a key's changes in order; the whole batch is in memory already, so nothing bounds it."""
    queue = ChangeQueue(len(batch.changes) + 1, sum(change.size for change in batch.changes) + 1)
    if batch.changes:
        await queue.put(batch.changes)
    queue.close()
    try:
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(writing.lanes.apply_all(queue), name="lanes")
            for record in batch.unreadable:
                tasks.create_task(batch.park(record, writing), name="unreadable record")
    except BaseExceptionGroup as errors:
        raise first_of(errors) from errors
