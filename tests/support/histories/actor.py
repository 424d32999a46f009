"""One process of a history: it can be killed, stalled and frozen, and its writes are recorded."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from service.errors import UnavailableError
from service.events import Observers
from service.operations.documents.status import PipelineState
from service.operations.pipeline.outside import Outside
from service.operations.pipeline.pipeline import Pipeline
from service.operations.snapshot.snapshots import Snapshots
from service.operations.status.counters import Families, Totals
from service.operations.status.status_report import Report
from service.ports import Adapters
from tests.fakes.faults import Moment
from tests.support.histories.arrivals import WatchedControl

if TYPE_CHECKING:
    from tests.support.histories.player import Stage


class Stalled:
    """A port of a process that can lose sight of the world: its calls wait, and then fail without effect."""

    def __init__(self, port: Any) -> None:
        self._port = port
        self._until = asyncio.Event()
        self._until.set()

    def stall(self) -> None:
        self._until.clear()

    def go_on(self) -> None:
        self._until.set()

    def __getattr__(self, name: str) -> Any:
        call = getattr(self._port, name)

        async def through(*arguments: Any, **named: Any) -> Any:
            if not self._until.is_set():
                await self._until.wait()
                raise UnavailableError("the connection was lost", "EndpointConnectionError")
            return await call(*arguments, **named)

        return through


class Recorded:
    """A replica that remembers whose writes it took, and between which moments: `(generation, start, end)`."""

    def __init__(self, port: Any, generation: Callable[[], int], log: list[tuple[int, float, float]]) -> None:
        self._port = port
        self._generation = generation
        self._log = log

    def __getattr__(self, name: str) -> Any:
        call = getattr(self._port, name)
        if name not in ("put", "delete", "write_batch"):
            return call

        async def through(*arguments: Any, **named: Any) -> Any:
            generation, start = self._generation(), asyncio.get_running_loop().time()
            try:
                return await call(*arguments, **named)
            finally:
                self._log.append((generation, start, asyncio.get_running_loop().time()))

        return through


class Actor:
    """One process of the service, on a line of its own to the world."""

    def __init__(self, stage: Stage, owner: str, skew: float) -> None:
        self.stage = stage
        self.process = process = stage.world.process(skew=skew)
        self.control = Stalled(WatchedControl(process.control, stage.watch, stage.breaches))
        self.others = [Stalled(stage.streams(process.streams)), Stalled(process.source)]
        self.replica = Stalled(Recorded(process.replica, self._generation, stage.writes))
        ports: Any = (*self.others, self.replica, self.control)
        adapters = Adapters(*ports, process.schema, process.clock)
        self.totals = Totals(Families(), "pipeline", process.clock)
        observer = Observers(self.totals, *stage.observers)
        outside = Outside(adapters, stage.source, stage.replica)

        async def look_again() -> Outside:
            """Whichever stream is the table's by now."""
            streams = process.connection.to(stage.world.source.stream, "streams")
            self.others[0] = Stalled(stage.streams(streams))
            found: Any = (*self.others, self.replica, self.control)
            anew = Adapters(*found, process.schema, process.clock)
            return Outside(anew, await stage.world.source.describe(), await stage.world.replica.describe())

        self.pipeline = Pipeline(
            settings=stage.settings, outside=outside, look_again=look_again, owner=owner, observer=observer
        )
        self.snapshots = Snapshots(self.pipeline)
        self.report = Report(self.pipeline, self.totals, "0")
        self.task = asyncio.create_task(self._live(), name=f"process {owner}")

    async def _live(self) -> bool:
        return await self.process.live(self.pipeline.run())

    def _generation(self) -> int:
        """Of the lease that it had when it last was the owner: a former one writes under that."""
        lease = self.pipeline.holder.lease
        self._last_generation = lease.generation if lease else getattr(self, "_last_generation", 0)
        return self._last_generation

    @property
    def is_alive(self) -> bool:
        return not self.process.is_dead and not self.task.done()

    @property
    def is_caught_up(self) -> bool:
        running = self.pipeline.state is PipelineState.RUNNING
        return self.is_alive and running and self.report.status().lag.caught_up

    def kill(self) -> None:
        self.process.connection.kill()

    def crash_in(self, calls: int, moment: Moment) -> None:
        self.process.crash_at(self.process.connection.calls + calls, moment)

    def freeze(self) -> None:
        for port in (*self.others, self.replica, self.control):
            port.stall()

    def thaw(self) -> None:
        for port in (*self.others, self.replica, self.control):
            port.go_on()

    async def stop(self) -> None:
        self.thaw()
        self.pipeline.stop()
        await self.task
