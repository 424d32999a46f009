"""Filters that were changed and make no difference: a verification that finds all items equal ends the warning."""

from __future__ import annotations

import pytest

from service.operations.documents.jobs import JobState
from service.replication.writing.fingerprint import TOPIC
from tests.fakes.service import Service, until
from tests.fakes.world import World
from tests.support.numbered_items import item, key

PRESENT = {"exclude_attributes": ("secret",)}


async def world_without_secrets(count: int = 6) -> World:
    """Its items look the same under the former settings and the present ones."""
    world = World()
    async with Service(world) as former:
        await former.flow()
        for number in range(count):
            world.source.put(item(number))
        await until(lambda: len(world.replica.items) == count)
        await former.until_caught_up()
    return world


async def warned(world: World) -> bool:
    async with Service(world, **PRESENT) as service:
        await service.until_caught_up()
        return TOPIC in service.totals.warnings


@pytest.mark.parametrize(("sample", "proves"), [(None, True), (1.0, False)])
async def test_a_verification_of_all_keys_that_finds_nothing_ends_the_warning(sample, proves):
    world = await world_without_secrets()
    async with Service(world, **PRESENT) as service:
        await service.until_caught_up()
        assert TOPIC in service.totals.warnings
        assert (await service.verify(sample=sample)).state is JobState.DONE
        assert (TOPIC not in service.totals.warnings) == proves
    assert await warned(world) != proves


async def test_a_pass_of_the_endless_verification_ends_it_too():
    world = await world_without_secrets()
    async with Service(world, verify_items_per_second=1000, **PRESENT) as service:
        await service.until_caught_up()
        await until(lambda: TOPIC not in service.totals.warnings)
    assert not await warned(world)


async def test_a_pass_that_finds_a_difference_does_not():
    world = await world_without_secrets()
    world.replica.lose(key(3))
    async with Service(world, verify_items_per_second=1000, **PRESENT) as service:
        await service.flow()
        await until(lambda: service.report.last_verification is not None)
        assert TOPIC in service.totals.warnings


async def test_a_pass_that_began_under_the_former_settings_proves_nothing():
    world = await world_without_secrets(60)
    slow = {"verify_items_per_second": 2}
    first = await Service(world, **slow).open()
    await first.until_caught_up()
    current = world.control.of("source--replica").jobs
    await until(lambda: ("endless-verification", "current") in current)
    await first.die()

    async with Service(world, **slow, **PRESENT) as service:
        await service.flow()
        await until(lambda: service.report.last_verification is not None)
        assert TOPIC in service.totals.warnings
        begun = service.report.last_verification.id
        await until(lambda: service.report.last_verification.id != begun)
        assert TOPIC not in service.totals.warnings
