"""Puts one pipeline together: from its settings to a flow that can run, its jobs and its console."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Coroutine
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from functools import partial

from service.adapters import at_start
from service.configuration.settings import Settings
from service.events import Observer
from service.fleet.surroundings import Surroundings
from service.lambda_mode.event_source_mapping import PipelineMapping
from service.lambda_mode.mapping_report import NO_REPLAY, MappingReport
from service.lambda_mode.writer_without_stream import SidePipeline
from service.operations.console import Console, Pausing, Reporting
from service.operations.control_looks import ControlLooks
from service.operations.dead_letters.dead_letters import Letters
from service.operations.live_console import LiveConsole
from service.operations.pipeline.pause import Pause
from service.operations.pipeline.pipeline import Pipeline
from service.operations.replay.replays import Replays
from service.operations.snapshot.snapshots import Snapshots
from service.operations.status.counters import Totals
from service.operations.status.status_report import Report
from service.operations.verification.verifications import Verifications
from service.replication.allowance import Allowance

FIRST_LOOK_SECONDS = 2.0


@dataclass(frozen=True, slots=True)
class Opened:
    pipeline: Pipeline
    console: Console
    report: Report


@asynccontextmanager
async def opened(
    settings: Settings, around: Surroundings, allowance: Allowance, totals: Totals, observer: Observer
) -> AsyncIterator[Opened]:
    """Until the block ends; `Opened.pipeline.run` replicates. `observer` tells `totals` too.

    Raises ConfigurationError, HaltError where the start is refused.
    """
    async with around.open_world(settings) as world, AsyncExitStack() as stack:
        clock, owner = world.clock, around.owner
        outside = await at_start(clock, world.look)
        await at_start(clock, lambda: world.prepare(owner))
        make = partial(
            Pipeline if not around.is_admin_only else SidePipeline,
            settings=settings,
            outside=outside,
            look_again=world.look,
            owner=owner,
            observer=observer,
            allowance=allowance,
        )
        pipeline = make()
        # Beside Lambda, what only a flow with readers knows or does is left to a pipeline that never runs.
        reading = make() if around.is_admin_only else pipeline
        report = Report(reading, totals, around.version)
        looks = ControlLooks(reading, report, pipeline.letter_count, has_gaps=not around.is_admin_only)
        shown: Reporting = report
        pausing: Pausing = Pause(pipeline)
        if around.is_admin_only:
            mappings = await stack.enter_async_context(around.open_mappings(settings))
            mapping = PipelineMapping(mappings, outside.source.stream_arn or "", clock)
            await stack.enter_async_context(running(mapping.look_periodically(), "event source mapping"))
            shown, pausing = MappingReport(pipeline=pipeline, report=report, mapping=mapping), mapping
        console = LiveConsole(
            pipeline=pipeline,
            report=shown,
            pausing=pausing,
            letters=Letters(pipeline),
            snapshots=Snapshots(pipeline),
            verifications=Verifications(pipeline, report),
            replays=Replays(pipeline),
            no_replay=NO_REPLAY if around.is_admin_only else None,
        )
        with contextlib.suppress(TimeoutError):  # what is stored is known from the beginning, if that is not slow
            await asyncio.wait_for(looks.look_once(), FIRST_LOOK_SECONDS)
        await stack.enter_async_context(running(looks.look_periodically(), "looks at the control table"))
        yield Opened(pipeline, console, report)


@asynccontextmanager
async def running(work: Coroutine[None, None, None], name: str) -> AsyncIterator[None]:
    """Until the block ends."""
    task = asyncio.create_task(work, name=name)
    try:
        yield
    finally:
        task.cancel()
