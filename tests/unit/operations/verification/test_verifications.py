"""A verification in the running service: what it finds, what it does not take for a difference, and what it mends."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from service.errors import AmbiguousError, ChangeError, HaltError, ThrottledError, UnavailableError
from service.model import Delete
from service.operations.console import ConflictError, InvalidError
from service.operations.documents.jobs import JobState, Verification
from service.operations.verification.comparison import is_in_sample
from tests.fakes.faults import Moment
from tests.fakes.service import Service, until
from tests.fakes.stream import Timing
from tests.fakes.world import World
from tests.support.invariants import check_all, check_equal, check_never_back

FINDINGS = ("missing", "extra", "different", "repaired")


def item(number: int, value: str = "1", **more: Any) -> dict[str, Any]:
    return {"key": {"S": f"key{number}"}, "value": {"N": value}, **more}


def key(number: int) -> dict[str, Any]:
    return {"key": {"S": f"key{number}"}}


def findings(job: Verification) -> dict[str, int]:
    """The counts that are not zero."""
    return {name: getattr(job, name) for name in FINDINGS if getattr(job, name)}


def differing(job: Verification) -> dict[str, str]:
    return {shown["key"]["key"]["S"]: shown["kind"] for shown in job.differing_keys}


async def filled(service: Service, items: int = 20) -> None:
    """Both tables hold these items, and the service has caught up."""
    await service.flow()
    for number in range(items):
        service.world.source.put(item(number))
    await until(lambda: len(service.world.replica.items) >= items)
    await service.until_caught_up()


def damage(world: World) -> dict[str, str]:
    """In four ways; returns what a verification ought to find."""
    world.replica.lose(key(1))
    world.replica.preset(item(2, "17"))
    world.replica.preset({"key": {"S": "key3"}, "value": {"S": "1"}})
    world.replica.preset({"key": {"S": "stranger"}, "value": {"N": "1"}})
    return {"key1": "missing", "key2": "different", "key3": "different", "stranger": "extra"}


async def test_equal_tables_have_no_differences():
    async with Service(World()) as service:
        await filled(service)
        job = await service.verify()
        assert job.state is JobState.DONE
        assert findings(job) == {}
        assert job.items_compared == 20
        assert job.items_read == 40


async def test_exactly_the_damaged_items_are_found():
    async with Service(World()) as service:
        await filled(service)
        expected = damage(service.world)
        job = await service.verify()
        assert findings(job) == {"missing": 1, "extra": 1, "different": 2}
        assert differing(job) == expected
        assert job.items_compared == 21
        assert not service.world.replica.writes[service.world.replica.key(key(1))] > 1, "it only looked"


async def test_a_repair_mends_exactly_what_differs_and_a_second_look_finds_nothing():
    async with Service(World()) as service:
        await filled(service)
        expected = damage(service.world)
        before = dict(service.world.replica.writes)
        job = await service.verify(repair=True)
        assert findings(job) == {"missing": 1, "extra": 1, "different": 2, "repaired": 4}
        changed = [
            name.decode() for name, count in service.world.replica.writes.items() if count != before.get(name, 0)
        ]
        assert sorted(changed) == sorted(f'{{"key":{{"S":"{name}"}}}}' for name in expected)
        assert findings(await service.verify()) == {}
    check_all(service.world)


async def test_what_is_on_its_way_is_no_difference():
    async with Service(World(timing=Timing(record_delay=(2.0, 3.0)))) as service:
        await filled(service)
        for number in range(10):
            service.world.source.put(item(number, "2"))
            service.world.source.delete(key(10 + number))
            service.world.source.put(item(20 + number))
        job = await service.verify()
        assert findings(job) == {}


async def test_a_key_that_changes_all_the_time_is_let_go():
    async with Service(World(timing=Timing(record_delay=(0.5, 3.0)))) as service:
        await filled(service)
        is_over = asyncio.Event()

        async def change() -> None:
            number = 1
            while not is_over.is_set():
                number += 1
                service.world.source.put(item(0, str(number)))
                await asyncio.sleep(0.1)

        changing = asyncio.create_task(change())
        job = await service.verify()
        is_over.set()
        await changing
        assert findings(job) == {}


async def test_a_busy_key_is_right_once_the_replica_shows_what_the_stream_brought_last():
    """Where the stream tells creation times by the minute, each verdict takes one: this key would need several."""
    world = World(timing=Timing(record_delay=(1.0, 1.0)))
    world.source.creation_step_seconds = 60.0
    async with Service(world) as service:
        await filled(service)

        async def change() -> None:
            for number in range(2, 10_000):
                world.source.put(item(0, str(number)))
                await asyncio.sleep(0.1)

        changing = asyncio.create_task(change())
        started_at = world.clock.now()
        assert findings(await service.verify()) == {}
        assert world.clock.now() - started_at < 10
        damaged = damage(world)
        assert differing(await service.verify()) == damaged, "what rests has its verdict all the same"
        changing.cancel()


async def test_a_key_whose_changes_are_not_written_differs_once_it_rests():
    """The looks that its changes have overtaken saw nothing that was on its way: dead letters are not."""
    world = World()
    async with Service(world) as service:
        await filled(service)
        poisoned = world.replica.key(key(0))
        world.replica.poison = lambda write: ChangeError("no") if write.key == poisoned else None
        verifying = asyncio.create_task(service.verify())
        for number in range(2, 22):
            world.source.put(item(0, str(number)))
            await asyncio.sleep(1)
        assert differing(await verifying) == {"key0": "different"}


async def test_a_content_that_comes_and_goes_is_no_difference():
    """Two looks may see the same source and the same replica, and many changes lie between."""
    async with Service(World(timing=Timing(record_delay=(0.5, 2.0)))) as service:
        await filled(service, 60)

        async def change(number: int) -> None:
            while True:
                for value in ("2", "1"):
                    service.world.source.put(item(number, value))
                    await asyncio.sleep(0.5 + 0.05 * number)

        changing = [asyncio.create_task(change(number)) for number in range(60)]
        for _ in range(3):
            assert findings(await service.verify()) == {}
        for task in changing:
            task.cancel()


async def test_a_pause_holds_the_verdicts_back_and_the_job_shows_that_it_runs():
    async with Service(World()) as service:
        await filled(service)
        service.world.source.put(item(1, "2"))
        service.world.replica.lose(key(2))
        job = await service.verifications.start(await service.flow())
        await asyncio.sleep(1)
        await service.adapters.control.set_paused(True)
        await asyncio.sleep(120)
        shown = await service.verifications.found(job.id)
        assert (shown.state, shown.items_compared) == (JobState.RUNNING, 20)
        await service.adapters.control.set_paused(False)
        assert differing(await service.ended(job.id)) == {"key2": "missing"}


async def test_a_repair_in_a_pause_waits_and_never_takes_the_replica_back():
    async with Service(World()) as service:
        await filled(service)
        service.world.replica.lose(key(1))
        job = await service.verifications.start(await service.flow(), repair=True)
        await asyncio.sleep(4)
        await service.adapters.control.set_paused(True)
        await asyncio.sleep(300)
        for value in ("2", "3"):
            service.world.source.put(item(1, value))
        await asyncio.sleep(300)
        await service.adapters.control.set_paused(False)
        assert (await service.ended(job.id)).state is JobState.DONE
        await service.until_caught_up()
    check_all(service.world)


async def test_a_repair_that_takes_long_never_takes_the_replica_back():
    """Its answer gets lost and its next tries are throttled: by then the source is further on."""
    world = World(timing=Timing(record_delay=(3.0, 3.0)))
    async with Service(world) as service:
        await filled(service)
        world.replica.lose(key(1))
        job = await service.verifications.start(await service.flow(), repair=True)
        await asyncio.sleep(5)
        world.plan.fail_next("replica.put", AmbiguousError("lost"), moment=Moment.AFTER)
        world.plan.fail_next("replica.put", ThrottledError("slow down"), times=40)
        for value in range(2, 200):
            await asyncio.sleep(1)
            if value > 70:
                world.source.put(item(1, str(value)))
        assert (await service.ended(job.id)).repaired == 1
        await asyncio.sleep(5)
        await service.until_caught_up()
        assert not (await service.flow()).window.is_held
    check_all(world)


async def test_a_repair_takes_its_turn_among_the_changes_of_its_key():
    world = World(seed=3, max_latency=2.0)
    async with Service(world) as service:
        await filled(service, 40)
        for number in range(40):
            world.replica.preset(item(number, "17"))
        puts = world.replica.calls["put"]
        job = await service.verifications.start(await service.flow(), repair=True)
        await until(lambda: world.replica.calls["put"] > puts)
        for value in range(20):
            for number in range(40):
                world.source.put(item(number, str(value)))
            await asyncio.sleep(0.5)
        await service.ended(job.id)
        await service.until_caught_up()
    check_all(world)


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


@pytest.mark.parametrize("sample", [0.0, -0.5, 1.01, float("nan")])
async def test_a_sample_is_a_fraction(sample):
    async with Service(World()) as service:
        with pytest.raises(InvalidError):
            await service.verify(sample=sample)


async def test_a_sample_looks_at_its_keys_in_both_tables_and_at_no_others():
    async with Service(World()) as service:
        await filled(service, 100)
        world = service.world
        for number in range(50):
            world.replica.lose(key(number))
            world.replica.preset(item(1000 + number))
        job = await service.verify(sample=0.5)
        chosen = {
            name: kind
            for number in range(50)
            for name, kind in ((f"key{number}", "missing"), (f"key{1000 + number}", "extra"))
            if is_in_sample(world.source.key({"key": {"S": name}}), 0.5)
        }
        assert differing(job) == chosen
        assert 10 < len(chosen) < 90
        assert service.report.status().last_verification is None, "a sample tells nothing of the whole"


async def test_only_the_first_hundred_keys_are_listed():
    async with Service(World()) as service:
        await filled(service, 150)
        for number in range(150):
            service.world.replica.lose(key(number))
        job = await service.verify()
        assert job.missing == 150
        assert len(job.differing_keys) == 100


async def test_the_same_value_in_another_spelling_is_no_difference():
    async with Service(World()) as service:
        await service.flow()
        service.world.source.put(item(1, "1.50", tags={"SS": ["a", "b"]}, sizes={"NS": ["1", "2.0"]}))
        await asyncio.sleep(3)
        service.world.replica.preset(item(1, "15E-1", tags={"SS": ["b", "a"]}, sizes={"NS": ["2", "1.0"]}))
        assert findings(await service.verify()) == {}


async def test_projection_and_transform_are_applied_before_comparing():
    transform = "tests.support.transforms:without_drafts"
    async with Service(World(), exclude_attributes="secret", transform=transform) as service:
        await service.flow()
        service.world.source.put(item(1, secret={"S": "x"}))
        service.world.source.put(item(2, draft={"BOOL": True}))
        service.world.source.put(item(3, **{"aws:rep:updatetime": {"N": "5"}}))
        await asyncio.sleep(3)
        assert findings(await service.verify()) == {}
        service.world.replica.preset(item(1, secret={"S": "x"}, copied={"BOOL": True}))
        assert differing(await service.verify()) == {"key1": "different"}


@pytest.mark.parametrize("skip_ttl_deletes", [False, True])
async def test_an_item_that_the_transform_leaves_out_is_extra_and_a_repair_removes_it(skip_ttl_deletes):
    transform = "tests.support.transforms:without_drafts"
    async with Service(World(), transform=transform, skip_ttl_deletes=skip_ttl_deletes) as service:
        await service.flow()
        service.world.source.put(item(1, draft={"BOOL": True}))
        service.world.source.put(item(2, draft={"BOOL": True}))
        await asyncio.sleep(3)
        service.world.replica.preset(item(2, "9"))
        assert findings(await service.verify()) == {"extra": 1}
        assert findings(await service.verify(repair=True)) == {"extra": 1, "repaired": 1}
        assert not service.world.replica.items


async def test_an_item_that_the_transform_chokes_on_differs():
    async with Service(World(), transform="tests.support.transforms:choking") as service:
        await service.flow()
        service.world.source.put(item(1, choke={"BOOL": True}))
        await asyncio.sleep(3)
        job = await service.verify(repair=True)
        assert findings(job) == {"missing": 1}


async def test_items_that_only_the_replica_keeps_are_right_where_ttl_deletes_are_skipped():
    async with Service(World(), skip_ttl_deletes=True) as service:
        await filled(service)
        service.world.source.delete(key(1), is_ttl=True)
        await asyncio.sleep(3)
        service.world.replica.lose(key(2))
        job = await service.verify(repair=True)
        assert findings(job) == {"missing": 1, "repaired": 1}
        assert job.items_read == 19
        assert service.world.replica.item(key(1)) is not None


async def test_a_key_with_a_dead_letter_differs_and_can_not_be_repaired():
    async with Service(World()) as service:
        await filled(service)
        poisoned = service.world.replica.key(key(1))

        def refuse(write: Any) -> ChangeError | None:
            is_poison = write.key == poisoned and not isinstance(write, Delete)
            return ChangeError("no") if is_poison else None

        service.world.replica.poison = refuse
        service.world.source.put(item(1, "2"))
        await asyncio.sleep(3)
        assert (await service.flow()).dead_letters.count == 1
        job = await service.verify(repair=True)
        assert findings(job) == {"different": 1}


async def test_reads_that_fail_for_a_while_are_waited_out():
    async with Service(World()) as service:
        await filled(service)
        expected = damage(service.world)
        for call in ("source.scan", "replica.scan", "source.get_many", "replica.get_many"):
            service.world.plan.fail_next(call, ThrottledError("slow down"), times=5)
        assert differing(await service.verify()) == expected


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


async def test_a_repair_beside_late_changes_never_takes_the_replica_back():
    async with Service(World(timing=Timing(record_delay=(0.0, 3.0)), max_latency=0.05)) as service:
        await filled(service)
        damage(service.world)
        job = await service.verifications.start(await service.flow(), repair=True)
        for turn in range(60):
            service.world.source.put(item(turn % 4, str(turn)))
            await asyncio.sleep(0.2)
            service.world.source.delete(key((turn + 1) % 4))
        await service.ended(job.id)
        await service.until_caught_up()
        assert findings(await service.verify()) == {}
    check_never_back(service.world)
