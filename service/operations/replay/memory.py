"""Keeps the range of a replay in the control table, beside its job: written once, before the job is.

A table can have thousands of shards, more than the job's document has room for, and that one is saved every second. A
crash before the job is there leaves a range that nobody reads; a later replay removes it.
"""

from __future__ import annotations

import contextlib
from collections.abc import Mapping
from typing import Any

import orjson

from service.errors import RetryableError
from service.operations.replay.position import ReplayPosition
from service.ports import FixedStore

KIND = "replay"


class ReplayMemory:
    """Raises RetryableError."""

    def __init__(self, store: FixedStore) -> None:
        self._store = store

    async def keep(self, job_id: str, place: ReplayPosition) -> None:
        """May be repeated."""
        await self._store.put_fixed(KIND, job_id, orjson.dumps(place.fixed()))

    async def place(self, job_id: str, saved: Mapping[str, Any]) -> ReplayPosition | None:
        """From where the replay goes on; None when its range is not there any more, or somebody has changed it."""
        if "shards" in saved:
            former = ReplayPosition.of_former_version(saved)
            await self.keep(job_id, former)
            return former
        fixed = await self._store.get_fixed(KIND, job_id)
        try:
            return None if fixed is None else ReplayPosition.of(saved, orjson.loads(fixed))
        except (LookupError, TypeError, ValueError):
            return None

    async def forget_before(self, job_id: str) -> None:
        """The ranges of older jobs, as far as that can be done now: only the newest replay can be unfinished."""
        with contextlib.suppress(RetryableError):
            await self._store.forget_fixed_before(KIND, job_id)
