"""What a job tells of how far it is: estimates made when it begins, and counts that are exact over a resume."""

from __future__ import annotations

import asyncio

import pytest

from service.errors import UnavailableError
from service.operations.documents.jobs import JobState, Snapshot
from service.operations.snapshot.snapshots import Snapshots
from tests.fakes.clock import run_virtual
from tests.fakes.service import Service, answered, until
from tests.fakes.world import World
from tests.support.numbered_items import item

ITEMS = 200


async def ended(snapshots: Snapshots, job_id: str) -> Snapshot:
    while True:
        job = await answered(lambda: snapshots.found(job_id))
        if job.state is not JobState.RUNNING:
            return job
        await asyncio.sleep(0.2)


def snapshots_of(service: Service) -> Snapshots:
    return Snapshots(service.pipeline)


def test_a_job_is_estimated_by_the_tables_as_they_are_when_it_begins() -> None:
    async def scenario() -> None:
        world = World()
        async with Service(world) as service:
            snapshots = snapshots_of(service)
            await service.until_caught_up()
            for number in range(ITEMS):
                world.source.put(item(number))
            await until(lambda: len(world.replica.items) == ITEMS)
            job = await service.verify()
            assert (job.items_estimated, job.items_read) == (2 * ITEMS, 2 * ITEMS)
            begun = await snapshots.start()
            assert begun.items_estimated == ITEMS
            assert (await ended(snapshots, begun.id)).items_scanned == ITEMS

    run_virtual(scenario)


def test_each_pass_of_the_endless_verification_is_estimated_anew() -> None:
    async def scenario() -> None:
        world = World()
        async with Service(world, verify_items_per_second=1000) as service:
            await service.until_caught_up()
            for number in range(ITEMS):
                world.source.put(item(number))
            await asyncio.sleep(60)
            last = service.report.status().last_verification
            assert last is not None
            assert (last.items_estimated, last.items_read) == (2 * ITEMS, 2 * ITEMS)

    run_virtual(scenario)


def test_a_table_that_can_not_be_described_holds_up_no_job() -> None:
    async def scenario() -> None:
        world = World()
        async with Service(world) as service:
            await service.until_caught_up()
            world.plan.fail_next("source.describe", UnavailableError("no connection"), times=5)
            assert (await service.verify()).state is JobState.DONE

    run_virtual(scenario)


@pytest.mark.parametrize("seed", range(3))
def test_a_snapshot_that_goes_on_counts_no_page_twice(seed: int) -> None:
    """Killed, stopped in order, killed again, each time in the middle of pages."""

    async def scenario() -> None:
        world = World(seed)
        world.source.preset(*[item(number) for number in range(ITEMS)])
        overrides = {"start_at": "snapshot", "max_writes_per_second": 4, "lease_seconds": 5}
        for is_killed in (True, False, True):
            service = await Service(world, **overrides).open()
            snapshots = snapshots_of(service)
            await until(lambda service=service: service.pipeline.is_snapshotting)
            await asyncio.sleep(4.7 + seed / 3)
            job = (await snapshots.newest())[0]
            assert job.state is JobState.RUNNING
            if is_killed:
                await service.die()
            else:
                service.pipeline.stop()
                await service.running
        async with Service(world, **overrides) as service:
            snapshots = snapshots_of(service)
            done = await ended(snapshots, job.id)
            assert (done.state, done.items_scanned) == (JobState.DONE, ITEMS)
            assert done.items_written <= ITEMS

    run_virtual(scenario, seed=seed, limit_seconds=400)
