"""Composes what a command does by itself, without the admin API: a migration, a snapshot, a verification."""

from __future__ import annotations

from collections.abc import Callable

from service.adapters import at_start, new_owner, open_world
from service.configuration.settings import Settings
from service.migrations import Migration, plan
from service.observability.log_observer import LogObserver
from service.operations.documents.jobs import Snapshot, Verification
from service.operations.pipeline.pipeline import Pipeline
from service.operations.snapshot.snapshots import Snapshots
from service.operations.snapshot.standalone import snapshot_standalone
from service.operations.verification.standalone import verify_standalone


async def take_snapshot(settings: Settings, on_progress: Callable[[Snapshot], None]) -> Snapshot:
    """Raises ConfigurationError, HaltError, ConflictError."""
    owner, observer = new_owner(), LogObserver()
    async with open_world(settings) as world:
        outside = await at_start(world.clock, world.look)
        await at_start(world.clock, lambda: world.prepare(owner))
        pipeline = Pipeline(settings=settings, outside=outside, look_again=world.look, owner=owner, observer=observer)
        snapshots = Snapshots(pipeline=pipeline, adapters=outside.adapters, observer=observer)
        return await snapshot_standalone(pipeline, snapshots, on_progress)


async def take_verification(
    settings: Settings,
    on_progress: Callable[[Verification], None],
    *,
    repair: bool,
    sample: float | None,
    settle_seconds: float,
) -> Verification:
    """Raises ConfigurationError, HaltError, ConflictError, LeaseLostError."""
    owner = new_owner()
    async with open_world(settings) as world:
        outside = await at_start(world.clock, world.look)
        if repair:  # its lease is in the control table; a mere look needs none
            await at_start(world.clock, lambda: world.prepare(owner))
        return await verify_standalone(
            outside.adapters,
            settings,
            outside.source,
            repair=repair,
            sample=sample,
            settle_seconds=settle_seconds,
            owner=owner,
            observer=LogObserver(),
            on_progress=on_progress,
        )


async def take_migrations(settings: Settings) -> list[Migration]:
    """What was done. Raises ConfigurationError, HaltError."""
    async with open_world(settings) as world:
        return await at_start(world.clock, lambda: world.migrate(new_owner()))


async def pending_migrations(settings: Settings) -> list[Migration]:
    """What `take_migrations` would do; changes nothing. Raises ConfigurationError, HaltError."""
    async with open_world(settings) as world:
        return await at_start(world.clock, lambda: plan(world.schema_store()))
