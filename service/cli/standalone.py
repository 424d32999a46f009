"""Composes what a command does by itself, without the admin API: a migration, a snapshot, a verification."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

from service.adapters import at_start, new_owner, open_world
from service.configuration.settings import Settings
from service.migrations import Migration, plan
from service.observability.log_observer import LogObserver
from service.operations.documents.jobs import Snapshot, Verification
from service.operations.pipeline.pipeline import Pipeline
from service.operations.standalone import repair_standalone, snapshot_standalone
from service.operations.verification.look import look


@asynccontextmanager
async def _own_pipeline(settings: Settings) -> AsyncIterator[Pipeline]:
    """One that does not run yet; its control table is there. Raises ConfigurationError, HaltError."""
    owner = new_owner()
    async with open_world(settings) as world:
        outside = await at_start(world.clock, world.look)
        await at_start(world.clock, lambda: world.prepare(owner))
        yield Pipeline(
            settings=settings,
            outside=outside,
            look_again=world.look,
            owner=owner,
            observer=LogObserver(pipeline=settings.pipeline_name),
        )


async def take_snapshot(settings: Settings, on_progress: Callable[[Snapshot], None]) -> Snapshot:
    """Raises ConfigurationError, HaltError, ConflictError."""
    async with _own_pipeline(settings) as pipeline:
        return await snapshot_standalone(pipeline, on_progress)


async def take_repair(
    settings: Settings, on_progress: Callable[[Verification], None], *, sample: float | None
) -> Verification:
    """Raises ConfigurationError, HaltError, ConflictError."""
    async with _own_pipeline(settings) as pipeline:
        return await repair_standalone(pipeline, on_progress, sample=sample)


async def take_look(
    settings: Settings, on_progress: Callable[[Verification], None], *, sample: float | None, settle_seconds: float
) -> Verification:
    """Raises ConfigurationError, HaltError."""
    async with open_world(settings) as world:
        outside = await at_start(world.clock, world.look)
        observer = LogObserver(pipeline=settings.pipeline_name)
        adapters, source = outside.adapters, outside.source
        return await look(
            adapters, settings, source, observer, on_progress, sample=sample, settle_seconds=settle_seconds
        )


async def take_migrations(settings: Settings) -> list[Migration]:
    """What was done. Raises ConfigurationError, HaltError."""
    async with open_world(settings) as world:
        return await at_start(world.clock, lambda: world.migrate(new_owner()))


async def pending_migrations(settings: Settings) -> list[Migration]:
    """What `take_migrations` would do; changes nothing. Raises ConfigurationError, HaltError."""
    async with open_world(settings) as world:
        return await at_start(world.clock, lambda: plan(world.schema_store()))
