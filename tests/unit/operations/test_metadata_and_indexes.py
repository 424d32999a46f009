"""Metadata makes no item unwritable: an index of the replica that refuses it goes before it, whoever writes."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest

from service.errors import AmbiguousError, ChangeError
from service.events import Warned
from service.model import KeyAttribute
from tests.fakes.command import Command
from tests.fakes.event_source import engine_on
from tests.fakes.images import item_of
from tests.fakes.service import Service, until
from tests.fakes.world import World
from tests.support.invariants import check_all, check_equal
from tests.support.lambda_mode.batches import records
from tests.support.lambda_mode.operator import Admin
from tests.support.lambda_mode.world import settings_of as lambda_settings
from tests.support.numbered_items import item, key
from tests.support.workbench import Log
from tests.unit.operations.test_refresh_item import replicated

STAMP, SEQUENCE = "timestamp", "dynamirror_sequence"
ITEMS = 60


def index(attribute: str, kind: str = "N") -> dict[str, tuple[KeyAttribute, ...]]:
    """As a local one has it: beside the table's hash key."""
    return {f"by-{attribute}": (KeyAttribute("key", "S"), KeyAttribute(attribute, kind))}


def world_with(*attributes: str, **more: Any) -> World:
    world = World(seed=11, **more)
    for attribute in attributes:
        world.replica.indexes |= index(attribute)
    return world


def letters(world: World) -> int:
    return len(world.control.of("source--replica").letters)


def metadata_of(world: World) -> set[str]:
    """What of ours any item of the replica carries."""
    return {name for image in world.replica.items.values() for name in item_of(image)} & {STAMP, SEQUENCE}


def warnings_of(service: Service) -> list[str]:
    return [text for text in service.report.status().warnings if "index" in text]


async def arrived(service: Service) -> None:
    """All that the source's stream has by now."""
    shards = service.world.source.stream.shards.values()
    newest = max((record.sequence for shard in shards for record in shard.records), default=None)
    await until(lambda: newest is None or str(newest) in {shard.last_read for shard in service.report.status().shards})
    await service.until_caught_up()


@asynccontextmanager
async def serving(world: World, **overrides: Any) -> AsyncIterator[Service]:
    async with Service(world, **overrides) as service:
        await service.flow()
        yield service
        await arrived(service)
    assert letters(world) == 0
    check_all(world)


async def test_an_index_on_the_stamp_as_a_number_costs_the_stamp_alone() -> None:
    world = world_with(STAMP)
    async with serving(world) as service:
        for number in range(ITEMS):
            world.source.put(item(number))
        world.source.put(item(0, "2", timestamp={"N": "7"}))
        await arrived(service)
        (warning,) = warnings_of(service)
        assert warning.startswith("the replica's index 'by-timestamp' is keyed on 'timestamp' as type N")
        assert warning.endswith("set DYNAMIRROR_STAMP_ATTRIBUTE to another name, or remove the index")
        assert world.replica.calls["put"] == 0, "nothing was refused: the start had looked"
    assert metadata_of(world) == {STAMP, SEQUENCE}, "the source's own attribute of that name goes to the replica"
    assert [item_of(image)[STAMP] for image in world.replica.items.values() if STAMP in item_of(image)] == [{"N": "7"}]


async def test_an_index_on_the_stamp_as_a_string_takes_it() -> None:
    world = World()
    world.replica.indexes |= index(STAMP, "S")
    async with serving(world) as service:
        world.source.put(item(1))
        await arrived(service)
        assert warnings_of(service) == []
    assert metadata_of(world) == {STAMP, SEQUENCE}


async def test_an_index_on_the_sequence_attribute_costs_the_number_and_says_what_that_means() -> None:
    world = world_with(SEQUENCE)
    async with serving(world) as service:
        world.source.put(item(1))
        await arrived(service)
        (warning,) = warnings_of(service)
        assert "an item may return to an earlier state for a while" in warning
        assert "set DYNAMIRROR_SEQUENCE_ATTRIBUTE to another name" in warning
    assert metadata_of(world) == {STAMP}


@pytest.mark.parametrize("is_listed", [True, False], ids=["listed", "not listed yet"])
async def test_an_index_that_is_added_later_makes_no_dead_letter(is_listed: bool) -> None:
    world = World()
    async with serving(world) as service:
        for number in range(ITEMS):
            world.source.put(item(number))
        await arrived(service)
        if is_listed:
            world.replica.indexes |= index(STAMP)
        else:
            world.replica.unlisted_indexes = index(STAMP)
        for number in range(ITEMS):
            world.source.put(item(number, "2"))
        await arrived(service)
        assert len(warnings_of(service)) == 1
        world.replica.indexes = world.replica.unlisted_indexes = {}
        await until(lambda: is_listed is False or warnings_of(service) == [])
        world.source.put(item(ITEMS))
        await arrived(service)
        assert STAMP in (world.replica.item(key(ITEMS)) or {}), "stamps come back with the index gone"


async def test_what_an_index_refuses_of_the_item_itself_is_a_dead_letter_at_the_cost_of_one_more_write() -> None:
    world = World()
    async with Service(world) as service:
        await service.flow()
        world.replica.indexes |= index("size")
        world.source.put(item(1, size={"S": "large"}))
        await until(lambda: letters(world) == 1)
        await arrived(service)
        assert warnings_of(service) == []
        assert world.replica.calls["put"] <= 2


@pytest.mark.parametrize("mode", ["auto", "strict"])
@pytest.mark.parametrize("attributes", [(SEQUENCE,), (STAMP, SEQUENCE)], ids=["number", "both"])
async def test_without_numbers_crashes_replays_and_lost_answers_leave_both_tables_equal(
    mode: str, attributes: tuple[str, ...]
) -> None:
    world = world_with(*attributes)
    crashed = await Service(world, write_mode=mode).open()
    await crashed.until_caught_up()
    for number in range(ITEMS):
        world.source.put(item(number))
        world.plan.fail_next("replica.put", AmbiguousError("lost", "AnswerLost"))
    await until(lambda: bool(world.replica.items))
    await crashed.die()
    async with serving(world, write_mode=mode) as service:
        for number in range(0, ITEMS, 2):
            world.source.delete(key(number))
        await arrived(service)
        assert (await service.replay(from_="trim_horizon")).state == "done"
        assert await replicated(service, key(1)) == "unchanged"


@pytest.mark.parametrize("attribute", [STAMP, SEQUENCE])
async def test_a_snapshot_writes_past_such_an_index(attribute: str) -> None:
    world = world_with(attribute)
    world.source.preset(*[item(number) for number in range(ITEMS)])

    assert (await Command(world, start_at="snapshot").snapshot()).items_written == ITEMS
    assert letters(world) == 0
    check_equal(world)


@pytest.mark.parametrize("attribute", [STAMP, SEQUENCE])
async def test_a_repair_beside_no_service_writes_past_it(attribute: str) -> None:
    world = world_with(attribute)
    world.source.preset(*[item(number) for number in range(ITEMS)])

    assert (await Command(world).repair()).repaired == ITEMS
    assert letters(world) == 0
    check_equal(world)


async def test_a_repair_and_a_copy_of_one_item_by_the_service_write_past_it() -> None:
    world = world_with(STAMP, SEQUENCE)
    async with serving(world) as service:
        world.source.preset(item(1), item(2))
        assert await replicated(service, key(1)) == "written"
        assert (await service.verify(repair=True)).repaired == 1


async def test_a_dead_letter_of_such_an_index_is_redriven_past_it() -> None:
    """As a former version has left it."""
    world = World()
    world.replica.poison = lambda write: ChangeError("refused")
    async with serving(world) as service:
        world.source.put(item(1))
        await until(lambda: letters(world) == 1)
        world.replica.poison = lambda write: None
        world.replica.indexes |= index(STAMP)
        assert (await service.redrive())["redriven"] == 1


async def test_lambda_writes_past_it_and_warns_once_for_all_batches() -> None:
    world, log = world_with(STAMP, SEQUENCE), Log()
    engine = await engine_on(world.process(), lambda_settings(), log)
    for value in ("1", "2"):
        world.source.put(item(1, value))
        assert await engine.apply(records(world), 30.0) is None
    assert letters(world) == 0
    check_equal(world)
    assert [event.topic for event in log.of(Warned)] == ["stamp index", "sequence index"]


async def test_lambda_learns_of_a_later_index_for_all_batches_that_follow() -> None:
    world, log = World(), Log()
    engine = await engine_on(world.process(), lambda_settings(), log)
    world.replica.indexes |= index(STAMP)
    for value in ("1", "2", "3"):
        world.source.put(item(1, value))
        assert await engine.apply(records(world)[-1:], 30.0) is None
    assert letters(world) == 0
    check_equal(world)
    assert [event.topic for event in log.of(Warned)] == ["stamp index"]


async def test_beside_lambda_a_copy_writes_past_it() -> None:
    world = world_with(STAMP, SEQUENCE)
    world.source.preset(item(0) | {"key": {"S": "k0"}})
    async with Admin(world, lambda_settings()) as admin:
        await admin.copy(0)
    assert letters(world) == 0
    check_equal(world)
