"""One pipeline of the process, from its settings to its end: started, and started again after what went wrong.

A start that is refused, or an error that nobody foresaw, is this pipeline's alone: its console tells it, and it is
tried again after a while. Only a process that was started for this one pipeline ends with it.
"""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from contextlib import AsyncExitStack

from service.configuration.settings import Settings
from service.defects import told
from service.errors import DynamirrorError
from service.events import Halted, Observers
from service.fleet.idle_console import IdleConsole
from service.fleet.opened import Opened, opened
from service.fleet.surroundings import Surroundings
from service.observability.gauges import Seen
from service.observability.metrics import Metrics
from service.operations.console import Console
from service.operations.pipeline.pipeline import Pipeline
from service.replication.allowance import Allowance
from service.replication.requests.backoff import Backoff

FIRST_WAIT_SECONDS, LONGEST_WAIT_SECONDS = 30.0, 300.0
"""Between a start that was refused and the next one."""


class PipelineRunner:
    """`run` is its life. Owned by the fleet, in its event loop."""

    def __init__(
        self, name: str, settings: Settings, around: Surroundings, allowance: Allowance, metrics: Metrics
    ) -> None:
        self.settings = settings
        self._around = around
        self._allowance = allowance
        self._totals = metrics.totals_of(name, around.clock)
        self._observer = Observers(self._totals, around.log_of(name))
        self._idle = IdleConsole(settings, around.version, around.clock, self._totals, around.owner)
        self._opened: Opened | None = None
        self._closing = AsyncExitStack()
        self._asked = asyncio.Event()
        self.has_tried = asyncio.Event()
        """It was started for the first time, or could not be."""
        metrics.show(name, self._seen)

    @property
    def console(self) -> Console:
        """From the first moment on; another one whenever it starts or ends."""
        return self._opened.console if self._opened is not None else self._idle

    @property
    def pipeline(self) -> Pipeline | None:
        """None while it can't start."""
        return self._opened.pipeline if self._opened is not None else None

    def _seen(self) -> Seen:
        age = self._opened.report.checkpoint_age() if self._opened is not None else None
        return Seen(self.console.status(), self.console.not_ready_reason() is None, age)

    def record_history(self) -> None:
        """Close a step of it; the fleet calls it every few seconds."""
        status = self.console.status()
        self._totals.recorder.record_once(status.state, status.lag.seconds)

    def limit_queue(self, max_bytes: int) -> None:
        """From now on; a queue that holds more takes nothing until that is settled."""
        self._allowance.queue_max_bytes = max_bytes
        if self._opened is not None and (flow := self._opened.pipeline.replicator) is not None:
            flow.queue.max_bytes = max_bytes

    async def open(self) -> None:
        """Everything before the flow. Raises ConfigurationError, HaltError."""
        try:
            self._opened = await self._closing.enter_async_context(
                opened(self.settings, self._around, self._allowance, self._totals, self._observer)
            )
        finally:
            self.has_tried.set()

    async def close(self) -> None:
        """After `open` without `run`, or after it. May be repeated."""
        self._opened = None
        await self._closing.aclose()

    async def run(self) -> None:
        """Replicate until `stop`. Raises only where the process is for this one pipeline."""
        backoff = Backoff(
            self._around.clock, first_seconds=2 * FIRST_WAIT_SECONDS, max_seconds=LONGEST_WAIT_SECONDS
        )  # which waits half of it at least
        while not self._asked.is_set():
            try:
                await self._live()
            except Exception as error:  # whatever it is, the other pipelines go on
                if self._around.is_alone:
                    raise
                self._show_failed(error)
                await self._unless_asked(backoff.wait())

    async def _live(self) -> None:
        try:
            if self._opened is None:
                await self._unless_asked(self.open())
            if self._opened is not None:
                if self._asked.is_set():
                    self._opened.pipeline.stop()
                await self._opened.pipeline.run()
        finally:
            await self.close()

    async def _unless_asked(self, work: Coroutine[None, None, None]) -> None:
        """Returns when it is done, or cancelled since a stop came first."""
        tasks = [asyncio.ensure_future(work), asyncio.ensure_future(self._asked.wait())]
        try:
            await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.wait(tasks)
        if not tasks[0].cancelled():
            tasks[0].result()

    def _show_failed(self, error: Exception) -> None:
        known = isinstance(error, DynamirrorError)
        self._idle.reason = str(error) if known else f"an unexpected error, which is a defect: {told(error)}"
        self._observer.observe(Halted(self._idle.reason))

    def stop(self) -> None:
        """End in order, in time; a second call ends at once."""
        self._asked.set()
        self._idle.is_stopping = True
        if self._opened is not None:
            self._opened.pipeline.stop()
