"""What is asked of jobs of every kind, and a service in which they take a while."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any

import pytest

from service.operations.documents.jobs import JobState
from service.operations.jobs.runner import JobRunner
from service.operations.live_console import LiveConsole
from service.operations.pipeline.pause import Pause
from tests.fakes.service import Service, answered, until
from tests.fakes.world import World
from tests.support.numbered_items import item, key

ITEMS = 400


def console(service: Service) -> LiveConsole:
    return LiveConsole(
        pipeline=service.pipeline,
        report=service.report,
        pausing=Pause(service.pipeline),
        letters=service.letters,
        snapshots=service.snapshots,
        verifications=service.verifications,
        replays=service.replays,
    )


@dataclass(frozen=True)
class Kind:
    name: str
    start: Callable[[LiveConsole], Awaitable[Any]]
    cancel: Callable[[LiveConsole, str], Awaitable[Any]]
    runner: Callable[[Service], JobRunner[Any]]
    reads: str
    """The call that it makes again and again."""


KINDS = [
    Kind(
        "snapshot",
        lambda shown: shown.snapshot(),
        lambda shown, job_id: shown.cancel_job("snapshot", job_id),
        lambda service: service.snapshots,
        "source.scan",
    ),
    Kind(
        "verification",
        lambda shown: shown.verify(repair=True),
        lambda shown, job_id: shown.cancel_job("verification", job_id),
        lambda service: service.verifications,
        "source.scan",
    ),
    Kind(
        "replay",
        lambda shown: shown.replay(from_="trim_horizon"),
        lambda shown, job_id: shown.cancel_job("replay", job_id),
        lambda service: service.replays,
        "streams.read",
    ),
]


EVERY = pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.name)


def slow_world() -> World:
    """A job takes some seconds, and then finds every item missing."""
    world = World()
    world.source.page_bytes = world.replica.page_bytes = 500
    return world


async def filled(service: Service) -> None:
    """Replicated, then lost in the replica; from now on every read takes a while."""
    world = service.world
    await service.flow()
    for number in range(ITEMS):
        world.source.put(item(number))
    await service.until_caught_up()
    await until(lambda: len(world.replica.items) == ITEMS)
    for number in range(ITEMS):
        world.replica.lose(key(number))
    world.source.scan_seconds = world.replica.scan_seconds = 0.5
    world.source.stream.timing.empty_pages = 0.9


def quick(world: World) -> None:
    world.source.scan_seconds = world.replica.scan_seconds = 0.0
    world.source.stream.timing.empty_pages = 0.0


async def ended(service: Service, kind: Kind, job_id: str) -> Any:
    while True:
        assert not service.running.done(), "the service has ended"
        job = await answered(lambda: kind.runner(service).found(job_id))
        if job.state is not JobState.RUNNING:
            return job
        await asyncio.sleep(0.2)


def running(world: World, kind: Kind) -> list[str]:
    """What the control table shows as unfinished."""
    items = world.control.of("source--replica")
    slot = items.slots.get(kind.name)
    found = [slot.job_id] if slot is not None and slot.job_id is not None else []
    return found + [job_id for (name, job_id), text in items.jobs.items() if name == kind.name and b'"running"' in text]
