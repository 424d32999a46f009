"""A shard of the fake stream, and the numbers that its records get."""

from __future__ import annotations

import bisect
import random
from dataclasses import dataclass, field

from service.model import Change, SequenceNumber, Shard, ShardId, Unreadable

HASH_RANGE = 2**32


class SequenceNumbers:
    """Growing numbers with random gaps that get longer, so that their order as text is often wrong (E28)."""

    def __init__(self, seed: int = 0, *, first: int | None = None) -> None:
        self._random = random.Random(seed)
        # 21 digits at the least (botocore, shape SequenceNumber); DynamoDB Local pads small numbers with zeros.
        self._last = first if first is not None else self._random.choice([100, 10**20, 10**21 - 5, 10**24 - 3])

    def next(self) -> SequenceNumber:
        digits = len(str(self._last))
        if self._random.random() < 0.04 and digits < 38:
            self._last = max(self._last, 10**digits - self._random.randint(2, 6))
        self._last += self._random.choice([1, 2, 3, self._random.randint(1, 10**6)])
        return SequenceNumber(self._last)


@dataclass(frozen=True, slots=True)
class Record:
    """A stream record, and from when on the stream shows it."""

    sequence: SequenceNumber
    visible_at: float
    content: Change | Unreadable
    size: int


@dataclass(slots=True)
class FakeShard:
    """A shard: its hash range, its records, and what of it is seen late."""

    shard_id: ShardId
    parent_id: ShardId | None
    hashes: range
    starting: SequenceNumber
    listed_at: float
    records: list[Record] = field(default_factory=list)
    ending: SequenceNumber | None = None
    closed_at: float = 0.0
    """From when on readers find its end."""
    shown_closed_at: float = 0.0
    """From when on a description says so (E18)."""
    trimmed_through: int = 0
    """Records up to here are gone."""
    is_listed: bool = True

    @property
    def is_open(self) -> bool:
        return self.ending is None

    def shown(self, now: float) -> Shard:
        """As a description lists it now."""
        ending = self.ending if self.ending is not None and self.shown_closed_at <= now else None
        return Shard(self.shard_id, self.parent_id, self.starting, ending)

    def has_ended(self, now: float) -> bool:
        return self.ending is not None and self.closed_at <= now

    def visible_after(self, sequence: int, now: float, limit: int) -> list[Record]:
        first = bisect.bisect_right(self.records, sequence, key=lambda record: int(record.sequence))
        return [record for record in self.records[first : first + limit] if record.visible_at <= now]

    def tip(self, now: float) -> int:
        """The last number that is visible, or before all."""
        visible = [record.sequence for record in self.records if record.visible_at <= now]
        return visible[-1] if visible else max(self.trimmed_through, self.starting - 1)
