"""Filters or a transform that were changed between two starts: said until every item has the present shape."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from service.operations.documents.jobs import JobState
from service.replication.writing.fingerprint import TOPIC
from tests.fakes.command import Command
from tests.fakes.service import until
from tests.fakes.world import World
from tests.support.numbered_items import item, key
from tests.unit.operations.pipeline.test_healing import SnapshottingService, filled, lose_stream, until_healed

SECRET = {"secret": {"S": "of the source alone"}}
PRESENT = {"exclude_attributes": ("secret",)}
TRANSFORMED = {"transform": "tests.support.transforms:without_drafts"}


async def world_of_former_settings(count: int = 6) -> World:
    """Its service has stopped; the items were copied with their secrets."""
    world = World()
    async with SnapshottingService(world) as former:
        await former.flow()
        for number in range(count):
            world.source.put(item(number, **SECRET))
        await until(lambda: len(world.replica.items) == count)
        await former.until_caught_up()
        assert TOPIC not in former.totals.warnings
    return world


def many(world: World) -> None:
    """Items whose snapshot takes a while, and saves its place on the way."""
    world.source.preset(*[item(number, **SECRET) for number in range(600)])
    world.source.page_bytes = 500


def secrets(world: World) -> int:
    held = [world.replica.item(key(number)) for number in range(600)]
    return sum("secret" in one for one in held if one is not None)


async def warned(world: World, **settings: Any) -> bool:
    """Whether a start under these settings warns."""
    async with SnapshottingService(world, **settings) as service:
        await service.until_caught_up()
        return TOPIC in service.totals.warnings


async def snapshot(service: SnapshottingService) -> None:
    await service.flow()
    job = await service.snapshots.start()
    await until(lambda: service.pipeline.is_snapshotting)
    await until(lambda: not service.pipeline.is_snapshotting)
    assert (await service.snapshots.found(job.id)).state is JobState.DONE


@pytest.mark.parametrize("settings", [PRESENT, {"include_attributes": ("key", "value")}, TRANSFORMED])
async def test_a_change_is_said_at_every_start_until_it_is_mended(settings):
    world = await world_of_former_settings()
    assert await warned(world, **settings)
    assert await warned(world, **settings)


async def test_unchanged_settings_say_nothing():
    world = await world_of_former_settings()
    assert not await warned(world)


async def test_the_former_settings_again_are_a_change_too():
    """Items that the stream brought meanwhile have the other shape."""
    world = await world_of_former_settings()
    assert await warned(world, **PRESENT)
    assert await warned(world)


async def test_a_process_that_dies_at_once_leaves_the_change_known():
    world = await world_of_former_settings()
    service = await SnapshottingService(world, checkpoint_interval_seconds=60, **PRESENT).open()
    await service.flow()
    await service.die()
    assert await warned(world)


async def test_a_record_of_a_version_without_it_takes_the_present_settings():
    world = await world_of_former_settings()
    items = world.control.of("source--replica")
    assert items.progress is not None
    items.progress = replace(items.progress, shape_fingerprint=None)
    assert not await warned(world, **PRESENT)
    assert await warned(world)


async def test_a_snapshot_mends_it():
    world = await world_of_former_settings()
    async with SnapshottingService(world, **PRESENT) as service:
        await snapshot(service)
        assert secrets(world) == 0
        assert TOPIC not in service.totals.warnings
    assert not await warned(world, **PRESENT)
    assert await warned(world)


@pytest.mark.parametrize(
    ("repair", "sample", "mends"), [(True, None, True), (False, None, False), (True, 0.5, False), (True, 1.0, False)]
)
async def test_a_verification_of_all_keys_with_repair_mends_it_and_no_other_does(repair, sample, mends):
    world = await world_of_former_settings()
    async with SnapshottingService(world, **PRESENT) as service:
        await service.until_caught_up()
        job = await service.verify(repair=repair, sample=sample)
        assert job.state is JobState.DONE
        assert (TOPIC not in service.totals.warnings) == mends
        assert not mends or secrets(world) == 0
    assert await warned(world, **PRESENT) != mends


@pytest.mark.parametrize("sample", [None, 0.5])
async def test_a_verification_by_a_process_of_its_own_mends_it_too(sample):
    world = await world_of_former_settings()
    await Command(world, **PRESENT).repair(sample)
    assert await warned(world, **PRESENT) == (sample is not None)
    assert await warned(world)


async def test_a_snapshot_that_began_under_the_former_settings_does_not_count():
    world = World()
    many(world)
    slow = {"start_at": "snapshot", "max_writes_per_second": 20.0}
    former = await SnapshottingService(world, **slow).open()
    await until(lambda: len(world.replica.items) > 100)
    await former.die()

    async with SnapshottingService(world, **slow, **PRESENT) as service:
        await until_healed(service)
        assert TOPIC in service.totals.warnings
        assert secrets(world)
    assert await warned(world, **PRESENT)


async def test_a_snapshot_that_other_settings_have_run_for_a_while_does_not_count():
    world = World()
    many(world)
    slow = {"start_at": "snapshot", "max_writes_per_second": 20.0}
    for settings, copied in ((PRESENT, 100), ({}, 300)):
        service = await SnapshottingService(world, **slow, **settings).open()
        await until(lambda copied=copied: len(world.replica.items) > copied)
        await service.die()

    async with SnapshottingService(world, **slow, **PRESENT) as service:
        await until_healed(service)
        assert TOPIC in service.totals.warnings


async def test_a_snapshot_that_goes_on_under_the_same_settings_counts():
    world = await world_of_former_settings()
    many(world)
    slow = {"max_writes_per_second": 20.0, **PRESENT}
    first = await SnapshottingService(world, **slow).open()
    await first.flow()
    await first.snapshots.start()
    await until(lambda: len(world.replica.items) > 100)
    await first.die()

    async with SnapshottingService(world, **slow) as service:
        await until_healed(service)
        assert TOPIC not in service.totals.warnings
        assert secrets(world) == 0


async def test_a_heal_is_a_snapshot_under_the_present_settings():
    world = World()
    async with SnapshottingService(world) as former:
        await former.flow()
        await filled(world)
    lose_stream(world)
    async with SnapshottingService(world, on_gap="snapshot", **PRESENT) as service:
        await until_healed(service)
        assert TOPIC not in service.totals.warnings
    assert not await warned(world, **PRESENT)


@pytest.mark.parametrize(("begun_under", "counts"), [({}, False), (PRESENT, True)], ids=["former", "present"])
async def test_a_repair_that_goes_on_counts_if_it_began_under_the_present_settings(begun_under, counts):
    world = await world_of_former_settings()
    slow = {"max_writes_per_second": 1.0}
    for number in range(6):
        world.replica.lose(key(number))  # so that there is something to mend, one by one
    first = await SnapshottingService(world, **slow, **begun_under).open()
    await first.until_caught_up()
    await first.verifications.start(await first.flow(), repair=True)
    await until(lambda: len(world.replica.items) > 2)
    await first.die()

    async with SnapshottingService(world, **slow, **PRESENT) as service:
        await service.flow()
        await until(lambda: service.report.last_verification is not None)
        assert (TOPIC not in service.totals.warnings) == counts
    assert await warned(world, **PRESENT) != counts


async def test_the_warning_ends_no_sooner_than_the_mending_is_remembered():
    """A crash right then does not bring it back."""
    world = await world_of_former_settings()
    service = await SnapshottingService(world, **PRESENT).open()
    await service.until_caught_up()
    await service.verifications.start(await service.flow(), repair=True)
    await until(lambda: TOPIC not in service.totals.warnings)
    await service.die()
    assert not await warned(world, **PRESENT)
