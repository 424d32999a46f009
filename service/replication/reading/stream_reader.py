"""Finds the stream's shards and has each one read as soon as it may be: parents before children (I1).

Discovery asks for the whole list at start, when a shard ends, and once in a while. A full queue or a pause stops the
reading; a shard that can't be read holds back nobody but its children.
"""

from __future__ import annotations

import asyncio

from service.errors import PositionError, RetryableError, ShardGoneError
from service.events import Observer, PageRead, Retried, ShardEnded, ShardStarted
from service.model import Page, Position, Shard, ShardId, StreamDescription, StreamStatus
from service.pipeline_state import Checkpoint
from service.ports import Clock, Streams
from service.replication.change_queue import ChangeQueue
from service.replication.dead_letters import DeadLetters
from service.replication.gaps import shard_trimmed, stream_gone, stream_off
from service.replication.progress.progress import Progress
from service.replication.reading.first_look import FirstLook
from service.replication.reading.lineage import Lineage
from service.replication.reading.shard_reader import ShardReader
from service.replication.requests.backoff import Backoff

DISCOVER_EVERY_SECONDS = 30.0
DISCOVER_AT_MOST_EVERY_SECONDS = 0.5
SHARDS_A_PAGE, PAGES_A_SECOND = 100, 5
"""DescribeStream lists up to 100 shards and may be called 10 times a second (API reference, DescribeStream): of a long
list half of that is used, so that no second sees more."""
LISTING_SECONDS = 10.0
"""The children of a shard that ended may be listed one after the other: so long, the list is not taken for whole."""
UNSURE_SECONDS = 5.0
"""While a shard is missing from the list that matters, the list is asked for this often: several times a minute."""


class Readers:
    """One reading of the stream, from saved checkpoints on. All state belongs to the event loop's thread."""

    def __init__(
        self,
        *,
        streams: Streams,
        stream_arn: str,
        checkpoints: dict[ShardId, Checkpoint],
        progress: Progress,
        queue: ChangeQueue,
        dead_letters: DeadLetters,
        clock: Clock,
        observer: Observer,
        poll_seconds: float,
        at_tip: dict[ShardId, ShardReader] | None = None,
        behind_since: float = 0.0,
    ) -> None:
        """`at_tip`: readers of a first start, whose iterators are fixed at their shards' tips already. `behind_since`:
        from when on a former process knew changes to be unapplied, 0.0 if none did; lag begins there."""
        self._streams = streams
        self._stream_arn = stream_arn
        self._saved = dict(checkpoints)
        self._progress = progress
        self._queue = queue
        self._dead_letters = dead_letters
        self._clock = clock
        self._observer = observer
        self._poll_seconds = poll_seconds
        self._at_tip = at_tip or {}
        self._forgotten: set[ShardId] = set()
        self._permits = asyncio.Semaphore(queue.pages_beside)
        self._may_read = asyncio.Event()
        self._may_read.set()
        self._has_ended = asyncio.Event()
        self.readers: dict[ShardId, ShardReader] = {}
        self._finished: dict[ShardId, ShardReader] = {}
        """Of listed shards that a former process read to their end: they tell that children are not listed yet."""
        self.ended_at: dict[ShardId, float] = {}
        """Shards that were read to their end, by this process or a former one, and when."""
        self.started_at = clock.now()
        self.known_up_to = min(behind_since, self.started_at) or self.started_at
        """From where lag is counted while nothing has been read; shards that are found later count from then."""
        self._lineage = Lineage(
            saved=self._saved,
            readers=self.readers,
            ended_at=self.ended_at,
            reader=self._reader,
            is_first_start=not checkpoints and not behind_since,
            began_at=self.known_up_to if behind_since or not checkpoints else 0.0,
            now=self.started_at,
        )
        self.listings = self._lineage.listings
        self.shards = self.listings.shards
        self.first_look = FirstLook()
        self.trouble: str | None = None
        """What the last request that failed was told; None since one succeeded."""
        self._discovered_at = float("-inf")
        self.ended_at.update({saved.shard_id: clock.now() for saved in checkpoints.values() if saved.is_closed})

    async def read(self) -> None:
        """Read until cancelled, or until history is found to be lost (GapError).

        Cancelling is how reading stops: what was taken and not handed over stays behind the checkpoint.
        """
        async with asyncio.TaskGroup() as tasks:
            backoff = Backoff(self._clock)
            while True:
                self._has_ended.clear()
                try:
                    for shard in await self.discover_once():
                        tasks.create_task(self._read_shard(shard), name=f"reader {shard.shard_id}")
                    backoff.reset()
                except RetryableError as error:
                    self._note_retry(error)
                    self.listings.note_failure(error, self._clock.now())
                    await backoff.wait()
                    continue
                pages = 1 + len(self.shards) // SHARDS_A_PAGE
                await self._clock.sleep(max(DISCOVER_AT_MOST_EVERY_SECONDS, pages / PAGES_A_SECOND))
                await self._until_next_discovery()

    async def _until_next_discovery(self) -> None:
        """Until a shard ends, or for a while: short while children may be missing from the list (E19)."""
        seconds = UNSURE_SECONDS if self._lineage.missing else DISCOVER_EVERY_SECONDS
        if self._lost_sight():
            seconds = DISCOVER_AT_MOST_EVERY_SECONDS
        sleeper = asyncio.ensure_future(self._clock.sleep(seconds))
        waiter = asyncio.ensure_future(self._has_ended.wait())
        try:
            await asyncio.wait((sleeper, waiter), return_when=asyncio.FIRST_COMPLETED)
        finally:
            sleeper.cancel()
            waiter.cancel()

    def open_readers(self) -> list[ShardReader]:
        """The readers of shards that may bring more, with those whose children may not be listed yet."""
        lost_sight = self._lost_sight()
        return [
            reader
            for shard_id, reader in (*self.readers.items(), *self._finished.items(), *self._lineage.missing.items())
            if shard_id not in self.ended_at or shard_id in lost_sight
        ]

    def _lost_sight(self) -> set[ShardId]:
        """Shards that were read to their end, of which no list may have shown all children yet.

        When a former process ended one is not known: it may have been right before this one began.
        """
        oldest = self._discovered_at - LISTING_SECONDS
        return {
            shard_id
            for shard_id in (*self.readers, *self._finished)
            if (at := self.ended_at.get(shard_id)) is not None
            and (at > oldest or self._lineage.lacks_children(shard_id, at))
        }

    async def discover_once(self) -> list[Shard]:
        """Look at the list of shards; returns those to start reading now. Raises GapError."""
        try:
            stream = await self._streams.describe()
        except ShardGoneError as error:
            raise stream_gone(self._stream_arn) from error
        self._discovered_at = self._clock.now()
        self._lineage.note_list(stream.shards, self._discovered_at)
        self._check_switched_off(stream)
        self._forget_old()
        starting = self._lineage.readable()
        for shard in starting:
            self._start(shard)
        self._finished = {
            shard.shard_id: self._finished.get(shard.shard_id) or self._reader(shard)
            for shard in self.shards.values()
            if shard.shard_id in self.ended_at and shard.shard_id not in self.readers
        }
        self.first_look.begin(starting)
        return starting

    def _check_switched_off(self, stream: StreamDescription) -> None:
        """A stream that is off stays readable for 24 hours; once all of it is read, nothing more will come (E24)."""
        self.listings.is_off = stream.status is StreamStatus.DISABLED
        if self.listings.is_off and all(shard_id in self.ended_at for shard_id in self.shards):
            raise stream_off(stream.arn)

    def _forget_old(self) -> None:
        for shard_id in [known for known in self.ended_at if self.listings.is_long_gone(known, self._discovered_at)]:
            shard = self._progress.shards.get(shard_id)
            if shard is None or shard.is_closed:
                del self.ended_at[shard_id]
                self._progress.shards.pop(shard_id, None)
                self.readers.pop(shard_id, None)
                self._saved.pop(shard_id, None)
                self._lineage.forget(shard_id)
                self._forgotten.add(shard_id)

    def _start(self, shard: Shard) -> None:
        saved = self._saved.get(shard.shard_id)
        position = saved.position if saved else Position()
        reader = self._at_tip.pop(shard.shard_id, None) or self._reader(shard, position)
        self.readers[shard.shard_id] = reader
        self._progress.start(shard.shard_id, shard.parent_id, position, lambda: reader.known_read_up_to)
        self._observer.observe(ShardStarted(shard.shard_id, str(position.after or position.start)))

    def _reader(self, shard: Shard, position: Position | None = None) -> ShardReader:
        return ShardReader(
            shard,
            position or Position(),
            self._streams,
            self._clock,
            poll_seconds=self._poll_seconds,
            limit=self._queue.max_records,
            known_up_to=self.known_up_to if not self.first_look.has_list else None,
            surely_up_to=self._surely_up_to(shard),
        )

    def _surely_up_to(self, shard: Shard) -> float | None:
        """Everything made in the shard before this moment was read: as the former owner, its parent and the list tell.

        A shard that was not listed a while ago did not exist before; a child begins where its parent ends.
        """
        parent = self.readers.get(shard.parent_id) if shard.parent_id else None
        saved = self._saved.get(shard.shard_id)
        moments = [self._lineage.found_at.get(shard.shard_id, 0.0), parent.known_read_up_to if parent else 0.0]
        moments.append(saved.read_up_to if saved else 0.0)
        return max(moments) or None

    async def _read_shard(self, shard: Shard) -> None:
        reader = self.readers[shard.shard_id]
        backoff = Backoff(self._clock)
        while True:
            if not self._may_read.is_set() or self._queue.is_full:
                await self._may_read.wait()
                await self._queue.wait_for_room()
                reader.tries_since = self._clock.now()
            try:
                async with self._permits:
                    is_at_end = await self._read_page(shard, reader)
            except RetryableError as error:
                reader.lose_tip()
                self._note_retry(error)
                self.first_look.note(shard.shard_id)
                await backoff.wait()
                continue
            except PositionError as error:
                if self._is_over(shard, reader):
                    return self._end(shard)
                raise shard_trimmed(shard.shard_id, reader.position.after, error) from error
            backoff.reset()
            self.trouble = None
            self.first_look.note(shard.shard_id)
            if is_at_end:
                return self._end(shard)
            await self._clock.sleep(reader.wait_seconds)

    async def _read_page(self, shard: Shard, reader: ShardReader) -> bool:
        """Whether the shard was read to its end. The page is let go: hundreds of waiting shards would keep one each."""
        page = await reader.read_once()
        if page is None:
            return False
        await self._hand_over(shard, page)
        return page.next_iterator is None

    async def _hand_over(self, shard: Shard, page: Page) -> None:
        for record in page.unreadable:
            await self._dead_letters.park_unreadable(record)
        settled = [record.sequence for record in page.unreadable if record.sequence is not None]
        self._progress.admit(shard.shard_id, page.changes, settled)
        self._observer.observe(PageRead(shard.shard_id, len(page.changes) + len(page.unreadable), page.size))
        if page.changes:
            if self._queue.is_full:
                self.first_look.end()  # a backlog may take its time
            await self._queue.put(page.changes)

    def _is_over(self, shard: Shard, reader: ShardReader) -> bool:
        """A closed shard whose last record was read can be trimmed, or gone, without any loss."""
        after = reader.position.after
        return shard.ending is not None and after is not None and after >= shard.ending

    def _end(self, shard: Shard) -> None:
        self.ended_at[shard.shard_id] = self._clock.now()
        self._progress.end(shard.shard_id)
        self._observer.observe(ShardEnded(shard.shard_id))
        self._has_ended.set()

    def _note_retry(self, error: RetryableError) -> None:
        self.trouble = str(error)
        self._observer.observe(Retried.after("stream", error))

    def take_forgotten(self) -> set[ShardId]:
        """Shards that left the list after they were settled to their end: nobody asks for them. Each is told once."""
        taken, self._forgotten = self._forgotten, set()
        return taken

    def pause(self) -> None:
        self._may_read.clear()
        for reader in self.readers.values():
            reader.lose_tip()

    def resume(self) -> None:
        for reader in () if self._may_read.is_set() else self.readers.values():
            reader.tries_since = self._clock.now()
        self._may_read.set()
