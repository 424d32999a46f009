"""Every record in the log as JSON, item values included: only where DYNAMIRROR_LOG_RECORDS asks for it.

As the original function did. A record that is read again, after a restart or in a replay, is written again.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable

import orjson

from service.configuration.settings import LogFormat, Settings
from service.dynamodb_json.record_text import record_of
from service.model import Change, Page, Position, ShardId, StreamDescription, Unreadable
from service.observability.log_setup import log_format_of, unfiltered_logger
from service.ports import Streams

RecordLog = Callable[[Iterable[Change | Unreadable]], None]


def record_log(settings: Settings, pipeline: str | None = None) -> RecordLog | None:
    """Writes records as JSON, at every level; None where that is not asked for. `pipeline` is named in each line."""
    if not settings.log_records:
        return None
    is_json = log_format_of(settings, sys.stderr) is LogFormat.JSON
    lines = unfiltered_logger() if pipeline is None else unfiltered_logger().bind(pipeline=pipeline)

    def write(records: Iterable[Change | Unreadable]) -> None:
        for record in records:
            content = record_of(record) if isinstance(record, Change) else record.record
            if is_json:
                lines.info("record", shard_id=record.shard_id, record=orjson.Fragment(content))
            else:
                lines.info(f"record {content.decode(errors='backslashreplace')}")

    return write


class LoggedStreams:
    """Implements ports.Streams: another one, whose records are written to the log as they are read."""

    def __init__(self, streams: Streams, write: RecordLog) -> None:
        self._streams = streams
        self._write = write

    async def describe(self) -> StreamDescription:
        return await self._streams.describe()

    async def iterator(self, shard_id: ShardId, position: Position) -> str:
        return await self._streams.iterator(shard_id, position)

    async def read(self, shard_id: ShardId, iterator: str, limit: int) -> Page:
        page = await self._streams.read(shard_id, iterator, limit)
        self._write((*page.changes, *page.unreadable))
        return page
