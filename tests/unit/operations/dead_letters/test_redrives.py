"""Redrives as jobs: asked for twice, longer than anybody waits, killed, cancelled, paused."""

from __future__ import annotations

import asyncio

import pytest

from service.errors import ChangeError, UnavailableError
from service.model import ItemWrite
from service.operations.console import ConflictError
from service.operations.dead_letters.redrives import ANSWERED_WITHIN_SECONDS
from service.operations.documents.jobs import JobState, Redriving
from tests.fakes.service import Service, answered, until
from tests.fakes.world import World
from tests.support.invariants import check_all
from tests.support.kinds_of_jobs import console
from tests.support.numbered_items import item
from tests.support.parked_items import kept, nothing, parked, refusing

NOTHING_LEFT = {"redriven": 0, "superseded": 0, "failed": 0}


def slow(world: World, seconds: float) -> None:
    """The replica takes nothing for so long."""
    now = world.clock.now()
    world.plan.outage("replica", now, now + seconds, UnavailableError("away"))


async def ended(service: Service, job_id: str) -> Redriving:
    while True:
        job = await answered(lambda: service.letters.redrives.found(job_id))
        if job.state is not JobState.RUNNING:
            return job
        await asyncio.sleep(0.2)


def counted(job: Redriving) -> tuple[int, int, int]:
    return job.redriven, job.superseded, job.failed


async def test_of_eight_at_the_same_moment_one_is_done_and_the_others_are_told_its_id():
    async with Service(World()) as service:
        await parked(service, *(item(number) for number in range(5)))
        answers = await asyncio.gather(*[console(service).redrive(None) for _ in range(8)], return_exceptions=True)
        (done,) = [answer for answer in answers if isinstance(answer, Redriving)]
        refusals = [answer for answer in answers if isinstance(answer, ConflictError)]
        assert (counted(done), len(refusals)) == ((5, 0, 0), 7)
        assert all(done.id in str(refusal) for refusal in refusals)
        assert kept(service.world) == 0


async def test_one_that_takes_long_is_answered_meanwhile_and_shows_its_counts_at_the_end():
    async with Service(World()) as service:
        await parked(service, *(item(number) for number in range(5)))
        slow(service.world, 3600)
        began_at = service.world.clock.now()
        job = await console(service).redrive(None)
        assert service.world.clock.now() - began_at == pytest.approx(ANSWERED_WITHIN_SECONDS, abs=1)
        assert (job.state, counted(job)) == (JobState.RUNNING, (0, 0, 0))
        assert [each.state for each in await console(service).jobs("redrive")] == [JobState.RUNNING]
        with pytest.raises(ConflictError, match=job.id):
            await console(service).redrive(None)
        done = await ended(service, job.id)
        assert (done.state, counted(done)) == (JobState.DONE, (5, 0, 0))
        assert kept(service.world) == 0


async def test_one_goes_on_when_whoever_asked_for_it_has_gone():
    async with Service(World()) as service:
        await parked(service, *(item(number) for number in range(5)))
        slow(service.world, 60)
        asking = asyncio.create_task(console(service).redrive(None))
        await asyncio.sleep(1)
        asking.cancel()
        await asyncio.sleep(180)
        assert kept(service.world) == 0
        assert await service.redrive() == NOTHING_LEFT


async def test_one_waits_in_a_pause():
    async with Service(World()) as service:
        await parked(service, *(item(number) for number in range(5)))
        asking = asyncio.create_task(console(service).redrive(None))
        await asyncio.sleep(0)
        await console(service).pause()
        await asyncio.sleep(300)
        job = await asking
        assert (job.state, kept(service.world)) == (JobState.RUNNING, 5)
        await console(service).resume()
        assert (await ended(service, job.id)).redriven == 5


@pytest.mark.parametrize("is_killed", [False, True])
@pytest.mark.parametrize("are_named", [False, True])
async def test_one_whose_process_ended_goes_on_with_the_next_and_redrives_no_page_twice(
    is_killed: bool, are_named: bool
):
    """Of 100 letters half are refused again, and some were done before the end."""
    world = World()
    service = await Service(world).open()
    ids = await parked(service, *(item(number, str(number % 2)) for number in range(100)))
    refused = refusing(b'{"N":"1"}')
    seen: list[ItemWrite] = []

    def away_at_the_40th(write: ItemWrite) -> ChangeError | None:
        seen.append(write)
        if len(seen) == 40:
            slow(world, 20)
        return refused(write)

    world.replica.poison = away_at_the_40th
    asking = asyncio.create_task(console(service).redrive(ids if are_named else None))
    await until(lambda: len(seen) >= 40)
    await asyncio.sleep(2)
    assert 50 < kept(world) < 100
    if is_killed:
        await service.die()
    else:
        service.pipeline.stop()
        await service.running
    job = await asking
    assert job.state is JobState.RUNNING
    async with Service(world) as second:
        await second.flow()
        done = await ended(second, job.id)
        assert (done.state, done.failed, kept(world)) == (JobState.DONE, 50, 50)
        assert 50 - 32 <= done.redriven + done.superseded <= 50, "what was under way is not counted"
        letters, _ = await second.letters.page(100, None)
        assert {letter["attempts"] for letter in letters} <= {2, 3}
        assert [letter["attempts"] for letter in letters].count(3) <= 32, "what was under way"
        assert [each.id for each in await console(second).jobs("redrive")] == [job.id]
        world.replica.poison = lambda write: None
        assert (await second.redrive())["redriven"] == 50
    check_all(world)


async def test_a_cancelled_one_keeps_the_letters_that_are_left_and_is_not_taken_up_again():
    world = World()
    service = await Service(world).open()
    await parked(service, *(item(number) for number in range(5)))
    slow(world, 3600)
    asking = asyncio.create_task(console(service).redrive(None))
    await asyncio.sleep(1)
    (job,) = await console(service).jobs("redrive")
    answers = await asyncio.gather(*[console(service).cancel_job("redrive", job.id) for _ in range(2)])
    assert [answer.state for answer in answers] == [JobState.CANCELLED] * 2
    with pytest.raises(ConflictError, match="cancelled"):
        await asking
    await service.die()
    async with Service(world) as second:
        await second.flow()
        await asyncio.sleep(7200)
        assert (await second.letters.redrives.found(job.id)).state is JobState.CANCELLED
        assert kept(world) == 5
        assert (await second.redrive())["redriven"] == 5


async def test_the_job_tells_which_letters_failed_and_why():
    async with Service(World()) as service:
        ids = await parked(service, *(item(number) for number in range(4)))
        service.world.replica.poison = refusing(b"value")
        job = await console(service).redrive(ids[:3])
        assert (counted(job), job.letters) == ((0, 0, 3), 3)
        found = await console(service).find_job("redrive", job.id)
        assert [(each.id, each.error) for each in found.failures] == [(letter_id, "refused") for letter_id in ids[:3]]
        service.world.replica.poison = nothing
        again = await console(service).redrive(None)
        assert (counted(again), again.letters, again.failures) == ((4, 0, 0), 4, [])
