"""Checkpoints as the control table's attributes, and back (schemas/README.md).

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
    number,
    optional_text_of,
    text,
    text_of,
)
from service.model import Position, SequenceNumber, ShardId, StartAt
from service.pipeline_state import Checkpoint


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
