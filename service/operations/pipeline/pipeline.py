"""One process's part in a pipeline: it stands by, replicates while the lease is its own, and stands by again.

A crash anywhere here costs a lease time; what the control table remembers is enough to go on.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Awaitable, Callable
from typing import TypeVar

from service.configuration.settings import Settings
from service.defects import told
from service.errors import GapError, HaltError, LeaseLostError, RetryableError, SchemaError
from service.events import GapFound, Halted, Observer, Paused, Warned
from service.migrations import migrate
from service.operations.documents.status import PipelineState
from service.operations.job_store import new_job_id
from service.operations.pipeline.ending import Ending
from service.operations.pipeline.gaps import Healing, record_gap
from service.operations.pipeline.letter_counting import count_letters
from service.operations.pipeline.outside import Outside
from service.pipeline_state import Gap, LeaseRecord
from service.replication.allowance import Allowance
from service.replication.doubts import Doubts
from service.replication.flow import Flow
from service.replication.gaps import gap_of
from service.replication.lease import LeaseHolder
from service.replication.lease_term import LeaseTerm
from service.replication.letter_count import LetterCount
from service.replication.requests.backoff import until_answered

Answer = TypeVar("Answer")
START_ANEW_AFTER_SECONDS = 5.0


class Pipeline:
    """`run` is its life; the console looks at its fields and calls its methods from the same event loop."""

    def __init__(
        self,
        *,
        settings: Settings,
        outside: Outside,
        look_again: Callable[[], Awaitable[Outside]],
        owner: str,
        observer: Observer,
        allowance: Allowance | None = None,
    ) -> None:
        """`look_again` describes the tables anew, and finds a stream that was re-created."""
        self.settings = settings
        self.outside = outside
        self.allowance = allowance or Allowance.of_one(settings, outside.adapters.clock)
        self._look_again = look_again
        self.observer = observer
        self._clock = outside.adapters.clock
        self.holder = LeaseHolder(
            store=outside.adapters.control,
            owner=owner,
            lease_seconds=settings.lease_seconds,
            clock=self._clock,
            observer=observer,
        )
        self.holder.on_renewed = self._follow_pause
        self.holder.on_turned = self._show_role
        self.replicator: Flow | None = None
        """The running flow; None while this process does not replicate."""
        self.letter_count = LetterCount(outside.adapters.control, self._clock)
        self.state = PipelineState.STARTING
        self.reason: str | None = None
        self.gaps: tuple[Gap, ...] = ()
        self.is_paused = False
        self.paused_since: float | None = None
        self._pause_decided_at = float("-inf")
        self.is_snapshotting = False
        self.successor = ""
        """The process that it is being handed over to."""
        self._left_doubts: Doubts | None = None
        """Of the flow before. One that is cut off saves nothing, and a heal begins at the tips: nothing is read again
        that would bring those keys back, and a request that was given up before takes effect all the same."""
        self.on_flow_started: list[Callable[[Flow], None]] = []
        self.on_flow_ended: list[Callable[[Flow], None]] = []
        """Told of each flow: before it reads, since jobs that outlived a restart go on then, and as it ended."""
        self.ending = Ending(settings.shutdown_timeout_seconds)
        self.healing = Healing(self._clock, settings.on_gap)

    async def run(self) -> None:
        """Until `stop`; on return nothing is under way, everything settled is saved, and the lease is released.

        Raises SchemaError, the lease released too, when only another version may go on.
        """
        while not self.ending.is_asked:
            if self.holder.lease is None:
                former = await self.ending.unless_asked(self.holder.stand_by(), self.letter_count.look_periodically())
                if self.ending.is_asked and self.holder.lease is None:
                    break
            else:
                former = self.holder.record
            try:
                await self._lead(former)
            except LeaseLostError as error:
                self._stand_back(str(error))
            except SchemaError:
                await self._release(is_clean=False)
                raise
            except HaltError as error:
                await self._halt(error)
            except Exception as error:  # a defect of ours: the place where nothing may be lost by giving up
                await self._start_anew(error)
        await self._release(is_clean=False)
        self.state = PipelineState.STOPPING
        if self.ending.cut:
            told = f"the stop was cut short after {self.ending.timeout_seconds:g} s: {', '.join(self.ending.cut)}"
            self.observer.observe(Warned("stop", f"{told}; nothing is lost, and the next start repeats some work"))

    def _show_role(self) -> None:
        if self.state is not PipelineState.STOPPING:
            self.state = PipelineState.STANDBY if self.holder.lease is None else PipelineState.STARTING

    def _stand_back(self, reason: str) -> None:
        self.holder.lose()
        self.healing.drop()  # whoever leads next looks for itself
        self.replicator = None
        self.state, self.reason = PipelineState.STANDBY, reason

    async def _with_lease_kept(self, work: Awaitable[Answer]) -> Answer | None:
        """As `Ending.unless_asked`. Raises LeaseLostError."""
        return await self.ending.unless_asked(work, self.holder.keep())

    async def _lead(self, former: LeaseRecord | None) -> None:
        """Replicate until stopped. Raises LeaseLostError, SchemaError, HaltError, GapError."""
        self.state, self.reason, self.successor = PipelineState.STARTING, None, ""
        schema = self.outside.adapters.schema
        await self._with_lease_kept(self._retrying(lambda: migrate(schema, clock=self._clock, owner=self.holder.owner)))
        replicator = await self._with_lease_kept(self._begin(former))
        if replicator is None:
            return
        outside, counted = self.outside.adapters, self.letter_count
        await self._with_lease_kept(count_letters(replicator, outside, counted, self.observer, self._retrying))
        self.gaps = replicator.checkpoints.record.gaps
        self.replicator = replicator
        self._follow_pause(self.holder.record)
        if self._left_doubts is not None:
            replicator.doubts.inherit(self._left_doubts)
        for tell in self.on_flow_started:
            tell(replicator)
        await self._replicate(replicator)

    async def _begin(self, former: LeaseRecord | None) -> Flow:
        if self.healing.is_wanted:
            self.outside = await self._retrying(self._look_again)
        tenure = LeaseTerm(
            settings=self.settings,
            adapters=self.outside.adapters,
            source=self.outside.source,
            lease=self.holder,
            former=former,
            observer=self.observer,
            allowance=self.allowance,
        )
        snapshot_id = self.healing.snapshot_id or new_job_id(self._clock)
        beginning = await tenure.begin(heal=self.healing.is_wanted, snapshot_id=snapshot_id)
        self.healing.drop()  # it is saved: whatever ends this flow, the next one goes on from there
        return tenure.build(beginning)

    async def _replicate(self, replicator: Flow) -> None:
        replicator.first_look.on_done = self._show_running
        self._show_running()
        running = asyncio.ensure_future(replicator.replicate())
        try:
            await self._until_over(replicator, running)
            if running.done() and not running.cancelled():
                running.result()
        finally:
            running.cancel()
            self._left_doubts = replicator.doubts
            for tell in self.on_flow_ended:
                tell(replicator)
            self.replicator = None
        await self._release(is_clean=replicator.is_exact)

    async def _until_over(self, replicator: Flow, running: asyncio.Future[None]) -> None:
        """Until the flow ends by itself, or, once `stop` was called, is drained or out of time."""
        await self.ending.unless_asked(asyncio.wait([running]))
        if running.done():
            return
        self.state = PipelineState.STOPPING
        replicator.drain()
        if not self.is_paused:
            await self.ending.applied(running)
        if not running.done():
            replicator.give_up()
            await self.ending.saved(running)

    async def _retrying(self, step: Callable[[], Awaitable[Answer]]) -> Answer:
        """A step outside of the flow, made again until it is answered; meanwhile the status says why not."""
        return await until_answered(step, self._clock, self.observer, "control", self._show_reason)

    def _show_reason(self, reason: str | None) -> None:
        self.reason = reason

    async def _start_anew(self, error: Exception) -> None:
        """Forget the flow and compute it again from what the control table remembers, after a while."""
        self.replicator = None
        self.state, self.reason = PipelineState.STARTING, f"an unexpected error ended the flow: {told(error)}"
        self.observer.observe(Warned("unexpected error", f"{self.reason}; it is started anew"))
        with contextlib.suppress(LeaseLostError):
            await self._with_lease_kept(self._clock.sleep(START_ANEW_AFTER_SECONDS))

    async def _halt(self, error: HaltError) -> None:
        """Nothing goes on until a person acts, or a snapshot may mend it: then a healing start comes next."""
        self.replicator, self.state, self.reason = None, PipelineState.FAILED, str(error)
        try:
            if isinstance(error, GapError):
                await self._record_gap(error)
                self.reason = str(error)
            else:
                self.observer.observe(Halted(str(error)))
            await self._with_lease_kept(self.healing.until_due(error, self._give_up_healing))
        except LeaseLostError as lost:
            self._stand_back(str(lost))

    def _give_up_healing(self, reason: str) -> None:
        self.reason = reason
        self.observer.observe(Halted(reason))

    async def _record_gap(self, error: GapError) -> None:
        self.gaps = (*self.gaps, gap_of(error, self._clock.now()))
        self.observer.observe(GapFound(self.gaps[-1].shard_id, str(error)))

        async def record() -> None:
            assert self.holder.lease is not None
            self.gaps = await record_gap(self.outside.adapters.control, self.holder.lease, self.gaps[-1])

        await self._with_lease_kept(self._retrying(record))

    async def _release(self, *, is_clean: bool) -> None:
        try:
            async with self.ending.in_time("the lease is not released and runs out by itself"):
                await self.holder.until_known()
                if self.holder.lease is not None:
                    await self.holder.release(is_clean=is_clean, reserved_for=self.successor)
        except (RetryableError, LeaseLostError, TimeoutError):
            self.holder.lose()  # it runs out by itself

    def stop(self) -> None:
        """End in order, in time; a second call ends at once, leaving what is not settled behind the checkpoint."""
        self.ending.ask()
        if self.ending.is_hurried and self.replicator is not None:
            self.replicator.give_up()

    def hand_over(self, to: str) -> None:
        """Drain, save, release for that process, and stand by; a second call leaves what is not settled to it."""
        if self.replicator is not None:
            (self.replicator.give_up if self.successor else self.replicator.drain)()
            self.successor = to

    def _follow_pause(self, record: LeaseRecord | None) -> None:
        """Any process may set the flag in the lease; an answer from before a decision made here decides nothing."""
        is_news = record is not None and self.holder.asked_at >= self._pause_decided_at
        self._apply_pause(*((record.is_paused, record.paused_since) if record and is_news else (self.is_paused, 0.0)))

    def show_paused(self, is_paused: bool, since: float = 0.0) -> None:
        """It was decided here, just now: hold the flow, or let it go on. A flow that starts later is held too."""
        self._pause_decided_at = self._clock.monotonic()
        self._apply_pause(is_paused, since)

    def _apply_pause(self, is_paused: bool, since: float = 0.0) -> None:
        if is_paused != self.is_paused:
            self.observer.observe(Paused(is_paused))
        self.is_paused = is_paused
        self.paused_since = since or self.paused_since or self._clock.now() if is_paused else None
        if self.replicator is None:
            return
        (self.replicator.hold if is_paused else self.replicator.resume)()
        if is_paused and self.ending.is_asked:
            self.replicator.give_up()  # a drain that waits for what may not be written now
        self._show_running()

    def _show_running(self) -> None:
        if self.state is PipelineState.STOPPING or self.replicator is None:
            return
        running = PipelineState.SNAPSHOTTING if self.is_snapshotting else PipelineState.RUNNING
        begun = running if self.replicator.first_look.is_done else PipelineState.STARTING
        self.state = PipelineState.PAUSED if self.is_paused else begun

    def show_snapshotting(self, is_snapshotting: bool) -> None:
        self.is_snapshotting = is_snapshotting
        self._show_running()
