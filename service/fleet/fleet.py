"""The pipelines of one process: started, stopped and restarted as the plan says, each on its own.

What one of them does, or fails to do, changes no other. A crash here costs what a crash of each would cost.
"""

from __future__ import annotations

import asyncio
import gc
from collections.abc import Callable, Coroutine, Iterable
from typing import Self

from service.configuration.fleet_plan import FleetPlan
from service.configuration.settings import Settings
from service.defects import told
from service.errors import ConfigurationError, first_of
from service.fleet.budgets import Budgets
from service.fleet.plans import Plans
from service.fleet.runner import PipelineRunner
from service.fleet.shares import Shares
from service.fleet.surroundings import Surroundings
from service.observability.log_setup import logger
from service.observability.metrics import Metrics
from service.operations.console import Console, InvalidError, NotFoundError
from service.operations.documents.fleet import LeftOut, Reloaded
from service.operations.pipeline.ending import Ending
from service.operations.status.history import STEP_SECONDS

BEGIN_ANEW_SECONDS = 30.0
"""After an error in what runs beside the pipelines."""

_GARBAGE_EVERY = 10_000
"""New objects between two looks for garbage. CPython's own 700 costs 50 busy pipelines 4 µs a record, this 1 µs."""


class Fleet:
    """Implements console.Consoles. A context, in which every pipeline has its console; `run` it until `stop`."""

    def __init__(self, plans: Plans, plan: FleetPlan, around: Surroundings, metrics: Metrics) -> None:
        self._plans = plans
        self._plan = plan
        self._around = around
        self._metrics = metrics
        self._budgets = Budgets(plan.process, around.clock, is_alone=around.is_alone)
        self._runners: dict[str, PipelineRunner] = {}
        self._tasks: asyncio.TaskGroup | None = None
        self._lives: dict[str, asyncio.Task[None]] = {}
        self._besides: set[asyncio.Task[None]] = set()
        self._changing = asyncio.Lock()
        self._ending = Ending(plan.process.shutdown_timeout_seconds)

    # --- the life of the process

    async def __aenter__(self) -> Self:
        """Raises ConfigurationError, HaltError where the only pipeline can't start."""
        for name in self._plan.entries:
            self._add(name)
        if self._around.is_alone:
            for runner in self._runners.values():
                await runner.open()
        return self

    async def run(self) -> None:
        """Until `stop`; on return nothing is under way. Raises what ends the process's only pipeline."""
        try:
            async with asyncio.TaskGroup() as self._tasks:
                for name in self._runners:
                    self._start(name)
                self._beside(self._freeze_memory, "memory")
                self._beside(self._record_histories, "history")
                self._beside(lambda: self._plans.keep_looking(self.apply), "discovery")
                if not self._around.is_alone:
                    shares = Shares(self._around.owner, self._runners, self._around.clock)
                    self._beside(shares.keep_even, "even shares")
                await self._until_over()
                for task in self._besides:
                    task.cancel()
        except BaseExceptionGroup as errors:
            raise first_of(errors) from errors

    def _beside(self, work: Callable[[], Coroutine[None, None, None]], name: str) -> None:
        """For as long as the pipelines run; an error that nobody foresaw ends none of them."""
        assert self._tasks is not None
        self._besides.add(task := self._tasks.create_task(self._kept_up(work, name), name=name))
        task.add_done_callback(self._besides.discard)

    async def _kept_up(self, work: Callable[[], Coroutine[None, None, None]], name: str) -> None:
        while True:
            try:
                return await work()
            except Exception as error:
                logger().error("an unexpected error, which is a defect; it is begun anew", of=name, error=told(error))
            await self._around.clock.sleep(BEGIN_ANEW_SECONDS)

    async def _until_over(self) -> None:
        await self._ending.until_asked()
        async with self._changing:
            while self._lives:
                await asyncio.wait(self._lives.values(), return_when=asyncio.FIRST_COMPLETED)

    async def _freeze_memory(self) -> None:
        """What is there once all were started stays: walking it with each collection costs up to 2 µs a record.

        What is read afterwards is gone within seconds, most of it before anybody looks.
        """
        for runner in list(self._runners.values()):
            await runner.has_tried.wait()
        gc.collect()
        gc.freeze()
        gc.set_threshold(_GARBAGE_EVERY)

    async def _record_histories(self) -> None:
        while True:
            await self._around.clock.sleep(STEP_SECONDS)
            for runner in list(self._runners.values()):
                runner.record_history()
                await asyncio.sleep(0)  # a status of thousands of shards takes its time

    async def __aexit__(self, *_: object) -> None:
        for runner in self._runners.values():
            await runner.close()

    def stop(self) -> None:
        """End every pipeline in order, in time; a second call ends at once."""
        self._ending.ask()
        for runner in self._runners.values():
            runner.stop()

    @property
    def seconds_left(self) -> float | None:
        """For the stop; None while nobody has asked."""
        return self._ending.seconds_left

    def _add(self, name: str) -> None:
        settings, allowance = self._plan.entries[name], self._budgets.allowance(len(self._plan.entries))
        self._runners[name] = PipelineRunner(name, settings, self._around, allowance, self._metrics)

    def _start(self, name: str) -> None:
        assert self._tasks is not None
        life = self._lives[name] = self._tasks.create_task(self._runners[name].run(), name=f"pipeline {name}")
        life.add_done_callback(lambda _: self._lives.pop(name))

    # --- what changes

    async def apply(self, plan: FleetPlan) -> Reloaded:
        """Start what is new, stop in order what is gone, restart what has changed; the rest is not touched.

        One after the other: a second call waits for the first.
        """
        async with self._changing:
            if self._ending.is_asked:
                return Reloaded(started=[], stopped=[], restarted=[])
            before, self._plan = self._plan, plan
            gone = sorted(before.entries.keys() - plan.entries.keys())
            new = sorted(plan.entries.keys() - before.entries.keys())
            changed = sorted(name for name, each in plan.entries.items() if _differs(before.entries.get(name), each))
            await self._end([*gone, *changed])
            for name in gone:
                self._metrics.forget(name)
            for name in [*changed, *new]:
                self._add(name)
                self._start(name)
                if self._ending.is_asked:  # while the others were stopping
                    self._runners[name].stop()
            for runner in self._runners.values():
                runner.limit_queue(self._budgets.queue_bytes_of_each(len(plan.entries)))
            return Reloaded(started=new, stopped=gone, restarted=changed)

    async def _end(self, names: Iterable[str]) -> None:
        lives = [self._lives[name] for name in names if name in self._lives]
        for name in names:
            self._runners[name].stop()
        if lives:
            await asyncio.wait(lives)
        for name in names:
            del self._runners[name]

    # --- the consoles

    def names(self) -> list[str]:
        return sorted(self._runners)

    def of(self, name: str) -> Console:
        if name in self._runners:
            return self._runners[name].console
        there = ", ".join(map(repr, self.names())) or "none"
        raise NotFoundError(f"There is no pipeline {name!r} here; there is {there}.")

    def only(self) -> Console | None:
        consoles = [runner.console for runner in self._runners.values()]
        return consoles[0] if len(consoles) == 1 else None

    def not_ready_reason(self) -> str | None:
        return self._plan.unknown

    def left_out(self) -> list[LeftOut]:
        return [LeftOut(table=each.table, reason=each.reason) for each in self._plan.left_out]

    def reload_soon(self) -> None:
        """As `reload`; the log tells what came of it."""
        self._beside(self._reload_and_tell, "reload")

    async def _reload_and_tell(self) -> None:
        try:
            reloaded = await self.reload()
        except InvalidError as error:
            logger().error("the file has errors: nothing was changed", problems=error.problems)
        else:
            logger().info("the file was read again", **reloaded.model_dump())

    async def reload(self) -> Reloaded:
        try:
            plan = await self._plans.again()
        except ConfigurationError as error:
            raise InvalidError(str(error), str(error).splitlines()) from error
        return await self.apply(plan)


def _differs(before: Settings | None, now: Settings) -> bool:
    return before is not None and before != now
