"""The composition root: settings become adapters, a pipeline and its admin API in one event loop.

The order of the `async with` stack is the order of the shutdown, backwards.
"""

from __future__ import annotations

import asyncio
import contextlib
import gc
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import AsyncExitStack, asynccontextmanager, nullcontext
from dataclasses import dataclass
from functools import partial
from importlib.metadata import version as installed_version

from api.app import create_app
from api.server import AdminServer
from service.adapters import at_start, new_owner, open_mappings, open_world
from service.configuration.settings import Settings
from service.events import Observers
from service.lambda_mode.admin_console import AdminOnlyConsole
from service.lambda_mode.event_source_mapping import PipelineMapping
from service.lambda_mode.writer_without_stream import SidePipeline
from service.observability.gauges import Seen
from service.observability.log_observer import LogObserver
from service.observability.metrics import Metrics
from service.operations.console import Console
from service.operations.control_looks import ControlLooks
from service.operations.dead_letters.dead_letters import Letters
from service.operations.live_console import LiveConsole
from service.operations.one_console import OneConsole
from service.operations.pipeline.pause import Pause
from service.operations.pipeline.pipeline import Pipeline
from service.operations.replay.replays import Replays
from service.operations.snapshot.snapshots import Snapshots
from service.operations.status.status_report import Report
from service.operations.verification.verifications import Verifications
from service.ports import Clock
from service.signals import Signals

FIRST_LOOK_SECONDS = 2.0
VERSION = installed_version("dynamirror")


@dataclass(frozen=True, slots=True)
class Running:
    """What `serve` tells once it answers requests."""

    url: str
    console: Console
    stop: Callable[[], None]


async def serve(
    settings: Settings,
    *,
    announce: Callable[[Running], None] = lambda running: None,
    signals: Signals | None = None,
    is_admin_only: bool = False,
) -> None:
    """Replicate and serve the admin API until stopped by one of `signals` or by `Running.stop`.

    `announce` is called once the API listens. `is_admin_only`: Lambda replicates. Raises ConfigurationError, HaltError.
    """
    owner = new_owner()
    async with open_world(settings) as world, AsyncExitStack() as stack:
        clock = world.clock
        outside = await at_start(clock, world.look)
        await at_start(clock, lambda: world.prepare(owner))
        metrics = Metrics()
        totals = metrics.totals_of(settings.pipeline_name, clock)
        logs = LogObserver()
        observer = Observers(totals, logs)
        make = partial(
            Pipeline if not is_admin_only else SidePipeline,
            settings=settings,
            outside=outside,
            look_again=world.look,
            owner=owner,
            observer=observer,
        )
        pipeline = make()
        # Beside Lambda, what only a flow with readers knows or does is left to a pipeline that never runs.
        reading = make() if is_admin_only else pipeline
        report = Report(pipeline=reading, settings=settings, totals=totals, clock=clock, version=VERSION)
        looks = ControlLooks(
            pipeline=reading,
            report=report,
            letters=pipeline.letter_count,
            control=outside.adapters.control,
            clock=clock,
            has_gaps=not is_admin_only,
        )
        live = _console(pipeline, settings, report, clock, observer)
        console: Console = live
        if is_admin_only:
            mappings = await stack.enter_async_context(open_mappings(settings))
            mapping = PipelineMapping(mappings, outside.source.stream_arn or "", clock)
            await stack.enter_async_context(running(mapping.look_periodically(), "event source mapping"))
            console = AdminOnlyConsole(console=live, pipeline=pipeline, report=report, mapping=mapping)
        await stack.enter_async_context(looking(looks))
        metrics.show(
            settings.pipeline_name,
            lambda: Seen(console.status(), console.not_ready_reason() is None, report.vital()),
        )
        app = create_app(
            OneConsole(console, settings.pipeline_name),
            version=VERSION,
            admin_token=settings.admin_token.get_secret_value() if settings.admin_token else None,
            read_token=settings.read_token.get_secret_value() if settings.read_token else None,
            metrics=metrics.render,
            audit=logs.audit,
            observe=metrics.request_seen,
        )
        server = await AdminServer(app, host=settings.admin_host, port=settings.admin_port).listen()
        with signals.answered_with(pipeline.stop) if signals else nullcontext():
            announce(Running(server.url, console, pipeline.stop))
            gc.collect()
            gc.freeze()  # what is there now stays: walking it with each collection costs up to 2 µs a record
            await _run_both(pipeline, server)


async def _run_both(pipeline: Pipeline, server: AdminServer) -> None:
    """The API answers as long as the pipeline lives, its stopping included."""
    async with asyncio.TaskGroup() as tasks:
        serving = tasks.create_task(server.serve(), name="admin api")
        try:
            await pipeline.run()
        finally:
            server.stop(pipeline.ending.seconds_left)
        await asyncio.wait([serving])


def _console(pipeline: Pipeline, settings: Settings, report: Report, clock: Clock, observer: Observers) -> LiveConsole:
    adapters = pipeline.outside.adapters
    return LiveConsole(
        pipeline=pipeline,
        settings=settings,
        report=report,
        clock=clock,
        pausing=Pause(pipeline, adapters),
        letters=Letters(pipeline=pipeline, adapters=adapters, observer=observer),
        snapshots=Snapshots(pipeline=pipeline, adapters=adapters, observer=observer),
        verifications=Verifications(pipeline=pipeline, adapters=adapters, observer=observer, report=report),
        replays=Replays(pipeline=pipeline, adapters=adapters, observer=observer),
    )


@asynccontextmanager
async def running(work: Coroutine[None, None, None], name: str) -> AsyncIterator[None]:
    """Until the block ends."""
    task = asyncio.create_task(work, name=name)
    try:
        yield
    finally:
        task.cancel()


@asynccontextmanager
async def looking(looks: ControlLooks) -> AsyncIterator[None]:
    """Until the block ends; what is stored is known from its beginning, unless the control table is slow."""
    with contextlib.suppress(TimeoutError):
        await asyncio.wait_for(looks.look_once(), FIRST_LOOK_SECONDS)
    async with running(looks.look_periodically(), "looks at the control table"):
        yield
