"""What a start would do now, by what the control table remembers, and what a first copy would cost."""

from __future__ import annotations

import math

from service.check.findings import FirstStart
from service.check.inspection import Inspection
from service.configuration.settings import OnGap, Settings, StartFrom
from service.errors import GapError
from service.model import TableDescription
from service.operations.documents.utc_time import moment, utc_text
from service.pipeline_state import PipelineRecord
from service.replication.gaps import MENDS, check_source, still_open

# Developer Guide, "DynamoDB read and write operations": a read unit is 4 KB read consistently, a write unit 1 KB of one
# item, both rounded up. The snapshot scans consistently (service.aws.tables) and writes items one by one in a batch.
READ_UNIT_BYTES = 4096
WRITE_UNIT_BYTES = 1024


async def first_start(settings: Settings, inspection: Inspection, source: TableDescription) -> FirstStart:
    """Raises RetryableError, RefusedError, HaltError."""
    control = inspection.control
    if await inspection.schema.keys() is None:
        return _first(settings, source)
    lease = await control.read_lease()
    progress = await control.read_progress()
    if progress is None:
        return _first(settings, source)
    check_source(progress.stream_arn, source.stream_arn or "")
    saved = max((checkpoint.read_up_to for checkpoint in progress.checkpoints.values()), default=0.0)
    until = f", read up to {utc_text(moment(saved))}" if saved else ""
    text = f"goes on from the positions of {len(progress.checkpoints)} shards{until}"
    if (gap := _gap(progress, source)) is not None:
        if settings.on_gap is OnGap.FAIL:
            raise gap
        text = f"finds a gap, which a snapshot mends by itself: {gap}"
    if progress.needs_snapshot:
        text += "; a snapshot that was begun has to end first"
    if lease is not None and not lease.is_released:
        text += f"; {lease.owner} had the pipeline last, and a start stands by while it lives"
    return FirstStart(text)


def _gap(progress: PipelineRecord, source: TableDescription) -> GapError | None:
    """What a start would find, of what can be told without reading the stream."""
    if progress.gaps and not progress.needs_snapshot:
        return still_open(progress.gaps[-1])
    if progress.stream_arn != source.stream_arn:
        return GapError(f"the positions are those of another stream ({progress.stream_arn}); {MENDS}")
    return None


def _first(settings: Settings, source: TableDescription) -> FirstStart:
    if settings.start_at is not StartFrom.SNAPSHOT:
        beginning = "the oldest records of the stream" if settings.start_at is StartFrom.TRIM_HORIZON else "now on"
        return FirstStart(
            f"begins with {beginning}, and copies nothing (DYNAMIRROR_START_AT={settings.start_at.value})"
        )
    items = source.item_count
    reads = math.ceil(source.size_bytes / READ_UNIT_BYTES)
    writes = items * max(1, math.ceil(source.size_bytes / max(items, 1) / WRITE_UNIT_BYTES))
    text = (
        f"copies the source: about {items:,} items, {source.size_bytes:,} bytes, by DynamoDB's count, which may be six "
        f"hours old; some {reads:,} read units of the source, {writes:,} write units of the replica, and its indexes'"
    )
    return FirstStart(text, items, reads, writes)
