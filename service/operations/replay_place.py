"""Which part of each shard a replay reads again, and how far it has come. JSON both ways: it outlives a crash."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from service.model import Change, SequenceNumber, ShardId

RETENTION_SECONDS = 24 * 3600.0
"""DynamoDB Streams keeps records for 24 hours (Developer Guide, "Change data capture for DynamoDB Streams")."""


@dataclass(slots=True)
class Stretch:
    """What is replayed of one shard: everything up to where the live reading stood, or from `first` on."""

    shard_id: ShardId
    parent_id: ShardId | None = None
    first: SequenceNumber | None = None
    """Smaller numbers are left out."""
    end: SequenceNumber | None = None
    """The last record; None: to the shard's end, or, where the live reading began at the tip, `until` a time."""
    until: float | None = None
    after: SequenceNumber | None = None
    """Everything up to here is replayed."""
    is_done: bool = False

    def saved(self) -> list[Any]:
        """As short as it gets: a table can have a thousand shards, and a document has room for 400 KB."""
        if self.is_done:
            return [self.shard_id, self.parent_id]
        return [self.shard_id, self.parent_id, _text(self.first), _text(self.end), self.until, _text(self.after)]

    @classmethod
    def of(cls, saved: Sequence[Any]) -> Stretch:
        if len(saved) == 2:
            return cls(saved[0], saved[1], is_done=True)
        shard_id, parent_id, first, end, until, after = saved
        return cls(shard_id, parent_id, _number(first), _number(end), until, _number(after))

    def is_inside(self, sequence: SequenceNumber | None) -> bool:
        """In the range and not replayed yet, as far as the number tells."""
        if sequence is None or (self.after is not None and sequence <= self.after):
            return False
        return (self.first is None or sequence >= self.first) and (self.end is None or sequence <= self.end)

    def move(self, changes: Sequence[Change]) -> None:
        """All of a page is replayed. A reader that had to begin anew brings what was replayed before, too."""
        if changes and (self.after is None or changes[-1].sequence > self.after):
            self.after = changes[-1].sequence

    def chosen(self, changes: Sequence[Change], from_time: float | None) -> tuple[list[Change], bool]:
        """Those of a page that are in the range and not replayed yet; True: nothing after this page is."""
        found: list[Change] = []
        for change in changes:
            if self._is_beyond(change):
                return found, True
            if self._is_wanted(change, from_time):
                found.append(change)
        return found, bool(changes) and self.end is not None and changes[-1].sequence >= self.end

    def _is_beyond(self, change: Change) -> bool:
        if self.end is not None:
            return change.sequence > self.end
        return self.until is not None and change.created_at > self.until

    def _is_wanted(self, change: Change, from_time: float | None) -> bool:
        return self.is_inside(change.sequence) and (from_time is None or _made_before(change) > from_time)


class Place:
    """Of one replay. Changed by its shards' tasks, each its own stretch."""

    def __init__(self, stream_arn: str, stretches: Iterable[Stretch], from_time: float | None = None) -> None:
        self.stream_arn = stream_arn
        self.from_time = from_time
        self.stretches = {stretch.shard_id: stretch for stretch in stretches}

    @classmethod
    def of(cls, saved: Mapping[str, Any]) -> Place:
        return cls(saved["stream_arn"], map(Stretch.of, saved["shards"]), saved["from_time"])

    def saved(self) -> dict[str, Any]:
        return {
            "stream_arn": self.stream_arn,
            "from_time": self.from_time,
            "shards": [stretch.saved() for stretch in self.stretches.values()],
        }

    def readable(self) -> list[Stretch]:
        """Those that may be read now: a parent is replayed to its end before its children (I1)."""
        return [
            stretch
            for stretch in self.stretches.values()
            if not stretch.is_done
            and (stretch.parent_id not in self.stretches or self.stretches[stretch.parent_id].is_done)
        ]

    def is_asked_for(self, now: float) -> bool:
        """Whether a record that is trimmed by now can be one that was asked for."""
        if self.from_time is not None:
            return self.from_time <= now - RETENTION_SECONDS
        return any(stretch.first is not None for stretch in self.stretches.values())


def _made_before(change: Change) -> float:
    """A creation time is rounded down to a second; on DynamoDB Local to a minute, which a whole minute can be."""
    return change.created_at + (60.0 if change.created_at % 60 == 0 else 1.0)


def _text(number: SequenceNumber | None) -> str | None:
    return None if number is None else str(number)


def _number(text: str | None) -> SequenceNumber | None:
    return None if text is None else SequenceNumber.parse(text)
