"""What a test of replays asks of a service: a history to replay, and what came of a replay."""

from __future__ import annotations

import asyncio
from typing import Any

from service.model import SequenceNumber
from service.operations.documents.jobs import JobState, Replay
from tests.fakes.service import Service
from tests.fakes.world import World
from tests.support.numbered_items import item

HORIZON: dict[str, Any] = {"from_": "trim_horizon"}


async def written(service: Service, *numbers: int, value: str = "1") -> list[SequenceNumber]:
    """These items are in both tables; returns the numbers of their records."""
    await service.flow()
    found = [service.world.source.put(item(number, value)) for number in numbers]
    await caught_up(service)
    return [sequence for sequence in found if sequence is not None]


async def caught_up(service: Service) -> None:
    await asyncio.sleep(5)
    await service.until_caught_up()


def counts(job: Replay) -> tuple[int, int, int]:
    assert (job.state, job.error) == (JobState.DONE, None)
    return job.records_read, job.records_applied, job.records_unchanged


def write_calls(world: World) -> int:
    """Requests to the replica that cost writes, whether they take effect or not."""
    return sum(world.replica.calls[call] for call in ("put", "delete", "write_batch"))
