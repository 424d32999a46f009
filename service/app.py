"""The composition root: settings become adapters, a pipeline and its admin API in one event loop.

The order of the `async with` stack is the order of the shutdown, backwards.
"""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.metadata import version as installed_version

from api.app import create_app
from api.server import AdminServer
from service.config import Settings
from service.log import LogObserver
from service.metrics import Metrics
from service.operations.letters import Letters
from service.operations.live import LiveConsole
from service.operations.pause import Pause
from service.operations.pipeline import Pipeline
from service.operations.replays import Replays
from service.operations.report import Report
from service.operations.snapshots import Snapshots
from service.operations.totals import Totals
from service.operations.verifications import Verifications
from service.ports import Clock
from service.telemetry import Observers
from service.world import SystemClock, at_start, new_owner, open_world

VERSION = installed_version("dynamirror")


@dataclass(frozen=True, slots=True)
class Running:
    """What `serve` tells once it answers requests."""

    url: str
    console: LiveConsole
    stop: Callable[[], None]


async def serve(
    settings: Settings, *, announce: Callable[[Running], None] = lambda running: None, handles_signals: bool = True
) -> None:
    """Replicate and serve the admin API until stopped by SIGTERM, SIGINT or `Running.stop`.

    `announce` is called once the API listens. Raises ConfigurationError, HaltError.
    """
    owner = new_owner()
    async with open_world(settings) as world:
        clock = SystemClock()
        outside = await at_start(clock, world.look)
        await at_start(clock, lambda: world.migrate(owner))
        totals = Totals(clock)
        logs = LogObserver()
        observer = Observers(totals, logs)
        pipeline = Pipeline(settings=settings, outside=outside, look_again=world.look, owner=owner, observer=observer)
        report = Report(pipeline=pipeline, settings=settings, totals=totals, clock=clock, version=VERSION)
        console = _console(pipeline, settings, report, clock, observer)
        metrics = Metrics(report.status, console.not_ready_reason, report.vital)
        observer.add(metrics)
        app = create_app(
            console,
            version=VERSION,
            admin_token=settings.admin_token.get_secret_value() if settings.admin_token else None,
            read_token=settings.read_token.get_secret_value() if settings.read_token else None,
            metrics=metrics.render,
            audit=logs.audit,
            observe=metrics.request_seen,
        )
        server = await AdminServer(app, host=settings.admin_host, port=settings.admin_port).listen()
        with _signals(pipeline.stop if handles_signals else None):
            announce(Running(server.url, console, pipeline.stop))
            await _run_both(pipeline, server)


async def _run_both(pipeline: Pipeline, server: AdminServer) -> None:
    """The API answers as long as the pipeline lives, its stopping included."""
    async with asyncio.TaskGroup() as tasks:
        serving = tasks.create_task(server.serve(), name="admin api")
        try:
            await pipeline.run()
        finally:
            server.stop()
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


@contextmanager
def _signals(stop: Callable[[], None] | None) -> Iterator[None]:
    """SIGTERM and SIGINT stop in order; a second one at once."""
    if stop is None:
        yield
        return
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop)
    try:
        yield
    finally:
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.remove_signal_handler(number)
