"""Finds what a replay has to read: from the place that an operator named, up to where the live reading stands (E69)."""

from __future__ import annotations

from collections.abc import Iterable

from service.errors import PositionError
from service.model import (
    RETENTION_SECONDS,
    Position,
    SequenceNumber,
    Shard,
    ShardId,
    StartAt,
    StreamDescription,
)
from service.operations.console import InvalidError, TrimmedAlreadyError
from service.operations.replay.position import ReplayPosition, ShardRange
from service.pipeline_state import Checkpoint
from service.ports import Clock, Streams
from service.replication.replicator import Replicator

LOOKS_FOR_FIRST = 20
"""Empty pages in midst of a shard (E4) that are read for its first record."""
LOOK_AGAIN_AFTER_SECONDS = 0.05
SHARDS_FOR_OLDEST = 10
FEWEST_DIGITS = 21
"""Of a sequence number (botocore, dynamodbstreams 2012-08-10, shape SequenceNumber)."""


class ReplayRange:
    """The stream as it is at one moment. Raises InvalidError, TrimmedAlreadyError, RetryableError."""

    def __init__(self, flow: Replicator, streams: Streams, clock: Clock, stream: StreamDescription) -> None:
        self._streams = streams
        self._clock = clock
        self._arn = stream.arn
        self._checkpoints = flow.checkpoints.record.checkpoints
        self._read_through = {shard_id: shard.read_through for shard_id, shard in flow.progress.shards.items()}
        self._ended = set(flow.readers.ended_at)
        self._shards = {shard.shard_id: shard for shard in stream.shards}
        found = [self._stretch(shard) for shard in self._shards.values()]
        self._stretches = {stretch.shard_id: stretch for stretch in found if stretch is not None}

    def _stretch(self, shard: Shard) -> ShardRange | None:
        """All of a shard that the live reading has read; None while that is nothing."""
        stretch = ShardRange(shard.shard_id, shard.parent_id)
        saved = self._checkpoints.get(shard.shard_id) or Checkpoint(shard.shard_id, Position())
        stretch.end = self._read_through.get(shard.shard_id) or saved.position.after
        is_ended = saved.is_closed or shard.shard_id in self._ended
        if stretch.end is None and not is_ended:
            if saved.position.start is not StartAt.LATEST:
                return None
            stretch.until = saved.position.since
        return stretch

    def from_horizon(self) -> ReplayPosition:
        """Everything that the stream still has."""
        return ReplayPosition(self._arn, self._stretches.values())

    async def from_time(self, moment: float) -> ReplayPosition:
        """What was made at this time (seconds since the epoch) or later."""
        now = self._clock.now()
        if moment > now:
            raise InvalidError("`from_time` lies in the future: nothing was made since")
        if moment <= now - RETENTION_SECONDS:
            raise TrimmedAlreadyError(
                "the stream keeps 24 hours, and `from_time` is older; `from`: `trim_horizon` replays all that is left",
                await self._oldest(),
            )
        return ReplayPosition(self._arn, self._stretches.values(), from_time=moment)

    async def from_sequence(self, text: str, shard_id: str | None) -> tuple[ReplayPosition, ShardId | None]:
        """The record with this number, what follows it in its shard, and all of the shard's descendants.

        Numbers of shards that were open at the same time can overlap: where no shard is named and several can hold the
        number, each of them is replayed from it on, which does no harm, and the shard's id is told as None.
        """
        try:
            number = SequenceNumber.parse(text)
        except ValueError as error:
            raise InvalidError(str(error)) from error
        if len(text) < self._fewest_digits():
            raise InvalidError(f"{text} is no sequence number of this stream: those have {FEWEST_DIGITS} to 40 digits")
        owners = self._owners(number) if shard_id is None else [self._named(ShardId(shard_id), number)]
        if not owners:
            raise await self._nowhere(number)
        left = [owner for owner in owners if await self._is_left(owner, number)]
        if not left and any(owner.end is not None for owner in owners):
            raise self._trimmed(number, await self._oldest())
        if not left:
            raise await self._nowhere(number)
        for stretch in left:
            stretch.first = number
        place = ReplayPosition(self._arn, self._with_descendants(left))
        return place, left[0].shard_id if len(left) == 1 else None

    def _fewest_digits(self) -> int:
        """As AWS says, or fewer where an emulator's own numbers have fewer."""
        return min([FEWEST_DIGITS, *(len(str(shard.starting)) for shard in self._shards.values() if shard.starting)])

    def _owners(self, number: SequenceNumber) -> list[ShardRange]:
        """The shards whose range has room for the number, as far as they were read."""
        return [stretch for stretch in self._stretches.values() if self._complaint(stretch, number) is None]

    def _named(self, shard_id: ShardId, number: SequenceNumber) -> ShardRange:
        if shard_id not in self._shards:
            raise InvalidError(f"the stream has no shard {shard_id!r}: GET /status lists its shards")
        stretch = self._stretches.get(shard_id)
        complaint = "nothing of it was read yet" if stretch is None else self._complaint(stretch, number)
        if stretch is None or complaint is not None:
            raise InvalidError(f"{number} is no sequence number of the shard {shard_id}: {complaint}")
        return stretch

    def _complaint(self, stretch: ShardRange, number: SequenceNumber) -> str | None:
        """Why the shard can't hold this number among what was read; None if it can."""
        shard = self._shards[stretch.shard_id]
        if shard.starting is not None and number < shard.starting:
            return f"it starts with {shard.starting}"
        if shard.ending is not None and number > shard.ending:
            return f"it ends with {shard.ending}"
        if stretch.end is not None and number > stretch.end:
            return f"it was read up to {stretch.end}"
        return None

    async def _nowhere(self, number: SequenceNumber) -> InvalidError | TrimmedAlreadyError:
        starts = [shard.starting for shard in self._shards.values()]
        if starts and all(start is not None and number < start for start in starts):
            return self._trimmed(number, await self._oldest())
        newest = max((stretch.end for stretch in self._stretches.values() if stretch.end is not None), default=None)
        known = f"the newest that was read is {newest}" if newest is not None else "nothing of the stream was read yet"
        return InvalidError(f"{number} is no sequence number that was read from this stream: {known}")

    def _trimmed(self, number: SequenceNumber, oldest: str | None) -> TrimmedAlreadyError:
        left = f"the oldest that is left is {oldest}" if oldest else "nothing is left that could be replayed"
        return TrimmedAlreadyError(f"the record {number} is trimmed already: {left}", oldest)

    def _with_descendants(self, owners: Iterable[ShardRange]) -> list[ShardRange]:
        chosen = {stretch.shard_id: stretch for stretch in owners}
        size = 0
        while size != len(chosen):
            size = len(chosen)
            chosen |= {stretch.shard_id: stretch for stretch in self._stretches.values() if stretch.parent_id in chosen}
        return list(chosen.values())

    async def _is_left(self, stretch: ShardRange, number: SequenceNumber) -> bool:
        """Nothing between the number and what follows it was trimmed: that, or something older, can be read."""
        first = await self._first(stretch)
        if first is not None and first <= number:
            return True
        parent = self._stretches.get(stretch.parent_id) if stretch.parent_id is not None else None
        if parent is not None and await self._first(parent) is not None:
            return True  # the parent's records are older, and not trimmed
        return first is None and stretch.end is not None and await self._is_readable_after(stretch, number)

    async def _first(self, stretch: ShardRange) -> SequenceNumber | None:
        """The first record that can be read; None if none was found."""
        try:
            iterator: str | None = await self._streams.iterator(stretch.shard_id, Position())
            for _ in range(LOOKS_FOR_FIRST):
                if iterator is None:
                    break
                page = await self._streams.read(stretch.shard_id, iterator, 1)
                if page.changes:
                    return page.changes[0].sequence
                iterator = page.next_iterator
                await self._clock.sleep(LOOK_AGAIN_AFTER_SECONDS)
        except PositionError:
            return None  # trimmed, or gone, while it was looked for
        return None

    async def _is_readable_after(self, stretch: ShardRange, number: SequenceNumber) -> bool:
        """What follows the number is not trimmed, though no record was found among so many empty pages."""
        try:
            await self._streams.iterator(stretch.shard_id, Position(after=number))
        except PositionError:
            return False
        return True

    async def _oldest(self) -> str | None:
        """The oldest sequence number that can be replayed."""
        oldest_first = sorted(
            self._stretches.values(), key=lambda stretch: self._shards[stretch.shard_id].starting or SequenceNumber(0)
        )
        for stretch in oldest_first[:SHARDS_FOR_OLDEST]:
            first = await self._first(stretch)
            if first is not None:
                return str(first)
        return None
