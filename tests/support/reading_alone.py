"""The readers of a stream by themselves: the test takes what they queue."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from service.errors import GapError, HaltError, first_of
from service.model import Position, SequenceNumber, ShardId
from service.pipeline_state import Checkpoint
from service.replication.change_queue import ChangeQueue
from service.replication.progress.progress import Progress
from service.replication.reading.stream_reader import Readers
from tests.fakes.stream import Timing
from tests.fakes.world import World
from tests.support.workbench import Bench, item


class Reading:
    """Readers of a world's stream, with nobody behind the queue but the test."""

    def __init__(
        self,
        world: World | None = None,
        *,
        max_records: int = 10_000,
        max_bytes: int = 10**9,
        poll_seconds: float = 0.25,
    ) -> None:
        self.world = world or World(timing=Timing(late_ends=0.0))
        self.bench = Bench(self.world)
        self.stream = self.world.source.stream
        self.queue = ChangeQueue(max_records, max_bytes)
        self.progress = Progress(self.queue.release)
        self._poll_seconds = poll_seconds
        self._contents = itertools.count()

    async def readers(self, *saved: Checkpoint) -> Readers:
        path = await self.bench.open()
        return Readers(
            streams=self.bench.process.streams,
            stream_arn=self.stream.arn,
            checkpoints={checkpoint.shard_id: checkpoint for checkpoint in saved},
            progress=self.progress,
            queue=self.queue,
            dead_letters=path.dead_letters,
            clock=self.world.clock,
            observer=self.bench.log,
            poll_seconds=self._poll_seconds,
        )

    @asynccontextmanager
    async def running(self, readers: Readers) -> AsyncIterator[asyncio.Task[None]]:
        task = asyncio.create_task(readers.read())
        try:
            yield task
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)

    async def gap(self, *saved: Checkpoint, seconds: float = 180) -> HaltError:
        """The gap that reading ends with."""
        readers = await self.readers(*saved)
        try:
            async with asyncio.timeout(seconds):
                await readers.read()
        except BaseExceptionGroup as errors:
            error = first_of(errors)
            assert isinstance(error, HaltError)
            return error
        except GapError as error:
            return error
        raise AssertionError("it read on")

    async def brought(self) -> list[int]:
        """What the readers have handed over so far."""
        if not self.queue.records:
            return []
        found = await self.queue.get()
        self.progress.settle(found)
        return [int(change.sequence) for change in found]

    def write(self, *names: str) -> list[int]:
        return [int(self.world.source.put(item(name, str(next(self._contents)))) or 0) for name in names]


def checkpoint(shard_id: str, *, after: int | None = None, is_closed: bool = False) -> Checkpoint:
    position = Position(after=SequenceNumber(after)) if after else Position()
    return Checkpoint(ShardId(shard_id), position, is_closed=is_closed)
