"""Versions side by side on one pipeline: who may bring the control table to a newer form, and who must not write."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Any

import pytest

from service.errors import RefusedError, SchemaError
from service.migrations import Migration, load_migrations
from service.operations.documents.status import PipelineState
from tests.fakes.command import Command
from tests.fakes.schema_store import FakeSchemaStore
from tests.fakes.service import Service, until
from tests.fakes.world import World
from tests.support.invariants import check_all, check_equal
from tests.support.numbered_items import item

NEWER = Migration(len(load_migrations()) + 1, "of_a_newer_version", "checksum", ())


def older_world(**more: Any) -> World:
    """Its control table is there, in the form before all that this version ships."""
    world = World(**more)
    world.schema.records.clear()
    return world


def saved(world: World) -> Any:
    return world.control.of("source--replica").progress


async def test_a_standby_leaves_the_table_alone_and_migrates_once_it_has_the_lease():
    world = World()
    async with Service(world) as former:
        await former.until_caught_up()
        world.schema.records.clear()
        async with Service(world) as standby:
            await until(lambda: standby.pipeline.state is PipelineState.STANDBY)
            await asyncio.sleep(60)
            assert world.schema.changes == 0
            former.pipeline.stop()
            await standby.until_caught_up()
            assert {record.applied_by for record in world.schema.records.values()} == {f"process-{id(standby)}"}
            assert len(world.schema.records) == len(load_migrations())


async def test_what_a_process_remembers_is_read_in_the_new_form_only():
    """The progress is adopted after the migration: not before a slow one is done."""

    class SlowSchema(FakeSchemaStore):
        async def apply_step(self, kind: str, arguments: Mapping[str, Any]) -> None:
            await asyncio.sleep(30)
            await super().apply_step(kind, arguments)

    world = older_world()
    world.schema = SlowSchema.migrated()
    world.schema.records.clear()
    async with Service(world) as service:
        await until(lambda: service.pipeline.holder.lease is not None)
        await asyncio.sleep(20)
        assert service.pipeline.holder.lease is not None, "a slow migration keeps the lease"
        assert saved(world) is None
        assert service.pipeline.state is PipelineState.STARTING
        await service.until_caught_up()
        assert service.pipeline.holder.lease.generation == 1


async def test_an_older_process_that_gets_the_lease_of_a_newer_table_gives_it_back_and_ends():
    world = World()
    async with Service(world) as newer:
        await newer.until_caught_up()
        older = await Service(world).open()
        await until(lambda: older.pipeline.state is PipelineState.STANDBY)
        world.schema.note(NEWER)
    before = saved(world)
    with pytest.raises(SchemaError, match="upgrade dynamirror"):
        async with asyncio.timeout(60):
            await older.running

    lease = world.control.of("source--replica").lease
    assert lease is not None
    assert lease.is_released
    assert not lease.is_clean
    assert saved(world) == before


async def test_an_older_process_that_replicates_while_the_table_is_migrated_goes_on():
    world = World()
    async with Service(world) as older:
        await older.until_caught_up()
        world.schema.note(NEWER)
        world.source.put(item(1))
        await asyncio.sleep(60)
        await older.until_caught_up()
        check_equal(world)
    check_all(world)


async def test_a_migration_that_is_not_allowed_is_told_and_done_when_it_is():
    class Guarded(FakeSchemaStore):
        is_allowed = False

        async def apply_step(self, kind: str, arguments: Mapping[str, Any]) -> None:
            if not self.is_allowed:
                raise RefusedError("the control table refuses UpdateTimeToLive", "AccessDeniedException")
            await super().apply_step(kind, arguments)

    world = older_world()
    world.schema = Guarded.migrated()
    world.schema.records.clear()
    async with Service(world) as service:
        await until(lambda: service.pipeline.reason is not None)
        await asyncio.sleep(60)
        assert "refuses UpdateTimeToLive" in (service.pipeline.reason or "")
        Guarded.is_allowed = True
        await service.until_caught_up()
        assert service.pipeline.reason is None


async def test_a_repair_migrates_when_it_owns_the_pipeline_and_not_before():
    world = older_world()
    await Command(world).look()
    assert not world.schema.records
    await Command(world).repair()
    assert world.schema.records


async def test_a_repair_of_an_older_version_writes_nothing_on_a_newer_table():
    world = World()
    world.source.preset(item(1))
    world.schema.note(NEWER)
    with pytest.raises(SchemaError):
        await Command(world).repair()
    assert not world.replica.items
