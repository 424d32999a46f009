"""Which part of each shard a replay reads again, and how far it has come. JSON both ways: it outlives a crash.

The range never changes, and is saved once, in `fixed`; how far it has come is short, however many shards there are:
they are replayed about in the order of the range, so that those that are done are a few runs of numbers.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from service.model import RETENTION_SECONDS, Change, SequenceNumber, ShardId


@dataclass(slots=True)
class ShardRange:
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

    def fixed(self) -> list[Any]:
        return [self.shard_id, self.parent_id, _text(self.first), _text(self.end), self.until]

    @classmethod
    def of(cls, fixed: Sequence[Any]) -> ShardRange:
        shard_id, parent_id, first, end, until = fixed
        return cls(shard_id, parent_id, _number(first), _number(end), until)

    @classmethod
    def of_former_version(cls, saved: Sequence[Any]) -> ShardRange:
        """As it was saved when range and progress were one list; a stretch that was done had its ids alone."""
        if len(saved) == 2:
            return cls(saved[0], saved[1], is_done=True)
        stretch = cls.of(saved[:5])
        stretch.after = _number(saved[5])
        return stretch

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


class ReplayPosition:
    """Of one replay. Changed by its shards' tasks, each its own stretch."""

    def __init__(self, stream_arn: str, stretches: Iterable[ShardRange], from_time: float | None = None) -> None:
        self.stream_arn = stream_arn
        self.from_time = from_time
        self.stretches = _parents_first({stretch.shard_id: stretch for stretch in stretches})

    @classmethod
    def of(cls, saved: Mapping[str, Any], fixed: Iterable[Sequence[Any]]) -> ReplayPosition:
        """Raises LookupError, TypeError or ValueError when the one does not belong to the other."""
        place = cls(saved["stream_arn"], map(ShardRange.of, fixed), saved["from_time"])
        stretches = list(place.stretches.values())
        for first, last in saved["done"]:
            for index in range(first, last + 1):
                stretches[index].is_done = True
        for index, after in saved["after"]:
            stretches[index].after = _number(after)
        return place

    @classmethod
    def of_former_version(cls, saved: Mapping[str, Any]) -> ReplayPosition:
        return cls(saved["stream_arn"], map(ShardRange.of_former_version, saved["shards"]), saved["from_time"])

    def fixed(self) -> list[list[Any]]:
        """The range, in its order."""
        return [stretch.fixed() for stretch in self.stretches.values()]

    def saved(self) -> dict[str, Any]:
        """How far it has come: shards by their numbers in the range."""
        done: list[list[int]] = []
        after: list[list[Any]] = []
        for index, stretch in enumerate(self.stretches.values()):
            if stretch.is_done:
                if done and done[-1][1] == index - 1:
                    done[-1][1] = index
                else:
                    done.append([index, index])
            elif stretch.after is not None:
                after.append([index, _text(stretch.after)])
        return {"stream_arn": self.stream_arn, "from_time": self.from_time, "done": done, "after": after}

    def readable(self) -> list[ShardRange]:
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


def _parents_first(stretches: dict[ShardId, ShardRange]) -> dict[ShardId, ShardRange]:
    """Each generation in the order of its parents, as they are replayed; again is the same."""
    children: dict[ShardId | None, list[ShardRange]] = {}
    for stretch in stretches.values():
        parent = stretch.parent_id if stretch.parent_id in stretches else None
        children.setdefault(parent, []).append(stretch)
    ordered = children.get(None, [])
    for stretch in ordered:  # it grows meanwhile
        ordered += children.get(stretch.shard_id, [])
    return {stretch.shard_id: stretch for stretch in ordered}


def _made_before(change: Change) -> float:
    """A creation time is rounded down to a second; on DynamoDB Local to a minute, which a whole minute can be."""
    return change.created_at + (60.0 if change.created_at % 60 == 0 else 1.0)


def _text(number: SequenceNumber | None) -> str | None:
    return None if number is None else str(number)


def _number(text: str | None) -> SequenceNumber | None:
    return None if text is None else SequenceNumber.parse(text)
