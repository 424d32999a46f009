"""A verification that is killed, asked for twice or has to wait, and the endless one."""

from __future__ import annotations

import asyncio

import pytest

from service.errors import AmbiguousError, HaltError, UnavailableError
from service.operations.console import ConflictError
from service.operations.documents.jobs import JobState
from service.operations.verification.continuous import CURRENT, KIND
from tests.fakes.faults import Moment
from tests.fakes.service import Service, until
from tests.fakes.world import World
from tests.support.damaged_tables import damage, differing, filled, findings
from tests.support.invariants import check_equal
from tests.support.numbered_items import item


async def test_a_verification_goes_on_after_a_crash_and_counts_each_item_once():
    world = World(max_latency=0.2)
    world.source.page_bytes = world.replica.page_bytes = 500
    service = await Service(world).open()
    await filled(service, 3000)
    expected = damage(world)
    job = await service.verifications.start(await service.flow())
    slots = service.world.control.of("source--replica").slots
    await until(lambda: "source-0" in slots["verification"].document["place"]["at"])
    await service.die()
    async with Service(world) as second:
        await second.flow()
        ended = await second.ended(job.id)
        assert differing(ended) == expected
        assert ended.items_compared == 3001
        assert ended.items_read == 6000
        assert second.report.status().last_verification == ended


async def test_what_was_suspicious_at_a_crash_is_looked_at_again():
    world = World()
    service = await Service(world).open()
    await filled(service)
    expected = damage(world)
    job = await service.verifications.start(await service.flow())
    await asyncio.sleep(3)
    assert (await service.verifications.found(job.id)).items_read == 40
    await service.die()
    async with Service(world) as second:
        await second.flow()
        assert differing(await second.ended(job.id)) == expected


async def test_a_second_verification_has_to_wait_for_the_first():
    async with Service(World()) as service:
        await filled(service)
        damage(service.world)
        flow = await service.flow()
        job = await service.verifications.start(flow)
        with pytest.raises(ConflictError, match=job.id):
            await service.verifications.start(flow)
        await service.ended(job.id)
        assert (await service.verify()).id > job.id


@pytest.mark.parametrize(("name", "call"), [("key1", "put"), ("stranger", "delete")])
async def test_an_item_whose_repair_was_never_confirmed_counts_as_repaired(name, call):
    async with Service(World()) as service:
        await filled(service)
        damage(service.world)
        service.world.plan.fail_next(f"replica.{call}", AmbiguousError("lost"), moment=Moment.AFTER)
        job = await service.verify(repair=True)
        assert name in differing(job)
        assert job.repaired == 4


async def test_a_verification_that_can_not_go_on_says_why_and_the_replication_does():
    async with Service(World()) as service:
        await filled(service)
        service.world.plan.fail_next("replica.scan", HaltError("the replica speaks in tongues"))
        job = await service.verify()
        assert (job.state, job.error) == (JobState.FAILED, "the replica speaks in tongues")
        service.world.source.put(item(1, "2"))
        await asyncio.sleep(3)
    check_equal(service.world)


async def test_a_verification_waits_for_a_running_snapshot():
    world = World()
    world.source.preset(*[item(number) for number in range(50)])
    async with Service(world) as service:
        flow = await service.flow()
        service.pipeline.show_snapshotting(True)
        job = await service.verifications.start(flow)
        await asyncio.sleep(60)
        assert (await service.verifications.found(job.id)).items_read == 0
        world.replica.preset(*[item(number) for number in range(50)])
        service.pipeline.show_snapshotting(False)
        assert findings(await service.ended(job.id)) == {}


async def test_the_last_verification_of_all_keys_is_in_the_status_and_survives_a_restart():
    world = World()
    async with Service(world) as service:
        await filled(service)
        job = await service.verify()
        assert service.report.status().last_verification == job
    async with Service(world) as second:
        await second.until_caught_up()
        assert second.report.status().last_verification == job


async def test_one_that_is_asked_for_before_it_is_known_what_goes_on_waits_for_that():
    """Also a replay: a script that asks right after a restart is not refused."""
    world = World()
    async with Service(world) as service:
        world.plan.fail_next("control.read_slot", UnavailableError("away"), times=12)
        flow = await service.flow()
        assert not service.verifications.has_looked.is_set()
        assert not service.replays.has_looked.is_set()
        job = await service.verifications.start(flow)
        replay = await service.replays.start(flow, from_="trim_horizon")
        assert (await service.ended(job.id)).state is JobState.DONE
        assert (await service.replayed(replay.id)).state is JobState.DONE


async def test_one_that_is_asked_for_before_the_unfinished_one_is_found_is_not_a_second_run():
    world = World()
    service = await Service(world).open()
    await filled(service)
    damage(world)  # what is suspicious is looked at again: it is not done yet
    job = await service.verifications.start(await service.flow())
    await service.die()
    world.plan.fail_next("control.read_slot", UnavailableError("away"), times=12)
    async with Service(world) as next_one:
        flow = await next_one.flow()
        assert not next_one.verifications.has_looked.is_set()
        with pytest.raises(ConflictError, match=job.id):
            await next_one.verifications.start(flow)


async def test_the_endless_verification_shows_damage_without_being_asked_and_keeps_to_its_rate():
    async with Service(World(), verify_items_per_second=2) as service:
        await filled(service)
        started = service.world.clock.now()
        await until(lambda: (last := service.report.last_verification) is not None and last.items_compared == 20)
        assert findings(service.report.last_verification) == {}
        assert service.world.clock.now() - started >= 20 / 2
        expected = damage(service.world)
        await asyncio.sleep(120)
        assert differing(service.report.last_verification) == expected
        assert service.report.last_verification.repaired == 0
        assert await service.verifications.newest() == [], "it is nobody's job"


async def test_the_endless_verification_goes_on_after_a_crash_and_shows_its_last_result():
    world = World()
    service = await Service(world, verify_items_per_second=2).open()
    await filled(service)
    damage(world)
    await asyncio.sleep(100)
    last = service.report.last_verification
    assert last is not None
    await service.die()
    async with Service(world, verify_items_per_second=2) as second:
        await second.until_caught_up()
        shown = second.report.status().last_verification
        assert shown is not None
        assert findings(shown) == findings(last)


async def test_the_endless_verification_goes_on_with_the_pass_that_a_crash_has_cut_short():
    world = World()
    service = await Service(world, verify_items_per_second=1).open()
    await filled(service)
    before = service.report.last_verification
    await asyncio.sleep(30)
    stored = await service.adapters.control.get_job(KIND, CURRENT)
    assert stored is not None
    assert stored["place"]["at"]
    await service.die()
    async with Service(world, verify_items_per_second=1) as second:
        await second.until_caught_up()
        await until(lambda: second.report.last_verification not in (None, before))
        assert second.report.last_verification.id == stored["document"]["id"]
