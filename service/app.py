"""The composition root: the plan's pipelines and the admin API in one event loop.

The order of the `async with` stack is the order of the shutdown, backwards.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import AsyncExitStack
from dataclasses import dataclass
from importlib.metadata import version as installed_version

from api.app import create_app
from api.server import AdminServer
from service.adapters import SystemClock, Worlds, new_owner, open_mappings
from service.fleet.fleet import Fleet
from service.fleet.plans import Plans
from service.fleet.surroundings import Surroundings
from service.observability.log_observer import LogObserver
from service.observability.metrics import Metrics
from service.operations.console import Console
from service.signals import Signals

VERSION = installed_version("dynamirror")


@dataclass(frozen=True, slots=True)
class Running:
    """What `serve` tells once it answers requests."""

    url: str
    fleet: Fleet

    @property
    def console(self) -> Console:
        """The only pipeline's."""
        only = self.fleet.only()
        assert only is not None
        return only

    def stop(self) -> None:
        self.fleet.stop()


async def serve(
    plans: Plans,
    *,
    announce: Callable[[Running], None] = lambda running: None,
    signals: Signals | None = None,
    is_admin_only: bool = False,
) -> None:
    """Replicate and serve the admin API until stopped by one of `signals` or by `Running.stop`.

    `announce` is called once the API listens. `is_admin_only`: Lambda replicates. Raises ConfigurationError, HaltError.
    """
    plan = await plans.first()
    process = plan.process
    worlds = Worlds(names_records=not plans.is_alone)
    async with AsyncExitStack() as stack:
        plans.look_through(worlds.tables)
        around = Surroundings(
            open_world=worlds.open,
            open_mappings=open_mappings,
            log_of=lambda name: LogObserver(pipeline=name),
            clock=SystemClock(),
            owner=new_owner(),
            version=VERSION,
            is_admin_only=is_admin_only,
            is_alone=plans.is_alone,
        )
        metrics = Metrics()
        fleet = await stack.enter_async_context(Fleet(plans, plan, around, metrics))
        app = create_app(
            fleet,
            version=VERSION,
            admin_token=process.admin_token.get_secret_value() if process.admin_token else None,
            read_token=process.read_token.get_secret_value() if process.read_token else None,
            metrics=metrics.render,
            audit=LogObserver().audit,
            observe=metrics.request_seen,
        )
        server = await AdminServer(app, host=process.admin_host, port=process.admin_port).listen()
        if signals is not None:
            stack.enter_context(signals.answered_with(fleet.stop))
            if not plans.is_alone:
                stack.enter_context(signals.reload_with(fleet.reload_soon))
        announce(Running(server.url, fleet))
        await _run_both(fleet, server)


async def _run_both(fleet: Fleet, server: AdminServer) -> None:
    """The API answers as long as the pipelines live, their stopping included."""
    async with asyncio.TaskGroup() as tasks:
        serving = tasks.create_task(server.serve(), name="admin api")
        try:
            await fleet.run()
        finally:
            server.stop(fleet.seconds_left)
        await asyncio.wait([serving])
