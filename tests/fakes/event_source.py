"""Lambda's side of an event source mapping: cuts a stream's records into batches, invokes, and tries again.

Records have the shape and the field names that Lambda sends. Batches of one key group come one after the other; groups
(shards, and their parts by the parallelization factor) run beside each other. A batch that failed comes again: as it
was, from the lowest number that was answered, or cut in two; and one that was settled may come once more.
"""

from __future__ import annotations

import asyncio
import random
import zlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import orjson

from service.configuration.settings import Settings
from service.errors import DynamirrorError
from service.events import Observers
from service.lambda_mode.engine import Engine
from service.model import Change, SequenceNumber, TableDescription, Unreadable
from service.operations.pipeline.outside import Outside
from tests.fakes.faults import Moment
from tests.fakes.shards import FakeShard, Record
from tests.fakes.world import Process, World

STREAM_ARN = "arn:aws:dynamodb:us-west-2:123456789012:table/master-table/stream/2025-06-15T15:06:40.000"
POLL_SECONDS = 0.5


def event_record(content: Change | Unreadable) -> dict[str, Any]:
    """One of an event's `Records`: field names as Lambda sends them (Developer Guide of Lambda, "DynamoDB event")."""
    if isinstance(content, Unreadable):
        shown = {"eventSource": "aws:dynamodb", "eventSourceARN": STREAM_ARN}
        return {**orjson.loads(content.record), **shown}
    stream: dict[str, Any] = {
        "ApproximateCreationDateTime": content.created_at,
        "Keys": orjson.loads(content.key),
        "SequenceNumber": str(content.sequence),
        "SizeBytes": content.size,
        "StreamViewType": _view_type(content),
    }
    if content.image is not None:
        stream["NewImage"] = orjson.loads(content.image)
    if content.old_image is not None:
        stream["OldImage"] = orjson.loads(content.old_image)
    record = {
        "eventID": f"{zlib.crc32(str(content.sequence).encode()):032x}",
        "eventName": content.event_name,
        "eventVersion": "1.1",
        "eventSource": "aws:dynamodb",
        "awsRegion": "us-west-2",
        "dynamodb": stream,
        "eventSourceARN": STREAM_ARN,
    }
    if content.is_ttl_delete:
        record["userIdentity"] = {"principalId": "dynamodb.amazonaws.com", "type": "Service"}
    return record


def _view_type(content: Change) -> str:
    if content.effect.name == "LOOK_UP":
        return "KEYS_ONLY" if content.old_image is None else "OLD_IMAGE"
    return "NEW_IMAGE" if content.old_image is None else "NEW_AND_OLD_IMAGES"


async def engine_on(process: Process, settings: Settings, *observers: Any) -> Engine:
    """An engine on one process's ports, as a cold start makes it."""
    source: TableDescription = await process.source.describe()
    replica = await process.replica.describe()
    return Engine(settings, Outside(process.adapters, source, replica), Observers(*observers))


@dataclass(frozen=True)
class Mapping:
    """How a mapping is configured, and what goes wrong with it (chances from 0 to 1)."""

    seed: int = 0
    batch_size: int = 10
    parallelization: int = 1
    bisects: bool = True
    window_seconds: float = 0.0
    crashes: float = 0.0
    timeouts: float = 0.0
    lost_answers: float = 0.0
    """The chance that an invocation ends right after its work, before it could answer."""
    repeats: float = 0.0
    """The chance that a settled batch comes once more."""
    late_repeats: float = 0.0
    """… and that it comes while later batches of the same keys are applied (AWS: "at least once")."""


class Poller:
    """Delivers all of a source's records until `drain`."""

    def __init__(self, world: World, settings: Settings, mapping: Mapping) -> None:
        self._world = world
        self._settings = settings
        self._mapping = mapping
        self._random = random.Random(mapping.seed)
        self._is_draining = False
        self.invocations = 0
        self.failures = 0

    async def run(self) -> None:
        """Until `drain` was called and every record is settled, or a dead letter."""
        async with asyncio.TaskGroup() as tasks:
            for shard in self._world.source.stream.shards.values():
                for part in range(self._mapping.parallelization):
                    tasks.create_task(self._poll(shard, part, tasks), name=f"poller {shard.shard_id} {part}")

    def drain(self) -> None:
        self._is_draining = True

    async def _poll(self, shard: FakeShard, part: int, tasks: asyncio.TaskGroup) -> None:
        at = 0
        while True:
            new = self._visible(shard, part)[at:]
            if not new:
                if self._is_draining and at == len(self._all(shard, part)):
                    return
                await asyncio.sleep(POLL_SECONDS)
                continue
            if len(new) < self._mapping.batch_size and not self._is_draining:
                await asyncio.sleep(self._mapping.window_seconds)
            batch = self._visible(shard, part)[at : at + self._random.randint(1, self._mapping.batch_size)]
            await self._deliver(batch, tasks)
            at += len(batch)

    def _all(self, shard: FakeShard, part: int) -> list[Record]:
        """Of the keys that this part of the shard's pollers has."""
        count = self._mapping.parallelization
        return [record for record in shard.records if zlib.crc32(_key(record)) // 7 % count == part]

    def _visible(self, shard: FakeShard, part: int) -> list[Record]:
        now = self._world.clock.now()
        found = []
        for record in self._all(shard, part):
            if record.visible_at > now:
                break
            found.append(record)
        return found

    async def _deliver(self, batch: list[Record], tasks: asyncio.TaskGroup) -> None:
        pending = [batch]
        while pending:
            part = pending.pop(0)
            start = await self._invoke(part)
            if start is None:
                if self._random.random() < self._mapping.repeats:
                    await self._invoke(part)
                if self._random.random() < self._mapping.late_repeats:
                    tasks.create_task(self._invoke_later(part), name="late repeat")
                continue
            rest = part[start:]
            await asyncio.sleep(self._random.choice([0.0, 0.1, 1.0]))
            if self._mapping.bisects and len(rest) > 1 and self._random.random() < 0.7:
                middle = len(rest) // 2
                pending[:0] = [rest[:middle], rest[middle:]]
            else:
                pending.insert(0, rest)

    async def _invoke_later(self, batch: Sequence[Record]) -> None:
        await asyncio.sleep(self._random.choice([0.0, 0.1, 0.7, 3.0]))
        await self._invoke(batch)

    async def _invoke(self, batch: Sequence[Record]) -> int | None:
        """Where the batch must go on; None when all of it is settled."""
        self.invocations += 1
        process = self._world.process()
        if self._random.random() < self._mapping.crashes:
            process.crash_at(self._random.randint(3, self._random.choice([8, 25])), self._random.choice(list(Moment)))
        is_short = self._random.random() < self._mapping.timeouts
        seconds = self._random.choice([0.05, 0.2, 0.6]) if is_short else 60.0
        lowest: list[SequenceNumber | None] = []

        async def work() -> None:
            engine = await engine_on(process, self._settings)
            lowest.append(await engine.apply([event_record(record.content) for record in batch], seconds))

        try:
            is_alive = await process.live(work(), seconds=seconds * self._random.choice([0.7, 2.0]))
        except DynamirrorError:
            is_alive = False
        if not is_alive or not lowest or self._random.random() < self._mapping.lost_answers:
            self.failures += 1
            return 0
        return self._start_of(batch, lowest[0])

    def _start_of(self, batch: Sequence[Record], lowest: SequenceNumber | None) -> int | None:
        if lowest is None:
            return None
        self.failures += 1
        return [int(record.sequence) for record in batch].index(int(lowest))


def _key(record: Record) -> bytes:
    return record.content.key or b""


async def beside(poller: Poller, work: Callable[[], Any]) -> None:
    """Let the source live while the poller runs, and see the poller to its end."""
    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(poller.run(), name="poller")
        await work()
        poller.drain()
