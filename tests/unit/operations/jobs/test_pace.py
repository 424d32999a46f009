"""A job's rate and the time that is left, as whoever looks at it is told."""

from __future__ import annotations

import asyncio

from service.errors import UnavailableError
from service.operations.jobs.run import WINDOW_SECONDS, Pace
from tests.fakes.clock import ManualClock
from tests.fakes.service import Service
from tests.fakes.world import World
from tests.support.kinds_of_jobs import EVERY, Kind, console, ended, filled, quick, slow_world
from tests.support.numbered_items import item
from tests.support.parked_items import parked

UNKNOWN = {"per_second": None, "seconds_left": None}


async def test_the_rate_is_that_of_the_last_seconds():
    clock = ManualClock()
    pace = Pace(clock, 100)
    assert pace.told(100, 1000) == UNKNOWN
    await clock.advance(5)
    assert pace.told(150, 1000) == {"per_second": 10.0, "seconds_left": 85.0}
    for second in range(1, 21):
        await clock.advance(1)
        told = pace.told(150 + 40 * second, 10_000)
    assert told == {"per_second": 40.0, "seconds_left": (10_000 - 950) / 40}


async def test_whoever_looks_for_the_first_time_is_told_the_rate_since_the_beginning():
    clock = ManualClock()
    pace = Pace(clock, 0)
    await clock.advance(100)
    assert pace.told(500, None) == {"per_second": 5.0, "seconds_left": None}


async def test_what_stands_still_or_has_passed_its_estimate_has_no_time_left():
    clock = ManualClock()
    pace = Pace(clock, 0)
    await clock.advance(2)
    assert pace.told(20, 10) == {"per_second": 10.0, "seconds_left": None}
    await clock.advance(WINDOW_SECONDS)
    assert pace.told(20, 1000) == {"per_second": 0.0, "seconds_left": None}


@EVERY
async def test_a_job_tells_its_rate_while_it_runs_and_not_when_it_has_ended(kind: Kind):
    world = slow_world()
    async with Service(world, queue_max_records=20) as service:
        await filled(service)
        job = await kind.start(console(service))
        assert (job.per_second, job.seconds_left) == (None, None)
        await asyncio.sleep(2.2)
        (found,) = [each for each in await kind.runner(service).newest() if each.id == job.id]
        assert found == await kind.runner(service).found(job.id)
        assert found.per_second > 0
        assert (found.seconds_left is None) == (found.expected is None)
        quick(world)
        over = await ended(service, kind, job.id)
        assert (over.per_second, over.seconds_left) == (None, None)


async def test_a_redrive_that_waits_for_the_replica_tells_how_many_are_done():
    async with Service(World()) as service:
        await parked(service, *(item(number) for number in range(5)))
        now = service.world.clock.now()
        service.world.plan.outage("replica", now, now + 60, UnavailableError("away"))
        job = await console(service).redrive(None)
        found = await console(service).find_job("redrive", job.id)
        assert (found.letters, found.done, found.per_second, found.seconds_left) == (5, 0, 0.0, None)
