"""`service.lambda_handler.handler` as Lambda's runtime invokes it, and the event of a real stream."""

from __future__ import annotations

import asyncio

from service import lambda_handler
from tests.servers import read_stream
from tests.support.patience import PATIENCE_SECONDS


class Context:
    def __init__(self, seconds=PATIENCE_SECONDS):
        self._seconds = seconds

    def get_remaining_time_in_millis(self):
        return int(self._seconds * 1000)


async def invoke(event, seconds=PATIENCE_SECONDS):
    """In a thread, as the runtime has no event loop of its own."""
    return await asyncio.to_thread(lambda_handler.handler, event, Context(seconds))


async def event_of(streams, arn, wanted=1):
    """All that the stream has, once that is as much as wanted, as Lambda would send it in one batch.

    None of the values is one that the SDK decodes.
    """
    records = []
    for record in await read_stream(streams, arn, wanted):
        created = record["dynamodb"]["ApproximateCreationDateTime"].timestamp()
        stream = {**record["dynamodb"], "ApproximateCreationDateTime": created}
        records.append({**record, "dynamodb": stream, "eventSource": "aws:dynamodb", "eventSourceARN": arn})
    return {"Records": records}
