"""Reads a part of the stream's history again, beside the live reading, whose place it does not move.

Readers of its own, parents before children; a shard's pages one after the other. The keys of a page are refreshed
where the replica does not show what the page tells. Each shard's place is saved about once a second: a crash here
costs the pages since then.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from typing import Any

from service.model import ShardId
from service.operations.documents.jobs import Replay
from service.operations.pipeline.pipeline import Pipeline
from service.operations.replay.page import PageReplay
from service.operations.replay.position import ReplayPosition, ShardRange
from service.operations.replay.reader import StretchReader
from service.pipeline_state import Checkpoint
from service.replication.replicator import Replicator

SHARDS_AT_ONCE = 4
LOOK_EVERY_SECONDS = 0.2
"""Whether the live reading has come as far as where it stood."""


class ReplayRun:
    """One replay's work in one tenure of the lease."""

    def __init__(self, pipeline: Pipeline, flow: Replicator, job: Replay, place: ReplayPosition) -> None:
        self.job = job
        self._place = place
        self._flow = flow
        self._adapters = pipeline.outside.adapters
        self._settings = pipeline.settings
        self._pages = PageReplay(flow, self._adapters, dry_run=job.dry_run)
        parked = job.records_read - job.records_applied - job.records_unchanged
        self._counts = Counter(read=job.records_read, applied=job.records_applied, parked=parked)
        self._permits = asyncio.Semaphore(SHARDS_AT_ONCE)
        self._begun: set[ShardId] = set()

    async def run(self) -> None:
        """To its end. Raises PositionError, HaltError, LeaseLostError, or whatever else ends the flow."""
        await self._until_live_has_passed()
        async with asyncio.TaskGroup() as shards:
            self._begin_readable(shards)

    def shown(self) -> Replay:
        read, applied, parked = (self._counts[name] for name in ("read", "applied", "parked"))
        counts = {"records_read": read, "records_applied": applied, "records_unchanged": read - applied - parked}
        return self.job.model_copy(update=counts)

    def saved(self) -> tuple[Replay, dict[str, Any]]:
        return self.shown(), self._place.saved()

    async def _until_live_has_passed(self) -> None:
        """Until all that is replayed was applied once: what is still on its way is not missing from the replica."""
        while True:
            saved = self._flow.checkpoints.record.checkpoints
            if all(self._has_passed(stretch, saved) for stretch in self._place.stretches.values()):
                return
            await self._adapters.clock.sleep(LOOK_EVERY_SECONDS)

    def _has_passed(self, stretch: ShardRange, saved: dict[ShardId, Checkpoint]) -> bool:
        checkpoint = saved.get(stretch.shard_id)
        if checkpoint is None:  # not begun since a restart, unless the stream does not list it any more
            listed = self._flow.readers.shards
            return bool(listed) and stretch.shard_id not in listed
        if checkpoint.is_closed or stretch.until is not None or stretch.is_done:
            return True
        after = checkpoint.position.after
        return stretch.end is not None and after is not None and after >= stretch.end

    def _begin_readable(self, tasks: asyncio.TaskGroup) -> None:
        for stretch in self._place.readable():
            if stretch.shard_id not in self._begun:
                self._begun.add(stretch.shard_id)
                tasks.create_task(self._replay_shard(stretch, tasks), name=f"replay {stretch.shard_id}")

    async def _replay_shard(self, stretch: ShardRange, tasks: asyncio.TaskGroup) -> None:
        async with self._permits:
            await self._replay_pages(stretch)
        stretch.is_done = True
        self._begin_readable(tasks)

    async def _replay_pages(self, stretch: ShardRange) -> None:
        """Through the stretch's end. Raises PositionError when records that were asked for are lost."""
        reader = StretchReader(stretch, self._place, self._flow, self._adapters, self._settings)
        while (page := await reader.next_page()) is not None:
            changes, is_over = stretch.chosen(page.changes, self._place.from_time)
            counts = await self._pages.replay(changes)
            # Nobody can read these: they are dead letters since the live reading met them.
            counts["read"] += sum(stretch.is_inside(record.sequence) for record in page.unreadable)
            # All of the page is settled: counts and place move together, so that a restart counts nothing twice.
            self._counts.update(counts)
            stretch.move(page.changes)
            if is_over:
                return
