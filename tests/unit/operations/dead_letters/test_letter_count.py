"""The number of dead letters is what is stored, always."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import Any

import pytest

from service.configuration.settings import load_settings
from service.errors import AmbiguousError, ThrottledError, UnavailableError
from service.lambda_mode.engine import SHARD as LAMBDA
from service.model import ShardId
from service.pipeline_state import DeadLetter
from service.replication.dead_letters import MAX_TOGETHER, identity_of
from tests.fakes.event_source import engine_on, event_record
from tests.fakes.faults import Moment
from tests.fakes.service import Service, until
from tests.fakes.world import World
from tests.support.numbered_items import item, key
from tests.support.refused_items import check_count, letters, refusing, settled, taking


async def test_a_redriven_record_without_a_number_does_not_come_again():
    world = World()
    async with Service(world) as service:
        world.source.preset(item(1))
        await service.flow()
        world.source.add_unreadable(key(1), is_numbered=False)
        await settled(service)
        assert (await service.redrive())["redriven"] == 1
    async with Service(world) as again:
        await settled(again)
        assert letters(world) == []


async def test_a_crash_before_the_checkpoint_makes_one_letter_that_is_counted_once():
    world = World()
    refusing(world)
    service = await Service(world, checkpoint_interval_seconds=60).open()
    await service.flow()
    world.source.put(item(1))
    await until(lambda: bool(letters(world)))
    await service.die()
    async with Service(world) as again:
        await settled(again)
        assert [letter.attempts for letter in letters(world)] == [2]
        check_count(again)


@pytest.mark.parametrize("moment", [Moment.BEFORE, Moment.AFTER])
async def test_a_lost_answer_makes_one_letter_with_one_try(moment: Moment):
    async with Service(World()) as service:
        await service.flow()
        refusing(service.world)
        service.world.plan.fail_next("control.put_dead_letters", AmbiguousError("reset"), moment=moment, times=3)
        service.world.source.put(item(1))
        await settled(service)
        assert [letter.attempts for letter in letters(service.world)] == [1]
        check_count(service)
        taking(service.world)
        service.world.plan.fail_next("control.delete_dead_letter", AmbiguousError("reset"), moment=moment, times=3)
        await service.redrive()
        assert letters(service.world) == []
        check_count(service)


async def test_lambda_and_the_service_make_one_letter_of_one_record():
    world = World()
    world.source.add_unreadable(key(1))
    world.source.add_unreadable(key(2), Keys={"k": {"Q": 1}})
    settings = load_settings({}, source_table="master-table", replica_table="replica-table", pipeline="source--replica")
    records = [event_record(each.content) for shard in world.source.stream.shards.values() for each in shard.records]
    assert await (await engine_on(world.process(), settings)).apply(records, 30.0) is None
    assert [letter.shard_id for letter in letters(world)] == [LAMBDA, LAMBDA]
    async with Service(world, start_at="trim_horizon") as service:
        await settled(service)
        assert [letter.attempts for letter in letters(world)] == [2, 2]
        check_count(service)


async def test_what_others_store_and_discard_is_counted_soon_and_a_standby_knows_it():
    world = World()
    async with Service(world) as service, Service(world) as standby:
        await settled(service)
        assert standby.report.status().dead_letters == service.report.status().dead_letters == 0
        outside = world.process().control
        await outside.put_dead_letters([letter_of(number) for number in range(20)])
        await asyncio.sleep(11)
        assert standby.report.status().dead_letters == service.report.status().dead_letters == 20
        await standby.letters.discard(letter_of(3).id)
        assert standby.report.status().dead_letters == 19
        await asyncio.sleep(11)
        assert service.report.status().dead_letters == 19


def letter_of(number: int, **more: Any) -> DeadLetter:
    whole = DeadLetter(
        id=f"{number:040d}-{number:04d}",
        shard_id=ShardId("shardId-1"),
        sequence=None,
        event_name="SNAPSHOT",
        key=World().source.key(key(number)),
        error="refused",
        attempts=1,
        failed_at=0.5,
        record=b'{"eventName":"SNAPSHOT","dynamodb":{}}',
        identity=f"of {number}",
        version="a",
    )
    return replace(whole, **more)


async def test_letters_of_a_former_version_are_counted_beside_the_flow_and_unknown_until_then():
    world = World()
    many = 3 * MAX_TOGETHER + 1
    kept = world.control.of("source--replica").letters
    kept.update(
        {letter.id: letter for letter in (letter_of(number, identity="", version="") for number in range(many))}
    )
    service = await Service(world).open()
    await service.flow()
    assert service.report.status().dead_letters is None
    await until(lambda: world.control.of("source--replica").count >= MAX_TOGETHER)
    await service.die()
    async with Service(world) as again:
        await again.flow()
        await until(lambda: again.report.status().dead_letters == many)
        refusing(world)
        world.source.put(item(7))
        await settled(again)
        check_count(again)
        assert kept[letter_of(7).id].attempts == 2, "one letter, under the id that it had"
        assert kept[letter_of(7).id].identity == identity_of(world.source.key(key(7)), "refused")
        taking(world)
        outcome = await again.redrive()
        assert sum(outcome.values()) == many
        check_count(again)
        assert not letters(world)


async def test_letters_that_come_together_are_stored_together():
    async with Service(World(), writers=64) as service:
        await service.flow()
        refusing(service.world)
        service.world.plan.fail_next("control.put_dead_letters", UnavailableError("a moment"), times=1)
        for number in range(200):
            service.world.source.put(item(number))
        await settled(service)
        assert len(letters(service.world)) == 200
        check_count(service)
        assert service.process.connection.made.count("control.put_dead_letters") < 100


async def test_a_redrive_of_all_goes_on_over_a_control_table_that_throttles_and_ends_while_letters_come():
    async with Service(World()) as service:
        await service.flow()
        refusing(service.world)
        for number in range(100):
            service.world.source.put(item(number))
        await settled(service)
        await asyncio.sleep(1)

        async def put_more() -> None:
            for number in range(100, 400):
                service.world.source.put(item(number))
                await asyncio.sleep(0.01)

        service.world.plan.fail_next("control.list_dead_letters", ThrottledError("slower", "Throttling"), times=3)
        more = asyncio.create_task(put_more())
        assert sum((await service.redrive()).values()) == 100
        await more
        await settled(service)
        assert sorted(letter.attempts for letter in letters(service.world)) == [1] * 300 + [2] * 100
        check_count(service)
