"""A change stream in memory: a lineage of shards, seen late, in pieces, and only for a while."""

from __future__ import annotations

import base64
import random
import zlib
from collections import Counter
from dataclasses import dataclass

import orjson

from service.errors import IteratorExpiredError, PositionError, ShardGoneError, TrimmedError
from service.model import (
    Change,
    ItemKey,
    Page,
    Position,
    SequenceNumber,
    ShardId,
    StartAt,
    StreamDescription,
    StreamStatus,
    Unreadable,
    ViewType,
)
from service.ports import Clock
from tests.fakes.clock import Jitter
from tests.fakes.shards import HASH_RANGE, FakeShard, Record, SequenceNumbers

ITERATOR_SECONDS = 15 * 60  # API reference, GetShardIterator: it expires 15 minutes after it was given
_PAGE_BYTES = 1024 * 1024  # API reference, GetRecords: at most 1 MB or 1000 records


@dataclass(slots=True)
class Timing:
    """How late a stream shows what is there already, and how it cuts its pages. All chances and seconds may change."""

    record_delay: tuple[float, float] = (0.0, 0.0)
    """Streams run behind their tables: least and most seconds."""
    child_delay: tuple[float, float] = (0.0, 0.0)
    """Until a description lists a new child."""
    ending_delay: tuple[float, float] = (0.0, 0.0)
    """Until a description shows a closed shard's end; a child may be listed before (E18)."""
    empty_pages: float = 0.0
    """The chance that a page is empty although there is more (E4)."""
    cut_pages: float = 0.0
    """The chance that a page is cut short (E12)."""
    left_out: float = 0.0
    """The chance that a description leaves a shard out for once: it is paged, and eventually consistent."""
    late_ends: float = 0.5
    """The chance that a shard's last records come with an iterator, and the end in an empty page; else E3."""

    @classmethod
    def wild(cls) -> Timing:
        """All of it at once."""
        return cls((0.0, 3.0), (0.0, 5.0), (0.0, 8.0), empty_pages=0.2, cut_pages=0.4)


class FakeStream:
    """ports.Streams, and the levers that move the stream. `calls` counts the port's calls."""

    def __init__(
        self,
        clock: Clock,
        arn: str,
        view_type: ViewType,
        *,
        seed: int = 0,
        shards: int = 1,
        sequences: SequenceNumbers | None = None,
        timing: Timing | None = None,
        jitter: Jitter | None = None,
    ) -> None:
        self.arn = arn
        self.view_type = view_type
        self.status = StreamStatus.ENABLED
        self.timing = timing or Timing()
        self.calls: Counter[str] = Counter()
        self.shards: dict[ShardId, FakeShard] = {}
        self.sequences = sequences or SequenceNumbers(seed)
        self._clock = clock
        self._random = random.Random(seed)
        self._jitter = jitter or Jitter()
        edges = [HASH_RANGE * number // shards for number in range(shards + 1)]
        for start, end in zip(edges, edges[1:], strict=False):
            self._open(range(start, end), None, clock.now())

    # --- the port

    async def describe(self) -> StreamDescription:
        await self._begin("describe")
        now = self._clock.now()
        listed = [shard.shown(now) for shard in self.shards.values() if shard.is_listed and shard.listed_at <= now]
        if self.timing.left_out:
            listed = [shard for shard in listed if self._random.random() >= self.timing.left_out]
        description = StreamDescription(self.arn, self.status, self.view_type, tuple(listed))
        await self._jitter.pause()
        return description

    async def iterator(self, shard_id: ShardId, position: Position) -> str:
        await self._begin("iterator")
        shard = self._shard(shard_id)
        if position.after is not None:
            after = int(position.after)
            if after < shard.starting - 1 or (shard.ending is not None and after > shard.ending):
                raise PositionError(f"{position.after} is not a sequence number of {shard_id}")
            self._check_trimmed(shard, after)
        elif position.start is StartAt.LATEST:
            after = shard.tip(self._clock.now())
        else:
            after = max(shard.trimmed_through, shard.starting - 1)
        token = self._token(shard, after)
        await self._jitter.pause()
        return token

    async def read(self, shard_id: ShardId, iterator: str, limit: int) -> Page:
        assert 1 <= limit <= 1000, f"the service refuses a limit of {limit}"
        await self._begin("read")
        shard = self._shard(shard_id)
        after = self._after(shard, iterator)
        self._check_trimmed(shard, after)
        page = self._page(shard, after, limit)
        await self._jitter.pause()
        return page

    # --- the levers

    @property
    def open_shards(self) -> list[FakeShard]:
        return [shard for shard in self.shards.values() if shard.is_open]

    def shard_of(self, key: ItemKey) -> FakeShard:
        """The open shard that takes this key's records."""
        place = zlib.crc32(key)
        return next(shard for shard in self.open_shards if place in shard.hashes)

    def append(
        self, key: ItemKey, content: Change | Unreadable, size: int, sequence: SequenceNumber | None = None
    ) -> None:
        """Add a record whose number came from `sequences`; it is seen when the delay is over.

        `sequence`: the number of one that does not tell it.
        """
        sequence = content.sequence or sequence
        assert sequence is not None
        shard = self.shard_of(key)
        seen_before = shard.records[-1].visible_at if shard.records else 0.0
        visible_at = max(seen_before, self._clock.now() + self._random.uniform(*self.timing.record_delay))
        shard.records.append(Record(sequence, visible_at, content, size))

    def roll(self, shard_id: ShardId | None = None) -> ShardId:
        """Close a shard (the first open one) and open its only child."""
        parent = self._close(shard_id)
        return self._open(parent.hashes, parent.shard_id, self._listing_of_child(parent)).shard_id

    def split(self, shard_id: ShardId | None = None) -> tuple[ShardId, ShardId]:
        """Close a shard (the first open one) and open two children, each with half of its keys."""
        parent = self._close(shard_id)
        middle = (parent.hashes.start + parent.hashes.stop) // 2
        halves = (range(parent.hashes.start, middle), range(middle, parent.hashes.stop))
        first, second = (self._open(half, parent.shard_id, self._listing_of_child(parent)).shard_id for half in halves)
        return first, second

    def disable(self) -> None:
        """Turn the stream off: it takes no more records, and stays readable (for 24 hours, on AWS)."""
        for shard in self.open_shards:
            self._close(shard.shard_id)
        self.status = StreamStatus.DISABLED

    def trim(self, shard_id: ShardId, through: SequenceNumber | None = None) -> None:
        """Forget records up to this one, or all of them; a closed shard without any left vanishes."""
        shard = self.shards[shard_id]
        last = shard.records[-1].sequence if shard.records else shard.starting - 1
        shard.trimmed_through = max(shard.trimmed_through, int(last if through is None else through))
        shard.records = [record for record in shard.records if record.sequence > shard.trimmed_through]
        if not shard.is_open and not shard.records:
            del self.shards[shard_id]

    def trim_older_than(self, seconds: float) -> None:
        """What the service does after 24 hours."""
        horizon = self._clock.now() - seconds
        for shard in list(self.shards.values()):
            old = [record.sequence for record in shard.records if record.visible_at < horizon]
            if old and (shard.is_open or len(old) < len(shard.records)):
                self.trim(shard.shard_id, old[-1])
            elif not shard.is_open and shard.closed_at < horizon:
                self.trim(shard.shard_id)

    def vanish(self) -> None:
        """The stream does not exist any more."""
        self.shards.clear()
        self.status = StreamStatus.DISABLING
        self.arn = ""

    # --- inside

    def _open(self, hashes: range, parent_id: ShardId | None, listed_at: float) -> FakeShard:
        starting = self.sequences.next()
        # 28 to 65 characters (botocore, shape ShardId); the milliseconds in it are a habit, not a promise.
        shard_id = ShardId(f"shardId-{int(self._clock.now() * 1000):020d}-{self._random.getrandbits(32):08x}")
        assert shard_id not in self.shards
        self.shards[shard_id] = FakeShard(shard_id, parent_id, hashes, starting, listed_at)
        return self.shards[shard_id]

    def _close(self, shard_id: ShardId | None) -> FakeShard:
        shard = self.shards[shard_id] if shard_id else self.open_shards[0]
        assert shard.is_open
        is_last_record = shard.records and self._random.random() < 0.5
        shard.ending = shard.records[-1].sequence if is_last_record else self.sequences.next()
        now = self._clock.now()
        shard.closed_at = max(now, shard.records[-1].visible_at if shard.records else now)
        shard.shown_closed_at = max(shard.closed_at, self._listing(self.timing.ending_delay))
        return shard

    def _listing(self, delay: tuple[float, float]) -> float:
        return self._clock.now() + self._random.uniform(*delay)

    def _listing_of_child(self, parent: FakeShard) -> float:
        """Late, but not before its parent: ids begin with the time of their making, and the list goes by them."""
        return max(parent.listed_at, self._listing(self.timing.child_delay))

    def _shard(self, shard_id: ShardId) -> FakeShard:
        if shard_id not in self.shards:
            raise ShardGoneError(f"there is no shard {shard_id} in the stream {self.arn}")
        return self.shards[shard_id]

    def _token(self, shard: FakeShard, after: int) -> str:
        content = [self.arn, shard.shard_id, str(after), self._clock.now(), self._random.getrandbits(32)]
        return base64.b64encode(orjson.dumps(content)).decode()

    def _after(self, shard: FakeShard, iterator: str) -> int:
        arn, shard_id, after, given_at, _ = orjson.loads(base64.b64decode(iterator))
        assert (arn, shard_id) == (self.arn, shard.shard_id), "an iterator belongs to one shard"
        if self._clock.now() - given_at > ITERATOR_SECONDS:
            raise IteratorExpiredError(f"the iterator of {shard_id} is older than {ITERATOR_SECONDS} s")
        return int(after)

    def _check_trimmed(self, shard: FakeShard, after: int) -> None:
        if after < shard.trimmed_through:
            raise TrimmedError(f"{shard.shard_id} is trimmed through {shard.trimmed_through}, asked after {after}")

    def _page(self, shard: FakeShard, after: int, limit: int) -> Page:
        now = self._clock.now()
        found = _first_bytes(shard.visible_after(after, now, limit))
        if found and self._random.random() < self.timing.empty_pages:
            found = []
        elif len(found) > 1 and self._random.random() < self.timing.cut_pages:
            found = found[: self._random.randint(1, len(found) - 1)]
        last = int(found[-1].sequence) if found else after
        is_end = shard.has_ended(now) and not shard.visible_after(last, now, 1)
        if is_end and found and self._random.random() < self.timing.late_ends:
            is_end = False
        contents = [record.content for record in found]
        return Page(
            changes=[content for content in contents if isinstance(content, Change)],
            unreadable=[content for content in contents if isinstance(content, Unreadable)],
            next_iterator=None if is_end else self._token(shard, last),
            size=sum(record.size for record in found),
        )

    async def _begin(self, call: str) -> None:
        self.calls[call] += 1
        await self._jitter.pause()
        if not self.arn:
            raise ShardGoneError("the stream does not exist")


def _first_bytes(records: list[Record]) -> list[Record]:
    size = 0
    for count, record in enumerate(records):
        size += record.size
        if count and size > _PAGE_BYTES:
            return records[:count]
    return records
