"""The item `progress`, and its parts: all that a pipeline remembers of its place in the stream.

service.aws.control.shard_log says what lies where. A save writes new parts first, then `progress` on the condition of
the lease's generation and of its number, which grows: what a former owner, or a former request, still sends is turned
away, and what it wrote into parts counts for nothing. Parts that do not count any more are deleted after it. A crash
between leaves such parts, which the next owner deletes.
"""

from __future__ import annotations

import asyncio
import contextlib
from dataclasses import dataclass, field, replace
from typing import Any

from service.aws.control.attributes import (
    Attributes,
    all_stored,
    attribute,
    attributes_of,
    item_size,
    stored,
    understood,
    value_of,
)
from service.aws.control.checkpoint_attributes import checkpoint_of
from service.aws.control.shard_log import Entries, Entry, ShardLog
from service.aws.control.table import ControlTable, ItemDiffersError
from service.errors import HaltError, LeaseLostError, RetryableError
from service.model import ShardId
from service.pipeline_state import Gap, Lease, PipelineRecord

PROGRESS = "progress"
PART = "progress-part#"
MAX_BYTES = 380_000
"""Some room below the 400 KB of an item (Developer Guide, "Service quotas"), which the service may count a little
differently."""
NAMES_BYTES = 5_000
"""Room for the names of new parts."""
DELETES_A_SAVE = 1
MAX_GARBAGE = 16
"""A deletion costs what the item has (Developer Guide, "DynamoDB write capacity"), so one save does not do them all."""


@dataclass(slots=True)
class _Tenure:
    """What the owner of the lease knows of its items: nobody else changes them."""

    generation: int
    saves: int
    log: ShardLog
    garbage: list[str] = field(default_factory=list)
    """Parts that no `progress` can name any more once the next save has succeeded."""


class ProgressItem:
    """Implements service.ports.ProgressStore."""

    _table: ControlTable
    _saving: asyncio.Lock
    """Saves come from several tasks, one at a time."""
    _tenure: _Tenure | None = None

    async def adopt_progress(self, lease: Lease) -> PipelineRecord | None:
        async with self._saving:
            found = await self._fence(lease)
            tenure = self._tenure
            if tenure is None or not tenure.log.parts.keys() >= set(_part_names(found)):
                parts, garbage = await self._read_parts(found)
                tenure = _Tenure(0, 0, ShardLog({}, {}), garbage)
            else:
                parts = {name: tenure.log.parts[name] for name in _part_names(found)}
                tenure.garbage += tenure.log.parts.keys() - parts.keys()
            log = ShardLog(parts, _shards(self._table.pipeline, PROGRESS, found))
            self._tenure = _Tenure(lease.generation, attribute(found, "saves", int), log, tenure.garbage)
            return self._pipeline_record(found, log)

    async def save_progress(self, lease: Lease, record: PipelineRecord) -> None:
        async with self._saving:
            tenure = self._tenure
            if tenure is None or tenure.generation != lease.generation:
                raise LeaseLostError(
                    f"the progress of pipeline {self._table.pipeline!r} was not adopted for generation "
                    f"{lease.generation} of its lease"
                )
            tenure.saves += 1
            head = attributes_of(record, "checkpoints") | all_stored(
                {"generation": lease.generation, "owner": lease.owner, "saves": tenure.saves}
            )
            size = item_size(head)
            if size + NAMES_BYTES > MAX_BYTES:
                raise self._too_large(size)
            tenure.log.note(record.checkpoints, tenure.saves)
            await self._fold(tenure, MAX_BYTES - NAMES_BYTES - size)
            head["parts"] = stored(tuple(tenure.log.parts))
            head["shards"] = _document(tenure.log.recent)
            await self._put(tenure, lease, head)
            await self._delete_garbage(tenure)

    async def read_progress(self) -> PipelineRecord | None:
        found = await self._table.get(PROGRESS)
        while found is not None:
            try:
                parts, _ = await self._read_parts(found)
            except HaltError:  # or its owner has saved meanwhile, and given parts up
                before, found = found, await self._table.get(PROGRESS)
                if found is None or found.get("saves") == before.get("saves"):
                    raise
                continue
            return self._pipeline_record(found, ShardLog(parts, _shards(self._table.pipeline, PROGRESS, found)))
        return None

    async def read_gaps(self) -> tuple[Gap, ...]:
        found = await self._table.get(PROGRESS, attributes=("gaps",)) or {}
        with understood(self._table.pipeline, PROGRESS):
            return _gaps(found)

    async def _fence(self, lease: Lease) -> Attributes:
        """From now on only this lease's saves count, and of them only those that are begun from now on."""
        while True:
            seen = await self._table.get(PROGRESS) or {}
            if attribute(seen, "generation", int, 0) > lease.generation:
                raise self._fenced_off(lease, seen)
            values: dict[str, Any] = {":mine": lease.generation, ":next": attribute(seen, "saves", int, 0) + 1}
            only_if = "attribute_not_exists(#saves)"
            if "saves" in seen:
                values[":seen"], only_if = seen["saves"], "#saves = :seen"
            with contextlib.suppress(ItemDiffersError):  # somebody saves or adopts just now
                return await self._table.update(
                    PROGRESS,
                    "SET #generation = :mine, #saves = :next",
                    values,
                    only_if=f"(attribute_not_exists(#generation) OR #generation <= :mine) AND {only_if}",
                )

    async def _fold(self, tenure: _Tenure, room: int) -> None:
        """Move shards from `progress` to parts, where that is due."""
        fold = tenure.log.fold(tenure.saves, room)
        if fold is None:
            return
        for name, entries in fold.parts.items():
            tenure.garbage.append(name)  # until it counts
            await self._table.put(PART + name, {"shards": _document(entries)})
        tenure.log.apply(fold)
        tenure.garbage = [name for name in (*tenure.garbage, *fold.given_up) if name not in fold.parts]

    async def _put(self, tenure: _Tenure, lease: Lease, attributes: Attributes) -> None:
        values = {":mine": lease.generation, ":saves": tenure.saves}
        try:
            only_if = "#generation = :mine AND #saves < :saves"
            await self._table.put(PROGRESS, attributes, only_if=only_if, values=values)
        except ItemDiffersError as failed:
            self._tenure = None
            raise self._fenced_off(lease, failed.found) from failed

    async def _delete_garbage(self, tenure: _Tenure) -> None:
        """Some of it; what can't be deleted now is deleted after a later save."""
        with contextlib.suppress(RetryableError):
            for name in tenure.garbage[: max(DELETES_A_SAVE, len(tenure.garbage) - MAX_GARBAGE)]:
                await self._table.delete(PART + name)
                tenure.garbage.remove(name)

    async def _read_parts(self, found: Attributes) -> tuple[dict[str, Entries], list[str]]:
        """The parts that `progress` names, in its order, and the names of those that it does not name."""
        read = {
            item["item"]["S"].removeprefix(PART): _shards(self._table.pipeline, item["item"]["S"], item)
            async for item in self._table.query(PART)
        }
        names = _part_names(found)
        missing = [name for name in names if name not in read]
        if missing:
            raise HaltError(
                f"the progress of pipeline {self._table.pipeline!r} lacks its part {PART}{missing[0]}: put it back "
                "as it was, or begin anew as schemas/README.md tells"
            )
        return {name: read[name] for name in names}, [name for name in read if name not in names]

    def _pipeline_record(self, found: Attributes, log: ShardLog) -> PipelineRecord | None:
        if "stream_arn" not in found:
            return None  # adopted by an owner that has saved nothing yet
        with understood(self._table.pipeline, PROGRESS):
            record = value_of(PipelineRecord, found, gaps=())
            return replace(record, gaps=_gaps(found), checkpoints=log.checkpoints())

    def _too_large(self, size: int) -> HaltError:
        return HaltError(
            f"the progress of pipeline {self._table.pipeline!r} takes {size} bytes beside its shards, more than an "
            f"item of the control table has room for ({MAX_BYTES}): nothing was saved, and the last progress stands; "
            "POST /snapshot mends its gaps, which are what can grow so far"
        )

    def _fenced_off(self, lease: Lease, found: Attributes) -> LeaseLostError:
        generation = attribute(found, "generation", int, 0)
        other = f"generation {generation}" if generation else "another generation"
        return LeaseLostError(
            f"the progress of pipeline {self._table.pipeline!r} belongs to {other} of its lease, "
            f"this process has generation {lease.generation}"
        )


def _gaps(found: Attributes) -> tuple[Gap, ...]:
    return tuple(value_of(Gap, gap["M"]) for gap in found["gaps"]["L"]) if "gaps" in found else ()


def _document(entries: Entries) -> dict[str, Any]:
    return {"M": {shard_id: entry.value for shard_id, entry in entries.items()}}


def _part_names(found: Attributes) -> list[str]:
    return [name["S"] for name in found["parts"]["L"]] if "parts" in found else []


def _shards(pipeline: str, item: str, found: Attributes) -> Entries:
    """What an item says of shards; `progress` says nothing before the first save."""
    with understood(pipeline, item):
        shards = found["shards"]["M"] if item != PROGRESS or "stream_arn" in found else {}
        return {
            ShardId(shard_id): Entry.stored(
                ShardId(shard_id), None if "NULL" in value else checkpoint_of(ShardId(shard_id), value["M"]), value
            )
            for shard_id, value in shards.items()
        }
