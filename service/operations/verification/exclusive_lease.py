"""Takes the pipeline while nobody replicates, so that one job may write to the replica, and gives it back (I5).

What the job writes is ahead of the stream. So the changes up to then are guarded, and judged by the source alone, in
whichever process replicates next: that is saved before the first write, and kept ahead of the clock until the end.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Awaitable, Callable
from dataclasses import replace
from typing import TypeVar

from service.errors import LeaseLostError, RetryableError
from service.migrations import migrate
from service.operations.console import ConflictError
from service.pipeline_state import LeaseRecord
from service.ports import Clock, ControlStore, SchemaStore
from service.replication.guard_window import MARGIN_SECONDS
from service.replication.lease import RENEWALS_PER_LEASE, LeaseHolder
from service.replication.replicator import first_of
from service.replication.requests.retrying import Requests
from service.replication.writing.fingerprint import remembered

Answer = TypeVar("Answer")

SAVE_GUARD_EVERY_SECONDS = 20.0


class SoleOwner:
    """`holder` is this process's; `lease_seconds` what it asks for."""

    def __init__(
        self,
        *,
        control: ControlStore,
        schema: SchemaStore,
        holder: LeaseHolder,
        requests: Requests,
        clock: Clock,
        lease_seconds: float,
        fingerprint: str,
        claim: Callable[[], Awaitable[None]],
    ) -> None:
        """`fingerprint` is that of the settings by which the job shapes items; `claim` claims the replica."""
        self._control = control
        self._schema = schema
        self._holder = holder
        self._requests = requests
        self._lease_seconds = lease_seconds
        self._claim = claim
        self._clock = clock
        self._fingerprint = fingerprint

    async def own(self, work: Callable[[], Awaitable[Answer]], *, mends_all: bool) -> Answer:
        """Do the work as the pipeline's owner. `mends_all`: it brings every item to the shape of these settings.

        Raises ConflictError while another process owns it, or it is paused; LeaseLostError if it is lost meanwhile;
        ReplicaTakenError; what the work raises.
        """
        await self._take()
        try:
            async with asyncio.TaskGroup() as tasks:
                keeping = tasks.create_task(self._holder.keep(), name="lease")
                await self._migrate()
                await self._claim()
                await self._save_guard()
                guarding = tasks.create_task(self._save_guard_periodically(), name="guard window")
                answer = await work()
                await self._save_guard(is_reshaped=mends_all)
                keeping.cancel()
                guarding.cancel()
        except BaseExceptionGroup as errors:
            raise first_of(errors) from errors
        finally:
            with contextlib.suppress(RetryableError, LeaseLostError):  # it runs out by itself
                await self._holder.release(is_clean=False)
        return answer

    async def _take(self) -> None:
        first = await self._requests.read(self._control.read_lease, "control")
        if first is not None and first.is_paused:
            raise ConflictError("the pipeline is paused, so that nothing may write: resume it first")
        standing = asyncio.ensure_future(self._holder.stand_by())
        try:
            deadline = self._clock.monotonic() + 2 * max(self._lease_seconds, first.lease_seconds if first else 0.0)
            while not self._is_owner():
                await asyncio.wait([standing], timeout=self._lease_seconds / RENEWALS_PER_LEASE)
                if standing.done():
                    await standing  # raises what ended it
                elif not self._is_owner() and self._is_alive(first, deadline):
                    raise ConflictError(
                        "another process replicates this pipeline, and only that one may write: let it do the repair "
                        "(dynamirror verify --repair --url URL), or stop it first"
                    )
        finally:
            standing.cancel()

    async def _migrate(self) -> None:
        lease = self._holder.lease
        assert lease is not None
        await self._requests.read(lambda: migrate(self._schema, clock=self._clock, owner=lease.owner), "control")

    def _is_owner(self) -> bool:
        return self._holder.lease is not None

    def _is_alive(self, first: LeaseRecord | None, deadline: float) -> bool:
        """The owner has renewed its lease since we looked first, or we have looked for too long."""
        seen = self._holder.record
        has_renewed = (
            first is not None
            and seen is not None
            and not seen.is_released
            and (seen.generation, seen.renewals) != (first.generation, first.renewals)
        )
        return has_renewed or self._clock.monotonic() > deadline

    async def _save_guard(self, *, is_reshaped: bool = False) -> None:
        """Twice the margin: a successor sees that this process died inside of its window, and trusts no number."""
        lease = self._holder.lease
        assert lease is not None
        record = await self._requests.read(lambda: self._control.adopt_progress(lease), "control")
        if record is None:
            return  # a first start, which guards anyway
        until = max(record.guarded_until, self._clock.now() + 2 * MARGIN_SECONDS)
        shape = self._fingerprint if is_reshaped else remembered(record.shape_fingerprint, self._fingerprint)
        guarded = replace(record, guarded_until=until, shape_fingerprint=shape)
        await self._requests.read(lambda: self._control.save_progress(lease, guarded), "control")

    async def _save_guard_periodically(self) -> None:
        while True:
            await self._clock.sleep(SAVE_GUARD_EVERY_SECONDS)
            await self._save_guard()
