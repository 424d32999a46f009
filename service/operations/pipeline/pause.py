"""Pause and resume: a flag in the lease, durable, followed by whoever holds it."""

from __future__ import annotations

import asyncio

from service.errors import RetryableError
from service.operations.console import ConflictError, UnavailableNowError
from service.operations.documents.status import PipelineState
from service.operations.pipeline.pipeline import Pipeline
from service.pipeline_state import LeaseRecord

LOOK_EVERY_SECONDS = 0.2
FIRST_LOOK_SECONDS = 5.0
POLL_SECONDS = 0.05


class Pause:
    def __init__(self, pipeline: Pipeline) -> None:
        self._pipeline = pipeline
        self._control = pipeline.outside.adapters.control
        self._clock = pipeline.outside.adapters.clock
        self._deciding = asyncio.Lock()

    async def pause(self, by: str = "") -> None:
        """Returns when no write is in flight any more, here or in the process that replicates. May be repeated.

        `by` is kept with it: who asked first. Raises ConflictError as soon as somebody resumes: to say that it is
        paused would be wrong by then.
        """
        if not await self._decided(is_paused=True, by=by):
            await self._until_the_owner_knows()
            return
        flow = self._pipeline.replicator
        if flow is not None and not await flow.pause():
            raise _resumed()

    async def resume(self) -> None:
        """May be repeated. A pause that still waits ends, refused.

        A flow that was paused since its start has not looked at the stream yet: it may do so first, so that the status
        that answers shows what comes of it.
        """
        if await self._decided(is_paused=False):
            give_up_at = self._clock.monotonic() + FIRST_LOOK_SECONDS
            while self._pipeline.state is PipelineState.STARTING and self._clock.monotonic() < give_up_at:
                await self._clock.sleep(POLL_SECONDS)

    async def _decided(self, *, is_paused: bool, by: str = "") -> bool:
        """In the control table and then here, one after the other, so that both end as was asked last.

        True if this process is the one that follows it.
        """
        async with self._deciding:
            try:
                since, whose = await self._control.set_paused(is_paused, self._clock.now(), by)
            except RetryableError as error:
                raise UnavailableNowError(f"the control table did not take it: {error}; try again") from error
            self._pipeline.holder.show_paused(is_paused, since, whose)
            is_ours = self._pipeline.holder.lease is not None
            if is_ours:
                self._pipeline.show_paused(is_paused, since)
            return is_ours

    async def _until_the_owner_knows(self) -> None:
        """The owner sees the flag with its next renewal: the second one from now has surely seen it.

        Its requests under way end within the lease's margin, before the one after that.
        """
        first = await self._lease()
        deadline = self._clock.monotonic() + 2 * (first.lease_seconds if first else 0.0)
        while self._clock.monotonic() < deadline:
            seen = await self._lease()
            if seen is not None and not seen.is_paused:
                raise _resumed()
            if seen is None or first is None or seen.is_released or seen.generation != first.generation:
                return
            if seen.renewals >= first.renewals + 3:
                return
            await self._clock.sleep(LOOK_EVERY_SECONDS)

    async def _lease(self) -> LeaseRecord | None:
        """The pause is set by now; only whether it is in force already depends on the answer."""
        try:
            return await self._control.read_lease()
        except RetryableError as error:
            raise UnavailableNowError(
                f"the pause is set; whether the active process has stopped already can't be told: {error}; try again"
            ) from error


def _resumed() -> ConflictError:
    return ConflictError(
        "the pipeline was resumed while this pause waited for the writes in flight: it is not paused; pause it again, "
        "if it has to be"
    )
