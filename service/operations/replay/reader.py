"""Reads one shard's stretch of a replay again, and tells what was trimmed meanwhile from what was asked for."""

from __future__ import annotations

from service.configuration.settings import Settings
from service.errors import PositionError, ShardGoneError, TrimmedError
from service.model import Page, Position, Shard
from service.operations.replay.position import ReplayPosition, ShardRange
from service.ports import Adapters
from service.replication.job_flow import JobFlow
from service.replication.reading.shard_reader import ShardReader

SEEK_END_AFTER_PAGES = 50
"""After so many empty pages in a row, the records that were to come may be trimmed."""
GIVE_UP_AFTER_PAGES = 600
"""… and after so many they are, though the stream does not say so: about ten minutes."""
BEGIN_AGAIN_AFTER_SECONDS = 1.0


class StretchReader:
    """Owned by one task. Beside the live reader, so that a shard has two (E11)."""

    def __init__(
        self, stretch: ShardRange, place: ReplayPosition, flow: JobFlow, adapters: Adapters, settings: Settings
    ) -> None:
        self._stretch = stretch
        self._place = place
        self._flow = flow
        self._streams = adapters.streams
        self._clock = adapters.clock
        self._settings = settings
        self._reader = self._at(Position(after=stretch.after))
        self._empty_pages = 0
        self._is_over = False

    def _at(self, position: Position) -> ShardReader:
        shard = Shard(self._stretch.shard_id, self._stretch.parent_id)
        return ShardReader(
            shard,
            position,
            self._streams,
            self._clock,
            poll_seconds=self._settings.poll_interval_seconds,
            limit=self._settings.queue_max_records,
        )

    async def next_page(self) -> Page | None:
        """The next page with records; None when nothing is left to come. Waits while the pipeline is paused.

        Raises PositionError when records that were asked for are lost.
        """
        while not self._is_over:
            try:
                page = await self._flow.requests.read(self._read_once, "stream")
            except PositionError as error:
                await self._lose(error)
                continue
            if page is None:
                continue
            self._is_over = page.next_iterator is None or self._is_at_tip()
            if page.changes or page.unreadable:
                self._empty_pages = 0
                return page
            await self._wait_for_more()
        return None

    async def _read_once(self) -> Page | None:
        await self._flow.gate.until_open()
        return await self._reader.read_once()

    def _is_at_tip(self) -> bool:
        """The live reading began at the tip, and nothing was made since: what was made before was all read again."""
        stretch = self._stretch
        return stretch.until is not None and stretch.end is None and self._reader.tip_seen_at is not None

    async def _wait_for_more(self) -> None:
        self._empty_pages += 1
        if self._empty_pages % SEEK_END_AFTER_PAGES == 0 and await self._is_gone():
            await self._lose(TrimmedError("its records are not there any more"))
        await self._clock.sleep(self._reader.wait_seconds)

    async def _lose(self, error: PositionError) -> None:
        """Go on with what is left, if what is lost can't be what was asked for. Raises PositionError if it can."""
        after = f"after {self._stretch.after}" if self._stretch.after is not None else "from its start"
        if not isinstance(error, TrimmedError | ShardGoneError) or self._place.is_asked_for(self._clock.now()):
            raise PositionError(
                f"the shard {self._stretch.shard_id} can't be replayed {after} ({error}): a verification with repair "
                "finds and mends what is missing in the replica"
            ) from error
        stream = await self._flow.requests.read(self._streams.describe, "stream")  # raises if it is gone as a whole
        is_listed = self._stretch.shard_id in {shard.shard_id for shard in stream.shards}
        if not is_listed or await self._is_gone():
            self._is_over = True
            return
        await self._clock.sleep(BEGIN_AGAIN_AFTER_SECONDS)
        self._reader, self._empty_pages = self._at(Position()), 0

    async def _is_gone(self) -> bool:
        """The last record that was to come is trimmed, and so is all before it."""
        end = self._stretch.end
        if end is None:
            return False
        if self._empty_pages >= GIVE_UP_AFTER_PAGES:
            return True
        try:
            await self._flow.requests.read(
                lambda: self._streams.iterator(self._stretch.shard_id, Position(after=end)), "stream"
            )
        except PositionError:
            return True
        return False
