"""Checkpoints as the control table's attributes, and back (schemas/README.md).

What is not there has its default, so that a checkpoint takes no more than what it says.
"""

from __future__ import annotations

from dataclasses import dataclass

from service.aws.control.attributes import Attributes, Value, attributes_of, value_of
from service.model import Position, SequenceNumber, ShardId, StartAt
from service.pipeline_state import Checkpoint


@dataclass(frozen=True, slots=True)
class _Stored:
    """A checkpoint under the attributes' own names."""

    start: StartAt = StartAt.TRIM_HORIZON
    since: float = 0.0
    closed: bool = False
    read_up_to: float = 0.0
    listed_at: float = 0.0
    checkpoint: SequenceNumber | None = None
    parent: ShardId | None = None


_DEFAULTS = attributes_of(_Stored())


def checkpoint_attributes(checkpoint: Checkpoint) -> Value:
    position, times = checkpoint.position, (checkpoint.read_up_to, checkpoint.listed_at)
    stored = _Stored(position.start, position.since, checkpoint.is_closed, *times, position.after, checkpoint.parent_id)
    return {"M": {name: value for name, value in attributes_of(stored).items() if value != _DEFAULTS.get(name)}}


def checkpoint_of(shard_id: ShardId, shard: Attributes) -> Checkpoint:
    found = value_of(_Stored, shard)
    position = Position(found.checkpoint, found.start, found.since)
    return Checkpoint(shard_id, position, found.parent, found.closed, found.read_up_to, found.listed_at)
