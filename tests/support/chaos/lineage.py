"""One real shard's records, dealt out to virtual shards that roll, split, appear late and are trimmed. Pure."""

from __future__ import annotations

import random
import time
import zlib
from bisect import bisect_right
from dataclasses import dataclass, field

HASH_RANGE = 2**32


@dataclass(frozen=True, slots=True)
class Record:
    """A stream record as it goes over the wire."""

    number: int
    text: str
    """The sequence number as the emulator wrote it."""
    key: str
    raw: bytes
    visible_at: float


@dataclass(slots=True)
class VirtualShard:
    shard_id: str
    parent_id: str | None
    hashes: range
    starting: int
    listed_at: float
    """From when on a description lists it."""
    records: list[Record] = field(default_factory=list)
    ending: int | None = None
    ending_shown_at: float = 0.0
    """From when on a description tells that it is closed; its child may be listed before (E18)."""
    is_end_told: bool = False
    """A description has told that it is closed."""
    trimmed_through: int = -1

    @property
    def is_open(self) -> bool:
        return self.ending is None

    def after(self, number: int, limit: int) -> list[Record]:
        first = bisect_right(self.records, number, key=lambda record: record.number)
        return self.records[first : first + limit]

    @property
    def tip(self) -> int:
        return self.records[-1].number if self.records else max(self.trimmed_through, self.starting - 1)


class Lineage:
    """The shards in the order of their birth. `digits` is how long the emulator's sequence numbers are."""

    def __init__(self, seed: int, starting: str, *, shards: int = 1) -> None:
        self.random = random.Random(seed)
        self.shards: dict[str, VirtualShard] = {}
        self.digits = len(starting)
        self.last = int(starting) - 1
        self.child_delay = (0.0, 1.5)
        """Seconds until a description lists a new child: least and most."""
        self.ending_delay = (0.0, 3.0)
        """Seconds until a description shows a closed shard's end."""
        edges = [HASH_RANGE * number // shards for number in range(shards + 1)]
        for start, end in zip(edges, edges[1:], strict=False):
            self._open(range(start, end), None, 0.0)

    @property
    def open_shards(self) -> list[VirtualShard]:
        return [shard for shard in self.shards.values() if shard.is_open]

    def add(self, record: Record) -> None:
        """The next real record goes to the open shard of its key."""
        place = zlib.crc32(record.key.encode())
        next(shard for shard in self.open_shards if place in shard.hashes).records.append(record)
        self.last = max(self.last, record.number)

    def roll(self, shard_id: str | None = None) -> None:
        """A shard (any open one) is closed and has one child."""
        parent = self._close(shard_id)
        self._open(parent.hashes, parent.shard_id, self._later(self.child_delay))

    def split(self, shard_id: str | None = None) -> None:
        """A shard (any open one) is closed and has two children, each with half of its keys, listed one by one."""
        parent = self._close(shard_id)
        middle = (parent.hashes.start + parent.hashes.stop) // 2
        for half in (range(parent.hashes.start, middle), range(middle, parent.hashes.stop)):
            self._open(half, parent.shard_id, self._later(self.child_delay))

    def close_all(self) -> None:
        """The stream was switched off: no shard takes records any more."""
        for shard in self.open_shards:
            self._close(shard.shard_id)

    def trim(self, shard_id: str, through: int | None = None, *, is_kept: bool = False) -> None:
        """Forget records up to this one, or all; a closed shard without any left vanishes, unless it `is_kept`."""
        shard = self.shards[shard_id]
        shard.trimmed_through = max(shard.trimmed_through, shard.tip if through is None else through)
        shard.records = [record for record in shard.records if record.number > shard.trimmed_through]
        if not shard.is_open and not shard.records and not is_kept:
            del self.shards[shard_id]

    def trim_ended(self, keep: int) -> None:
        """Closed shards vanish, the oldest first, but for the last few: what the service does after a day."""
        for shard in [shard for shard in self.shards.values() if not shard.is_open][:-keep]:
            self.trim(shard.shard_id)

    def _close(self, shard_id: str | None) -> VirtualShard:
        shard = self.shards[shard_id] if shard_id else self.random.choice(self.open_shards)
        # The end is the last record's number, or one beyond: both are seen.
        shard.ending = shard.records[-1].number if shard.records and self.random.random() < 0.5 else self.last
        shard.ending = max(shard.ending, shard.starting)
        shard.ending_shown_at = self._later(self.ending_delay)
        return shard

    def _open(self, hashes: range, parent_id: str | None, listed_at: float) -> None:
        # 28 to 65 characters (botocore, shape ShardId)
        shard_id = f"shardId-{int(time.time() * 1000):020d}-{self.random.getrandbits(32):08x}"
        self.shards[shard_id] = VirtualShard(shard_id, parent_id, hashes, self.last + 1, listed_at)

    def _later(self, delay: tuple[float, float]) -> float:
        return time.monotonic() + self.random.uniform(*delay)
