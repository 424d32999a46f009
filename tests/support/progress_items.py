"""The items of the progress, on a control table in memory."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from service.aws.control.progress import PART
from service.aws.control.store import DynamoControlStore
from service.model import Position, SequenceNumber, ShardId
from service.pipeline_state import Checkpoint, Lease, PipelineRecord
from tests.fakes.items import FakeItems

ARN = "arn:aws:dynamodb:us-west-2:123456789012:table/orders/stream/2026-11-23T10:15:00.123"
FIRST, SECOND = Lease("first-3f9c", 1), Lease("second-77aa", 2)
Checkpoints = dict[ShardId, Checkpoint]


def store_on(items: FakeItems) -> DynamoControlStore:
    return DynamoControlStore(items, "control", "orders--orders-copy")


def name(number: int) -> ShardId:
    return ShardId(f"shardId-{1_764_000_000_000 + number:020d}-{number:08x}")


def checkpoint(number: int, sequence: int = 0, *, is_closed: bool = False) -> Checkpoint:
    """As long as AWS's."""
    after = SequenceNumber(300_000_000_000_000_000_000_000 + number * 10**9 + sequence)
    position = Position(after=after, since=1_764_000_000.0)
    return Checkpoint(name(number), position, name(number + 10**6), is_closed, read_up_to=1_764_000_000.5)


def of(numbers: Iterable[int], sequence: int = 0, *, is_closed: bool = False) -> Checkpoints:
    return {name(number): checkpoint(number, sequence, is_closed=is_closed) for number in numbers}


def record(checkpoints: Mapping[ShardId, Checkpoint]) -> PipelineRecord:
    return PipelineRecord(ARN, dict(checkpoints))


def parts(items: FakeItems) -> list[str]:
    return [item for item in items.items if item.startswith(PART)]


async def opened(items: FakeItems, checkpoints: Checkpoints) -> DynamoControlStore:
    store = store_on(items)
    await store.adopt_progress(FIRST)
    await store.save_progress(FIRST, record(checkpoints))
    return store


async def costs_of(items: FakeItems, store: DynamoControlStore, saved: Checkpoints, busy: Any, saves: int) -> list[int]:
    """The write units of each save; `busy` tells which shards changed before it."""
    costs = []
    for number in range(1, saves + 1):
        saved |= of(busy(number), number)
        before = items.units
        await store.save_progress(FIRST, record(saved))
        costs.append(items.units - before)
    return costs
