"""Starts jobs of one kind, one at a time, carries them on after a restart, cancels them, and shows them.

A job exists once its kind's slot in the control table holds it, so that of many who ask at the same moment one gets it
and the others its id, and so that whoever owns the pipeline next goes on with it. A crash anywhere here costs the work
since the last save.
"""

from __future__ import annotations

import asyncio
import contextlib
from abc import ABC, abstractmethod
from collections.abc import Awaitable, Callable
from typing import Any, ClassVar, Generic

from service.errors import AmbiguousError, DynamirrorError, RetryableError, first_of
from service.events import JobChanged
from service.operations.console import ConflictError, NotFoundError, answering
from service.operations.documents.jobs import JobState
from service.operations.job_store import AJob, JobDocuments
from service.operations.jobs.run import Run, UnderWay
from service.operations.pipeline.ownership import is_failed, lease_of, not_here
from service.operations.pipeline.pipeline import Pipeline
from service.pipeline_state import Lease
from service.replication.job_flow import JobFlow

SAVE_EVERY_SECONDS = 1.0
INTERRUPTED = "interrupted, since the pipeline has failed; {}: {}"
Unfinished = tuple[AJob, dict[str, Any]]
"""A job, and the place from where it goes on."""


class JobRunner(ABC, Generic[AJob]):
    """A subclass says what the work is. The only one that writes its kind's slot in this process."""

    kind: ClassVar[str]
    model: ClassVar[type[Any]]
    failures: ClassVar[tuple[type[DynamirrorError], ...]] = ()
    """Errors that end the job alone; any other ends the flow, and the job goes on with the next one."""
    goes_on: ClassVar[str] = "it goes on when that is mended, or is cancelled"
    """What becomes of a job whose pipeline has failed, for a person."""

    def __init__(self, pipeline: Pipeline) -> None:
        adapters = pipeline.outside.adapters
        self._pipeline = pipeline
        self._clock = adapters.clock
        self._log: JobDocuments[AJob] = JobDocuments(self.kind, self.model, adapters.control, adapters.clock)
        self._under_way: UnderWay[AJob] | None = None
        self._turn = asyncio.Lock()
        """Starts, one after the other: whoever comes second is told what the first one has started."""
        self.has_looked = asyncio.Event()
        """The running flow knows whether a job goes on: one that is started before would be a second one."""
        pipeline.on_flow_started.append(self._go_on)
        pipeline.on_flow_ended.append(self._let_go)

    @abstractmethod
    def _make_run(self, flow: JobFlow, job: AJob, place: dict[str, Any]) -> Run[AJob]: ...

    @abstractmethod
    def _told(self, job: AJob) -> str:
        """How far it is, for a person."""

    async def _taken_up(
        self, flow: JobFlow, lease: Lease, unfinished: Unfinished[AJob] | None
    ) -> Unfinished[AJob] | None:
        """The job to go on with beside a new flow. May be repeated. Raises LeaseLostError, RetryableError."""
        return unfinished

    def _preferred_id(self, flow: JobFlow) -> str | None:
        """Of several jobs that an earlier version left running, the one to go on with; None: the newest."""
        return None

    def _enter(self, flow: JobFlow) -> None:
        """Before the first step of a run."""

    def _leave(self, flow: JobFlow) -> None:
        """After the last step of a run, however it ended."""

    def _note_end(self, job: AJob) -> None:
        """The job's end is saved."""

    async def _refuse_cancel(self, job: AJob) -> None:
        """Raises ConflictError for a job that the pipeline can't do without."""

    def refusal(self) -> str | None:
        """Why a start would be refused right now; None if it would not, as far as this process knows."""
        if self._under_way is not None:
            return str(self._runs_already(self._under_way.run.job.id))
        return None if self._pipeline.replicator is not None else not_here(self._pipeline)

    async def newest(self) -> list[AJob]:
        return [await self._current(job) for job in await self._log.newest()]

    async def found(self, job_id: str) -> AJob:
        under_way = self._under_way
        if under_way is not None and under_way.run.job.id == job_id:
            return await self._current(under_way.run.job)  # known here, also while the control table is silent
        return await self._current(await self._log.found(job_id))

    async def _current(self, job: AJob) -> AJob:
        """The running job as it is now, rather than as it was last saved, or why it does not go on."""
        under_way = self._under_way
        if under_way is not None and under_way.run.job.id == job.id:
            return under_way.shown()
        if job.state is JobState.RUNNING and is_failed(self._pipeline):
            return job.model_copy(update={"error": INTERRUPTED.format(self.goes_on, self._pipeline.reason)})
        return job

    async def _start(
        self, flow: JobFlow, make: Callable[[], Awaitable[Unfinished[AJob]]]
    ) -> tuple[AJob, UnderWay[AJob] | None]:
        """Begin what `make` makes. None: this flow is ending already, and the next one takes the job up.

        Raises ConflictError, UnavailableNowError, what `make` raises.
        """
        async with self._turn:
            await self.has_looked.wait()
            if self._under_way is not None:
                raise self._runs_already(self._under_way.run.job.id)
            with answering():
                job, place = await make()
            lease = lease_of(self._pipeline)
            if self._pipeline.replicator is not flow:
                raise ConflictError("the pipeline is stopping: ask again when it runs")
            is_new = await self._begin(job, place, lease)
            return job, self._carry_on(flow, lease, job, place) if is_new else self._under_way

    def _runs_already(self, job_id: str) -> ConflictError:
        return ConflictError(f"the {self.kind} {job_id} runs already, and there can be only one: wait, or cancel it")

    async def _begin(self, job: AJob, place: dict[str, Any], lease: Lease) -> bool:
        """The one write that decides. False: its answer was lost, but the job was found, and is carried on already.

        Raises ConflictError, UnavailableNowError.
        """
        with answering():
            try:
                running = await self._log.begin(job, place, lease.generation)
            except AmbiguousError:
                self._look_again()
                await self.has_looked.wait()
                with contextlib.suppress(NotFoundError):
                    await self.found(job.id)
                    return False
                raise
            except asyncio.CancelledError:  # whoever asked has gone: it may exist all the same
                self._look_again()
                raise
        if running is not None:
            raise self._runs_already(running)
        return True

    def _look_again(self) -> None:
        flow, lease = self._pipeline.replicator, self._pipeline.holder.lease
        if flow is None or lease is None:
            return
        self.has_looked.clear()
        if not flow.start_job(self._resume(flow, lease), f"look for a {self.kind}"):
            self.has_looked.set()

    async def cancel(self, job_id: str) -> AJob:
        """End a job before its time; returns it once nothing of it is under way. It is not taken up again.

        Raises NotFoundError; ConflictError when it has ended, can't be done without, or is another process's.
        """
        lease = lease_of(self._pipeline)
        if self._pipeline.replicator is not None:
            await self.has_looked.wait()
        job = await self.found(job_id)
        if is_running := job.state is JobState.RUNNING:
            await self._refuse_cancel(job)
            job = await self._cancelled(job, lease)
        if not is_running or job.state is not JobState.CANCELLED:
            raise ConflictError(f"the {self.kind} {job.id} has ended: it is {job.state}")
        return job

    async def _cancelled(self, job: AJob, lease: Lease) -> AJob:
        """The job as it ended, by this or before it."""
        under_way = self._under_way
        if under_way is not None and under_way.run.job.id == job.id:
            under_way.cancel()
            return await under_way.ended()
        if is_failed(self._pipeline):
            with answering():
                return await self._end_aside((job, {}), lease, JobState.CANCELLED)
        job = await self._log.found(job.id)
        if job.state is JobState.RUNNING:
            raise ConflictError("the pipeline is starting or stopping: ask again when it runs")
        return job

    async def _end_aside(
        self, unfinished: Unfinished[AJob], lease: Lease, state: JobState, error: str | None = None
    ) -> AJob:
        """One that nobody carries on. Raises LeaseLostError, RetryableError."""
        ended = self._log.ended(unfinished[0], state, error)
        await self._log.end(ended, unfinished[1], lease.generation)
        self._observe(ended)
        return ended

    def _go_on(self, flow: JobFlow) -> None:
        """A new flow: a job that was under way goes on beside it."""
        self.has_looked.clear()
        flow.start_early(self._resume(flow, lease_of(self._pipeline)), f"unfinished {self.kind}")

    def _let_go(self, flow: JobFlow) -> None:
        """The flow has ended, and its jobs with it, some perhaps before their first step."""
        self.has_looked.set()
        if self._under_way is not None:
            self._under_way.over.cancel()
            self._under_way = None

    async def _resume(self, flow: JobFlow, lease: Lease) -> None:
        async def take_up() -> Unfinished[AJob] | None:
            unfinished = await self._log.adopt(lease.generation, self._preferred_id(flow))
            return await self._taken_up(flow, lease, unfinished)

        try:
            unfinished = await flow.requests.read(take_up, "control")
            if unfinished is not None and self._under_way is None:
                self._carry_on(flow, lease, *unfinished)
        finally:
            self.has_looked.set()

    def _carry_on(self, flow: JobFlow, lease: Lease, job: AJob, place: dict[str, Any]) -> UnderWay[AJob] | None:
        under_way = UnderWay(self._make_run(flow, job, place), self._clock)
        if not flow.start_job(self._carry(flow, lease, under_way), f"{self.kind} {job.id}", is_awaited=True):
            return None
        self._under_way = under_way
        self._enter(flow)
        self._observe(job)
        return under_way

    async def _carry(self, flow: JobFlow, lease: Lease, under_way: UnderWay[AJob]) -> None:
        """See a run to its end, and save what came of it. One that the flow takes along stays as it was saved."""
        try:
            try:
                ended = await self._ended(flow, lease, under_way)
            finally:
                self._leave(flow)
            _, place = under_way.run.saved()
            await flow.requests.read(lambda: self._log.end(ended, place, lease.generation), "control")
        except BaseException:
            under_way.over.cancel()
            raise
        finally:
            if self._under_way is under_way:
                self._under_way = None
        self._note_end(ended)
        self._observe(ended)
        if not under_way.over.done():
            under_way.over.set_result(ended)

    async def _ended(self, flow: JobFlow, lease: Lease, under_way: UnderWay[AJob]) -> AJob:
        """The job as it ends, once nothing of it is under way. Raises what ends the flow."""
        run = under_way.run
        try:
            if not under_way.is_cancelled:
                async with asyncio.TaskGroup() as tasks:
                    saving = tasks.create_task(self._save_periodically(run, lease), name=f"{self.kind} progress")
                    under_way.work = tasks.create_task(run.run(), name=f"{self.kind} work")
                    await asyncio.wait([under_way.work])
                    saving.cancel()
        except BaseExceptionGroup as errors:
            error = first_of(errors)
            if not isinstance(error, self.failures):
                raise error from errors
            await flow.lanes.end_abandoned()
            return self._log.ended(run.shown(), JobState.FAILED, str(error))
        if not under_way.was_cancelled:
            return self._log.ended(run.shown(), JobState.DONE)
        await flow.lanes.end_abandoned()
        return self._log.ended(run.shown(), JobState.CANCELLED)

    async def _save_periodically(self, run: Run[AJob], lease: Lease) -> None:
        last = ""
        while True:
            await self._clock.sleep(SAVE_EVERY_SECONDS)
            job, place = run.saved()
            now = repr((job, place))  # the place itself changes meanwhile
            if now == last:
                continue
            with contextlib.suppress(RetryableError):  # the next save has it
                await self._log.save(job, place, lease.generation)
                last = now

    def _observe(self, job: AJob) -> None:
        self._pipeline.observer.observe(JobChanged(self.kind, job.id, job.state, job.error or self._told(job)))
