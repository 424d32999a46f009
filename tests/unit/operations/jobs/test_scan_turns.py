"""Turns among the scans of all pipelines of a process: so many at a time, and none for ever."""

from __future__ import annotations

import asyncio
from collections import Counter

import pytest

from service.operations.documents.jobs import JobState
from service.operations.jobs.scan_turns import TURN_SECONDS, ScanTurns
from tests.fakes.clock import FakeClock
from tests.fakes.service import Service, until
from tests.fakes.world import World
from tests.support.numbered_items import item


async def test_of_many_jobs_as_many_read_at_a_time_as_there_are_places_and_each_gets_its_turn():
    clock, places = FakeClock(), asyncio.Semaphore(2)
    pages: Counter[int] = Counter()
    reading: set[int] = set()
    most = 0

    async def scan(number: int) -> None:
        nonlocal most
        turns = ScanTurns(places, clock)
        async with turns.taken():
            while True:
                await turns.wait()
                reading.add(number)
                most = max(most, len(reading))
                await clock.sleep(TURN_SECONDS / 10)
                reading.discard(number)
                pages[number] += 1

    jobs = [asyncio.create_task(scan(number)) for number in range(5)]
    await clock.sleep(TURN_SECONDS * 20)
    for job in jobs:
        job.cancel()
    await asyncio.wait(jobs)
    # A page that was begun in one turn ends in the next one's beginning: one more for each place at most.
    assert most <= 4
    assert len(pages) == 5
    assert max(pages.values()) < 2 * min(pages.values())
    assert not places.locked()


@pytest.mark.parametrize("kind", ["snapshot", "verify"])
async def test_a_job_reads_nothing_before_its_turn(kind: str):
    world = World()
    world.source.preset(*[item(number) for number in range(20)])
    async with Service(world) as service:
        flow = await service.flow()
        places = service.pipeline.allowance.scans
        while not places.locked():
            await places.acquire()
        runner = service.snapshots if kind == "snapshot" else service.verifications
        if kind == "snapshot":
            job = await service.snapshots.start()
        else:
            job = await service.verifications.start(flow, repair=False, sample=None)
        await asyncio.sleep(60)
        job = await runner.found(job.id)
        assert job.state is JobState.RUNNING
        assert (job.items_scanned if kind == "snapshot" else job.items_compared) == 0

        places.release()
        while (await runner.found(job.id)).state is JobState.RUNNING:  # noqa: ASYNC110  nobody tells it
            await asyncio.sleep(0.5)
        await until(lambda: not places.locked())
