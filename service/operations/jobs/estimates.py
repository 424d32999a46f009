"""How large a job will be: DynamoDB's own counts of both tables, asked for when the job begins."""

from __future__ import annotations

import asyncio
import contextlib
from dataclasses import replace

from service.errors import HaltError, RetryableError
from service.operations.pipeline.pipeline import Pipeline


async def count_anew(pipeline: Pipeline) -> None:
    """Describe both tables for their counts. One that does not answer keeps its old count: it is but an estimate."""
    outside = pipeline.outside
    with contextlib.suppress(RetryableError, HaltError):
        source, replica = await asyncio.gather(outside.adapters.source.describe(), outside.adapters.replica.describe())
        if pipeline.outside is outside:  # else the tables were looked at meanwhile
            pipeline.outside = replace(
                outside,
                source=replace(outside.source, item_count=source.item_count),
                replica=replace(outside.replica, item_count=replica.item_count),
            )


async def items_to_verify(pipeline: Pipeline) -> int:
    """Both tables are read. A replica that may have more than the source is not read itself."""
    await count_anew(pipeline)
    outside = pipeline.outside
    extra = 0 if pipeline.settings.skip_ttl_deletes else outside.replica.item_count
    return outside.source.item_count + extra
