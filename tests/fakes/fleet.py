"""Fleets in memory: processes that run many pipelines, each on a world of its own, with one control table for all.

worlds = Worlds()
fleet = await worlds.process({"orders": settings}).start()
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any

from service.configuration.fleet_plan import FleetPlan
from service.configuration.settings import Settings, load_settings
from service.events import Observers
from service.fleet.fleet import Fleet
from service.fleet.plans import Apply, OpenTables
from service.fleet.surroundings import Surroundings
from service.observability.metrics import Metrics
from service.operations.documents.status import Status
from service.operations.live_console import LiveConsole
from service.operations.pipeline.outside import Outside
from service.ports import Clock
from tests.fakes.clock import FakeClock
from tests.fakes.control_table import FakeControlTable
from tests.fakes.world import Process, World


def entries_of(*names: str, **overrides: Any) -> dict[str, Settings]:
    """A pipeline of each name, from the table `NAME` to `NAME-replica`; a first start reads what comes from then on."""
    return {
        name: load_settings(
            {}, **{"source_table": name, "replica_table": f"{name}-replica", "start_at": "latest"} | overrides,
            pipeline=name,
        )
        for name in names
    }  # fmt: skip


class Plans:
    """Implements fleet.plans.Plans: what a test says."""

    is_alone = False

    def __init__(self, entries: Mapping[str, Settings]) -> None:
        self.entries = dict(entries)
        self.error: Exception | None = None

    def look_through(self, open_tables: OpenTables) -> None:
        """There is nothing to discover."""

    async def first(self) -> FleetPlan:
        return await self.again()

    async def again(self) -> FleetPlan:
        if self.error is not None:
            raise self.error
        process = next(iter(self.entries.values())) if self.entries else entries_of("nothing")["nothing"]
        return FleetPlan(process, dict(self.entries))

    async def keep_looking(self, apply: Apply) -> None:
        """It says all at once."""


class Outlook:
    """Implements fleet.surroundings.World, as one start of a pipeline sees it."""

    def __init__(self, world: World, process: Process, refusals: dict[str, Exception], table: str) -> None:
        self._world = world
        self._process = process
        self._refusals = refusals
        self._table = table

    @property
    def clock(self) -> Clock:
        return self._process.clock

    async def look(self) -> Outside:
        if (error := self._refusals.get(self._table)) is not None:
            raise error
        return Outside(
            self._process.adapters, await self._world.source.describe(), await self._world.replica.describe()
        )

    async def prepare(self, owner: str) -> None:
        """It is there."""


class Worlds:
    """What is outside of every process: a world for each source table, made when somebody first asks for it."""

    def __init__(self, **options: Any) -> None:
        """`options` are those of a World."""
        self._options = options
        self.control = FakeControlTable()
        self.of: dict[str, World] = {}
        self.refusals: dict[str, Exception] = {}
        """By the source table: what a start raises."""

    def world(self, table: str) -> World:
        if table not in self.of:
            self.of[table] = World(len(self.of), tables=(table, f"{table}-replica"), **self._options)
            self.of[table].control = self.control
        return self.of[table]

    def process(self, entries: Mapping[str, Settings], owner: str = "the process") -> FleetProcess:
        return FleetProcess(self, entries, owner)


class FleetProcess:
    """One process. A context: leaving it stops in order; a dead process just stays dead."""

    def __init__(self, worlds: Worlds, entries: Mapping[str, Settings], owner: str) -> None:
        self._worlds = worlds
        self.owner = owner
        self.plans = Plans(entries)
        self.processes: dict[str, Process] = {}
        """The ports of each pipeline's newest start."""
        self.is_dead = False
        self._stack = AsyncExitStack()

    @asynccontextmanager
    async def _open(self, settings: Settings) -> AsyncIterator[Outlook]:
        name = settings.pipeline_name
        world = self._worlds.world(settings.source_table)
        process = self.processes[name] = world.process(name)
        yield Outlook(world, process, self._worlds.refusals, settings.source_table)

    async def start(self) -> FleetProcess:
        around = Surroundings(
            open_world=self._open,
            open_mappings=lambda settings: _none(),
            log_of=lambda name: Observers(),
            clock=FakeClock(),
            owner=self.owner,
            version="0",
        )
        fleet = Fleet(self.plans, await self.plans.first(), around, Metrics())
        self.fleet = await self._stack.enter_async_context(fleet)
        self.running = asyncio.create_task(self.fleet.run(), name=f"fleet {self.owner}")
        return self

    async def stop(self) -> None:
        self.fleet.stop()
        await self.running
        await self._stack.aclose()

    async def die(self) -> None:
        """`kill -9`."""
        self.is_dead = True
        for process in self.processes.values():
            process.connection.kill()
        self.running.cancel()
        await asyncio.wait([self.running])

    async def __aenter__(self) -> FleetProcess:
        return await self.start()

    async def __aexit__(self, *_: object) -> None:
        if not self.is_dead:
            await self.stop()

    def status(self, name: str) -> Status:
        return self.fleet.of(name).status()

    def leads(self, name: str) -> bool:
        """It has the pipeline's lease: what its status says, without all else that a status says."""
        console = self.fleet.of(name)
        return isinstance(console, LiveConsole) and console.pipeline.holder.lease is not None

    async def until(self, name: str, state: str) -> None:
        while self.status(name).state != state:
            assert not self.running.done(), "the process has ended"
            await asyncio.sleep(0.1)

    async def until_caught_up(self, *names: str) -> None:
        for name in names or self.fleet.names():
            while not self.status(name).lag.caught_up:
                assert not self.running.done(), "the process has ended"
                await asyncio.sleep(0.1)


@asynccontextmanager
async def _none() -> AsyncIterator[Any]:
    raise AssertionError("nobody asks Lambda")
    yield
