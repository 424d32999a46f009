"""Copies the whole source table into the replica, beside the live stream (I3).

The stream's positions were fixed before the first page. Pages are scanned in parallel segments; an item that the
stream has brought since its page was asked for is dropped; the others are written where the replica has none, in
batches through the lanes. Stream changes are guarded until the snapshot is behind them. Each segment's place is saved:
a crash here costs the pages since then, which are scanned again.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from functools import partial
from typing import Any

from service.errors import ChangeError
from service.events import Warned
from service.model import Image, ItemKey, ScanPage
from service.operations.documents.jobs import Snapshot
from service.operations.jobs.scan_position import ScanPosition
from service.operations.jobs.scan_throttle import ScanThrottle
from service.operations.jobs.scan_turns import ScanTurns
from service.operations.pipeline.pipeline import Pipeline
from service.operations.pipeline.reshaping import note_reshaped, resumed
from service.replication.job_flow import JobFlow
from service.replication.requests.batches import get_batches
from service.replication.writing.guard import Outcome


class SnapshotRun:
    """One snapshot's work in one tenure of the lease."""

    def __init__(self, pipeline: Pipeline, flow: JobFlow, job: Snapshot, place: Mapping[str, Any]) -> None:
        self.job = job
        self._place = ScanPosition(resumed(place, pipeline.settings))
        self._flow = flow
        self._adapters = pipeline.outside.adapters
        self._observer = pipeline.observer
        self._turns = ScanTurns(pipeline.allowance.scans, self._adapters.clock)
        self._pressure = ScanThrottle(flow.gate.until_open)
        self._scanned = job.items_scanned
        self._written = job.items_written

    def shown(self) -> Snapshot:
        return self.job.model_copy(update={"items_scanned": self._scanned, "items_written": self._written})

    def saved(self) -> tuple[Snapshot, dict[str, Any]]:
        return self.shown(), self._place.saved()

    async def run(self) -> None:
        """Until every segment is copied, and the replica is whole. The caller holds the guard's window meanwhile.

        The pipeline stops asking for a snapshot before the job has ended: a crash between repeats the job's end.
        """
        await self._flow.window.save()
        async with self._turns.taken():
            await self._scan_all("source")
            if self._place.removes_extra:
                await self._scan_all("replica")
        await note_reshaped(self._flow, self._place.shape_fingerprint, self._observer)
        self._flow.checkpoints.snapshot_done()
        await self._flow.requests.read(self._flow.checkpoints.save_once, "control")
        if self._place.kept:
            self._observer.observe(
                Warned(
                    "archive",
                    f"the snapshot kept {self._place.kept} items that the source lacks: with "
                    "DYNAMIRROR_SKIP_TTL_DELETES nothing tells which of them its TTL has removed; POST /replicate "
                    "removes one that does not belong there",
                )
            )

    async def _scan_all(self, table: str) -> None:
        async with asyncio.TaskGroup() as tasks:
            for segment in self._place.unfinished(table):
                tasks.create_task(self._scan(table, segment), name=f"snapshot {table} {segment}")

    async def _scan(self, table: str, segment: int) -> None:
        brought = self._flow.guard.brought
        while not self._place.is_finished(table, segment):
            await self._flow.gate.until_open()
            await self._turns.wait()
            page_number = brought.open_page()
            try:
                page = await self._page(table, segment)
                if table == "source":
                    parts = self._flow.lanes.together(page.items)
                    await asyncio.gather(*[self._copy_part(part, page_number) for part in parts])
                else:
                    kept = await self._remove_extra(page)
                    self._place.kept += kept  # other segments have added theirs meanwhile
            finally:
                brought.close_page(page_number)
            # A page that is scanned again after a stop was not counted, since its place and its count go together.
            self._place.move(table, segment, page.next_key)
            self._scanned += len(page.items) if table == "source" else 0

    async def _page(self, table: str, segment: int) -> ScanPage:
        scanned = self._adapters.source if table == "source" else self._adapters.replica
        start, segments = self._place.start_of(table, segment), self._place.segments
        return await self._flow.requests.read(lambda: self._pressure.scan(scanned, segment, segments, start), table)

    async def _copy_part(self, part: list[tuple[ItemKey, Image]], page_number: int) -> None:
        """Items that share a lane: what needs no more than a batch is written in one, the others one by one."""

        async def copy_together() -> dict[ItemKey, Outcome]:
            await self._flow.gate.until_open()  # it reads, and perhaps writes nothing
            return await self._flow.copier.copy_together(part, page_number)

        outcomes = await self._flow.lanes.run(part[0][0], copy_together)
        left = [(key, image) for key, image in part if key not in outcomes]
        others = await asyncio.gather(*[self._copy(key, image, page_number) for key, image in left])
        self._written += sum(outcome is not None and outcome.took_effect for outcome in (*outcomes.values(), *others))

    async def _copy(self, key: ItemKey, image: Image, page_number: int) -> Outcome | None:
        copier = self._flow.copier
        try:
            return await self._flow.lanes.run(key, lambda: copier.copy(key, image, page_number))
        except ChangeError as error:
            await self._flow.dead_letters.park_item(key, image, error)
            return None

    async def _remove_extra(self, page: ScanPage) -> int:
        """Refresh the replica's items that do not belong there: whatever is true by then is brought.

        An archive keeps what the source lacks: nothing tells who removed it there. Returns how many such items there
        are.
        """
        shape, is_archive, kept = self._flow.guard.shape, self._flow.sink.intents.skips_ttl_deletes, 0
        for keys in get_batches([key for key, _ in page.items]):
            held = await self._flow.requests.read(partial(self._adapters.source.get_many, keys))
            await shape.prepare(held.values())
            lacking = [key for key in keys if key not in held]
            extra = [key for key, image in held.items() if shape.leaves_out(image)]
            if is_archive:
                kept += len(lacking)
            else:
                extra += lacking
            outcomes = await asyncio.gather(*[self._refresh(key) for key in extra])
            self._written += sum(outcome is not None and outcome.took_effect for outcome in outcomes)
        return kept

    async def _refresh(self, key: ItemKey) -> Outcome | None:
        try:
            return await self._flow.lanes.run(key, lambda: self._flow.guard.refresh(key))
        except ChangeError:
            return None  # it can't be removed; the verification shows it
