"""The item `progress`: all that a pipeline remembers of its place in the stream.

It is one item, so that saving hundreds of shards is one write that happens wholly or not at all; its limit is the
400 KB of an item (Developer Guide, "Service quotas"), some thousands of shards.
"""

from __future__ import annotations

from service.aws.attributes import (
    Attributes,
    Value,
    document,
    flag,
    flag_of,
    float_of,
    integer_of,
    number,
    optional_text_of,
    text,
    text_of,
    understood,
)
from service.aws.control_table import ControlTable, ItemDiffersError
from service.aws.item_size import item_size
from service.control import Checkpoint, Gap, KeysInDoubt, Lease, PipelineRecord
from service.errors import HaltError, LeaseLostError
from service.model import ItemKey, Position, SequenceNumber, ShardId, StartAt

PROGRESS = "progress"
MAX_BYTES = 380_000
"""Some room below the 400 KB, which the service may count a little differently."""


class ProgressItem:
    """Implements service.ports.ProgressStore."""

    _table: ControlTable

    async def adopt_progress(self, lease: Lease) -> PipelineRecord | None:
        try:
            found = await self._table.update(
                PROGRESS,
                "SET #generation = :mine",
                {":mine": number(lease.generation)},
                only_if="attribute_not_exists(#generation) OR #generation <= :mine",
            )
        except ItemDiffersError as failed:
            raise self._fenced_off(lease, failed) from failed
        return self._pipeline_record(found)

    async def save_progress(self, lease: Lease, record: PipelineRecord) -> None:
        attributes = {"generation": number(lease.generation), "owner": text(lease.owner), **_attributes(record)}
        size = item_size(attributes)
        if size > MAX_BYTES:
            raise HaltError(
                f"the progress of pipeline {self._table.pipeline!r} takes {size} bytes for "
                f"{len(record.checkpoints)} shards, more than an item of the control table holds ({MAX_BYTES}): "
                "nothing was saved, and the last progress stands; dynamirror can't replicate a stream of so many shards"
            )
        try:
            await self._table.put(
                PROGRESS, attributes, only_if="#generation = :mine", values={":mine": number(lease.generation)}
            )
        except ItemDiffersError as failed:
            raise self._fenced_off(lease, failed) from failed

    async def read_progress(self) -> PipelineRecord | None:
        found = await self._table.get(PROGRESS)
        return None if found is None else self._pipeline_record(found)

    def _pipeline_record(self, found: Attributes) -> PipelineRecord | None:
        if "stream_arn" not in found:
            return None  # adopted by an owner that has saved nothing yet
        with understood(self._table.pipeline, PROGRESS):
            return PipelineRecord(
                stream_arn=text_of(found, "stream_arn"),
                checkpoints={
                    ShardId(shard_id): _checkpoint(ShardId(shard_id), shard["M"])
                    for shard_id, shard in found["shards"]["M"].items()
                },
                guarded_until=float_of(found, "guarded_until", 0.0),
                gaps=tuple(_gap(gap["M"]) for gap in found["gaps"]["L"]) if "gaps" in found else (),
                needs_snapshot=flag_of(found, "needs_snapshot"),
                in_doubt=_keys_in_doubt(found["in_doubt"]["M"]) if "in_doubt" in found else None,
                snapshot_id=optional_text_of(found, "snapshot_id"),
                replica_id=optional_text_of(found, "replica_id"),
                shape_fingerprint=optional_text_of(found, "shape_fingerprint"),
            )

    def _fenced_off(self, lease: Lease, failed: ItemDiffersError) -> LeaseLostError:
        generation = integer_of(failed.found, "generation", 0)
        other = f"generation {generation}" if generation else "another generation"
        return LeaseLostError(
            f"the progress of pipeline {self._table.pipeline!r} belongs to {other} of its lease, "
            f"this process has generation {lease.generation}"
        )


def _attributes(record: PipelineRecord) -> dict[str, Value]:
    known = {
        "snapshot_id": record.snapshot_id,
        "replica_id": record.replica_id,
        "shape_fingerprint": record.shape_fingerprint,
    }
    attributes: dict[str, Value] = {
        **{name: text(value) for name, value in known.items() if value is not None},
        "stream_arn": text(record.stream_arn),
        "guarded_until": number(record.guarded_until),
        "needs_snapshot": flag(record.needs_snapshot),
        "gaps": {"L": [_gap_attributes(gap) for gap in record.gaps]},
        "shards": document({shard_id: _shard_attributes(found) for shard_id, found in record.checkpoints.items()}),
    }
    if record.in_doubt is not None:
        attributes["in_doubt"] = document(
            {
                "keys": {"L": [{"B": key} for key in record.in_doubt.keys]},
                "until": number(record.in_doubt.until),
                "left_out": number(record.in_doubt.left_out),
            }
        )
    return attributes


def _keys_in_doubt(saved: Attributes) -> KeysInDoubt:
    return KeysInDoubt(
        keys=tuple(ItemKey(bytes(key["B"])) for key in saved["keys"]["L"]),
        until=float_of(saved, "until"),
        left_out=integer_of(saved, "left_out", 0),
    )


def _shard_attributes(checkpoint: Checkpoint) -> Value:
    position = checkpoint.position
    attributes = {
        "start": text(position.start.value),
        "since": number(position.since),
        "closed": flag(checkpoint.is_closed),
    }
    if checkpoint.read_up_to:
        attributes["read_up_to"] = number(checkpoint.read_up_to)
    if checkpoint.listed_at:
        attributes["listed_at"] = number(checkpoint.listed_at)
    if position.after is not None:
        attributes["checkpoint"] = text(str(position.after))
    if checkpoint.parent_id is not None:
        attributes["parent"] = text(checkpoint.parent_id)
    return document(attributes)


def _checkpoint(shard_id: ShardId, shard: Attributes) -> Checkpoint:
    written, parent = optional_text_of(shard, "checkpoint"), optional_text_of(shard, "parent")
    return Checkpoint(
        shard_id=shard_id,
        position=Position(
            after=None if written is None else SequenceNumber.parse(written),
            start=StartAt(text_of(shard, "start", StartAt.TRIM_HORIZON.value)),
            since=float_of(shard, "since", 0.0),
        ),
        parent_id=None if parent is None else ShardId(parent),
        is_closed=flag_of(shard, "closed"),
        read_up_to=float_of(shard, "read_up_to", 0.0),
        listed_at=float_of(shard, "listed_at", 0.0),
    )


def _gap_attributes(gap: Gap) -> Value:
    attributes = {"detected_at": number(gap.detected_at), "reason": text(gap.reason)}
    if gap.shard_id is not None:
        attributes["shard_id"] = text(gap.shard_id)
    if gap.after is not None:
        attributes["after"] = text(str(gap.after))
    return document(attributes)


def _gap(gap: Attributes) -> Gap:
    shard_id, after = optional_text_of(gap, "shard_id"), optional_text_of(gap, "after")
    return Gap(
        shard_id=None if shard_id is None else ShardId(shard_id),
        after=None if after is None else SequenceNumber.parse(after),
        detected_at=float_of(gap, "detected_at"),
        reason=text_of(gap, "reason"),
    )
