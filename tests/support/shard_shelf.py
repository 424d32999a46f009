"""One shard of a stream and a reader of it."""

from __future__ import annotations

from service.model import Position, Shard
from service.replication.reading.shard_reader import (
    ShardReader,
)
from tests.fakes.clock import EPOCH
from tests.fakes.stream import Timing
from tests.fakes.world import World
from tests.support.workbench import item


class Shelf:
    """A source with one shard, and readers of it."""

    def __init__(self, timing: Timing | None = None) -> None:
        self.world = World(timing=timing or Timing(late_ends=0.0))
        self.stream = self.world.source.stream
        (fake,) = self.stream.open_shards
        self.shard: Shard = fake.shown(EPOCH)
        self.process = self.world.process()

    def write(self, *values: str) -> list[int]:
        return [int(self.world.source.put(item("a", value)) or 0) for value in values]

    def reader(self, position: Position | None = None, *, limit: int = 1000) -> ShardReader:
        found = position or Position()
        return ShardReader(self.shard, found, self.process.streams, self.world.clock, poll_seconds=0.25, limit=limit)


async def read(reader: ShardReader, pages: int = 1) -> list[int]:
    found: list[int] = []
    for _ in range(pages):
        page = await reader.read_once()
        found += [int(change.sequence) for change in page.changes] if page else []
    return found
