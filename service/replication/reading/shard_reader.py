"""Reads one shard: from a position to its end, in order. Iterators live and die here; they are never stored.

Promises that every change after the position is handed over exactly once and in order, across expired iterators and
failed reads. A crash here costs nothing: what was read and not settled is behind the checkpoint.
"""

from __future__ import annotations

from dataclasses import replace

from service.errors import IteratorExpiredError, TrimmedError
from service.model import RETENTION_SECONDS, Page, Position, Shard, StartAt
from service.ports import Clock, Streams

MAX_RECORDS = 1000
"""Records in one page (botocore, dynamodbstreams 2012-08-10: shape PositiveIntegerObject of GetRecords' Limit; the API
reference gives the maximum of 1000)."""
TIP_PAGES = 3
"""So many empty pages in a row are taken for the tip, once it was found with this iterator: one is not (E4)."""
TIP_PAGES_AT_FIRST = 10
"""… and so many with a new iterator: "it might take multiple calls to get to a portion of the shard that contains
stream records" (botocore, dynamodbstreams 2012-08-10: GetRecords). Nobody gives a number, so this one is chosen: a new
iterator may begin in a long stretch without records, a tip that is followed does not."""
LOOK_FOR_TIP_SECONDS = 0.05
"""Until the tip is found with a new iterator, empty pages follow each other this fast, so that it takes no longer."""
QUIET_POLL_SECONDS = 1.0
"""A shard that stays quiet is read about once a second (E79)."""
QUIET_AFTER_PAGES = 20
FULL_PAGE_RECORDS = 100
FULL_PAGE_BYTES = 128 * 1024
"""A page of this size or more is followed by the next at once; a smaller one by a part of the poll interval."""
RETENTION_MARGIN_SECONDS = 300.0
"""So much earlier, history counts as trimmed: creation times are rounded down by up to a minute, clocks differ, and a
stream runs some seconds behind its table. A needless snapshot is better than a lost change."""
MAX_FALSE_TRIMS = 3
"""So often in a row a fresh iterator is asked for again when it is called trimmed."""
START_MARGIN_SECONDS = 120.0
"""A creation time is rounded down by up to a minute (DynamoDB Local), and clocks differ: what a `latest` start skips
must be older than its moment by more than that."""


class ShardReader:
    """Steps of reading; `readers` decides when. Owned by one task."""

    def __init__(
        self,
        shard: Shard,
        position: Position,
        streams: Streams,
        clock: Clock,
        *,
        poll_seconds: float,
        limit: int,
        known_up_to: float | None = None,
        surely_up_to: float | None = None,
    ) -> None:
        """`position` LATEST is asked for as the tip only through `start_at_tip`.

        `known_up_to`: everything made before that moment was applied by a former process; None: it is not known.
        `surely_up_to`: nothing of the shard made before that moment is unread, by all that the checkpoints and the list
        tell; None: it is not known, and nothing before this reader's beginning is asked for.
        """
        self.shard = shard
        self.position = position
        self._streams = streams
        self._clock = clock
        self._base_poll_seconds = poll_seconds
        self._limit = max(1, min(limit, MAX_RECORDS))
        self._iterator: str | None = None
        self._false_trims = 0
        self._is_from_tip = False
        self._is_after_trim = False
        self._empty_pages = 0
        self._tip_pages = TIP_PAGES_AT_FIRST
        self.wait_seconds = 0.0
        """How long to wait before the next page: nothing after a big one, a poll interval after an empty one."""
        self.is_closed = not shard.is_open
        """It brings no more than it holds: while it gives a next iterator, it is not at its tip."""
        self.started_at = clock.now()
        self._before = self.started_at if known_up_to is None else known_up_to
        self._surely_up_to = surely_up_to
        self._last_tip_at: float | None = None
        self._last_created_at: float | None = None
        self.tip_seen_at: float | None = None
        """When the tip was found, while nothing has come since."""
        self.tries_since = clock.now()
        """Wall clock: since when it has tried to read without success; now or a moment ago while all is well."""

    @property
    def poll_seconds(self) -> float:
        """The present wait between two empty pages: it grows on a shard that stays quiet."""
        quiet_pages = max(0, self._empty_pages - QUIET_AFTER_PAGES)
        ceiling = max(self._base_poll_seconds, QUIET_POLL_SECONDS)
        return min(ceiling, self._base_poll_seconds * 1.2 ** min(quiet_pages, 40))

    @property
    def read_up_to(self) -> float:
        """Everything made before this moment was read (seconds since the epoch).

        That is when the tip was last found, or the last record's creation; before there was either, it is what a former
        process knew, or the moment when reading began, so that lag grows from there if the shard can't be read.
        """
        return self._known_up_to(self._before)

    @property
    def surely_read_up_to(self) -> float:
        """The same, but 0.0 before anything was read: a shard that was just begun may hold older changes."""
        return self._known_up_to(0.0)

    def _known_up_to(self, before: float) -> float:
        known = [moment for moment in (self._last_tip_at, self._last_created_at) if moment is not None]
        return max(known, default=before)

    @property
    def known_read_up_to(self) -> float:
        """Everything made before this moment was read, here or by a former process; 0.0 when that is not known."""
        return self._unread_since or 0.0

    @property
    def _unread_since(self) -> float | None:
        """Since when the shard may hold changes that nobody read; None when that is not known."""
        since = self.position.since if self.position.start is StartAt.LATEST else None
        moments = (self._surely_up_to, since, self._last_tip_at, self._last_created_at)
        return max((moment for moment in moments if moment is not None), default=None)

    def _was_trimmed_since(self, moment: float) -> bool:
        return self._clock.now() - moment > RETENTION_SECONDS - RETENTION_MARGIN_SECONDS

    def note_closed(self) -> None:
        """The list tells that the shard is closed: what looked like its tip may have been an empty stretch."""
        if not self.is_closed:
            self.is_closed, self.tip_seen_at = True, None

    def lose_tip(self) -> None:
        """Reading has stopped, or fails: the shard may have grown meanwhile, and one empty page does not tell."""
        self.tip_seen_at, self._empty_pages = None, 0

    async def start_at_tip(self) -> None:
        """Fix the shard's tip as the position of a first start; changes made from now on are read.

        Called once, when nothing of the shard was ever read; later iterators go by `position.since` (E6).
        """
        self._iterator = await self._streams.iterator(self.shard.shard_id, self.position)
        self._is_from_tip = True

    async def read_once(self) -> Page | None:
        """The next page; None when the iterator had to be renewed instead.

        A page's `next_iterator` of None means that the shard is read to its end. May be repeated after a
        RetryableError: the iterator stays (E14). Raises TrimmedError, ShardGoneError.
        """
        if self._iterator is None:
            self._iterator = await self._new_iterator()
        asked_at = self._clock.now()
        try:
            page = await self._streams.read(self.shard.shard_id, self._iterator, self._limit)
        except IteratorExpiredError:
            self._iterator, self.wait_seconds = None, 0.0
            return None
        except TrimmedError:
            # DynamoDB Local says so of an iterator of an empty stream once that gets its first record.
            if not self._is_fresh() or self._false_trims == MAX_FALSE_TRIMS:
                raise
            self._false_trims += 1
            self._is_after_trim = True
            self._iterator, self.wait_seconds = None, 0.0
            return None
        self._false_trims = 0
        self._iterator = page.next_iterator
        self.tries_since = self._clock.now()
        page = self._without_old(page)
        self._note(page, asked_at)
        return page

    async def _new_iterator(self) -> str:
        """Raises TrimmedError where history may be lost: a position without a number can't be found to be trimmed."""
        unread_since = self._unread_since
        if self.position.after is None and self._was_trimmed_since(unread_since or self.started_at):
            raise TrimmedError(f"nobody has read it for {(self._clock.now() - (unread_since or 0.0)) / 3600:.1f} hours")
        self._is_from_tip = False
        self._tip_pages, self._empty_pages = TIP_PAGES_AT_FIRST, 0
        if not self._is_after_trim:
            try:
                return await self._streams.iterator(self.shard.shard_id, self._stored_position())
            except TrimmedError:
                if not self._is_fresh():
                    raise
        return await self._streams.iterator(self.shard.shard_id, Position(start=StartAt.TRIM_HORIZON))

    def _is_fresh(self) -> bool:
        """The shard was read up to a moment so recent that nothing made since can have been trimmed.

        What is trimmed then was read: the record of the position is merely the last of a quiet shard, and it is as old
        as what is trimmed.
        """
        unread_since = self._unread_since
        if self.position.after is not None and not self._was_trimmed_since(self._position_created_at):
            return False
        if unread_since is None:
            return self.position.after is None and not self._was_trimmed_since(self.started_at)
        return not self._was_trimmed_since(unread_since)

    @property
    def _position_created_at(self) -> float:
        """When the last record that was read was created; the present where nobody knows."""
        return self._last_created_at or self.position.since or self._clock.now()

    def _stored_position(self) -> Position:
        """What a new iterator is asked for: never LATEST again, which would skip what came meanwhile."""
        if self.position.after is None and self.position.start is StartAt.LATEST:
            return Position(start=StartAt.TRIM_HORIZON)
        return self.position

    def _without_old(self, page: Page) -> Page:
        """Leave out what is not after the position: before a `latest` start, or read already."""
        after = self.position.after
        changes, unreadable = page.changes, page.unreadable
        if after is not None:
            if changes and changes[0].sequence <= after:
                changes = [change for change in changes if change.sequence > after]
            unreadable = [record for record in unreadable if record.sequence is None or record.sequence > after]
        elif self.position.start is StartAt.LATEST and not self._is_from_tip:
            oldest = self.position.since - START_MARGIN_SECONDS
            changes = [change for change in changes if change.created_at >= oldest]
        if len(changes) == len(page.changes) and len(unreadable) == len(page.unreadable):
            return page
        return Page(changes, unreadable, page.next_iterator, page.size)

    def _note(self, page: Page, asked_at: float) -> None:
        if page.changes or page.unreadable:
            self._advance(page)
            self._is_after_trim = False
            self._empty_pages = 0
            self.tip_seen_at = None
            fullness = max(len(page.changes) / FULL_PAGE_RECORDS, page.size / FULL_PAGE_BYTES)
            self.wait_seconds = self._base_poll_seconds * max(0.0, 1.0 - fullness)
            return
        self._empty_pages += 1
        self.wait_seconds = self.poll_seconds
        if self.is_closed:
            return
        if self._empty_pages >= self._tip_pages:
            self._tip_pages = TIP_PAGES
            self.tip_seen_at = self._last_tip_at = asked_at
        elif self._tip_pages == TIP_PAGES_AT_FIRST:
            self.wait_seconds = min(LOOK_FOR_TIP_SECONDS, self._base_poll_seconds)

    def _advance(self, page: Page) -> None:
        """Past what can't be understood, too: it is a dead letter before anything is saved."""
        numbers = [record.sequence for record in page.unreadable if record.sequence is not None]
        if page.changes:
            numbers.append(page.changes[-1].sequence)
            self._last_created_at = min(page.changes[-1].created_at, self._clock.now())
        if numbers:
            self.position = replace(self.position, after=max(numbers))
