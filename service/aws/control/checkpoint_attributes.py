"""Checkpoints, gaps and keys in doubt as the control table's attributes, and back (schemas/README.md).

What is not there has its default, so that a checkpoint takes no more than what it says.
"""

from __future__ import annotations

from service.aws.control.attributes import (
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
)
from service.model import ItemKey, Position, SequenceNumber, ShardId, StartAt
from service.pipeline_state import Checkpoint, Gap, KeysInDoubt


def checkpoint_attributes(checkpoint: Checkpoint) -> Value:
    position = checkpoint.position
    attributes: dict[str, Value] = {}
    if position.start is not StartAt.TRIM_HORIZON:
        attributes["start"] = text(position.start.value)
    if position.since:
        attributes["since"] = number(position.since)
    if checkpoint.is_closed:
        attributes["closed"] = flag(True)
    if checkpoint.read_up_to:
        attributes["read_up_to"] = number(checkpoint.read_up_to)
    if checkpoint.listed_at:
        attributes["listed_at"] = number(checkpoint.listed_at)
    if position.after is not None:
        attributes["checkpoint"] = text(str(position.after))
    if checkpoint.parent_id is not None:
        attributes["parent"] = text(checkpoint.parent_id)
    return document(attributes)


def checkpoint_of(shard_id: ShardId, shard: Attributes) -> Checkpoint:
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


def gap_attributes(gap: Gap) -> Value:
    attributes = {"detected_at": number(gap.detected_at), "reason": text(gap.reason)}
    if gap.shard_id is not None:
        attributes["shard_id"] = text(gap.shard_id)
    if gap.after is not None:
        attributes["after"] = text(str(gap.after))
    return document(attributes)


def gap_of(gap: Attributes) -> Gap:
    shard_id, after = optional_text_of(gap, "shard_id"), optional_text_of(gap, "after")
    return Gap(
        shard_id=None if shard_id is None else ShardId(shard_id),
        after=None if after is None else SequenceNumber.parse(after),
        detected_at=float_of(gap, "detected_at"),
        reason=text_of(gap, "reason"),
    )


def doubt_attributes(in_doubt: KeysInDoubt) -> Value:
    return document(
        {
            "keys": {"L": [{"B": key} for key in in_doubt.keys]},
            "until": number(in_doubt.until),
            "left_out": number(in_doubt.left_out),
        }
    )


def keys_in_doubt_of(saved: Attributes) -> KeysInDoubt:
    return KeysInDoubt(
        keys=tuple(ItemKey(bytes(key["B"])) for key in saved["keys"]["L"]),
        until=float_of(saved, "until"),
        left_out=integer_of(saved, "left_out", 0),
    )
