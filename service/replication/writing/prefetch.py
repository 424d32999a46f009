"""PrefetchedReads at many keys of both tables at once, for guarded changes that have to be judged by the source.

Two requests for up to 25 changes, instead of a write that is refused and a read for each. What was seen counts for a
while only. Where others apply the stream too (Lambda), it is short: so long, no change that was made after the source
was looked at can have come through the stream into another process. With one writer, nobody else writes the key until
its lane has gone on, and what was seen is a condition of the write.
"""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from service.errors import RefusedError
from service.events import Warned, WarningEnded
from service.model import Condition, Image, ItemKey, Older, Seen, Written
from service.replication.writing.write_context import WriteContext, WritePart

SLOW_SECONDS = 0.5
"""A change is taken to need as long from its table through the stream into another process."""
FRESH_SECONDS = SLOW_SECONDS / 2
"""So long, a look may be acted on where others write: the write that follows it has the other half."""
FRESH_ALONE_SECONDS = 5.0
"""So long with one writer: after a wait, most changes have been overtaken, and are judged by a new look."""
OFTEN = 0.25
"""A look costs a change a twelfth of a read; a refused condition, a write and a read. From this share on, all look."""
DENIED = "reads of many items"
DENIED_SECONDS = 600.0
"""A source that may not be read in batches is asked again after so long; its items are read one by one meanwhile."""
_MEMORY = 32
"""Conditions: how many of the last ones count."""


class Looked(msgspec.Struct, frozen=True, gc=False):
    """What both tables held of one key (None: no item): the replica first, then the source."""

    replica: Image | None
    source: Image | None
    at: float
    """On the monotonic clock, before the source was asked."""


class Refusals:
    """How often the replica refuses a change's first condition, "its number is older", of late."""

    def __init__(self) -> None:
        self._share = 0.0

    def note_answer(self, condition: Condition, answer: Written | Seen) -> None:
        if isinstance(condition, Older):
            self.note(was_refused=isinstance(answer, Seen))

    def note(self, *, was_refused: bool) -> None:
        self._share += (was_refused - self._share) / _MEMORY

    @property
    def are_frequent(self) -> bool:
        return self._share > OFTEN


class LookAhead(WritePart):
    """Shared by all lanes; keeps only whether the source may be asked so."""

    def __init__(self, context: WriteContext) -> None:
        super().__init__(context)
        self._denied_until = float("-inf")
        self._fresh_seconds = FRESH_SECONDS if self._window.is_shared else FRESH_ALONE_SECONDS

    async def look(self, keys: Sequence[ItemKey]) -> dict[ItemKey, Looked]:
        """At most 25 keys, each of them once; both reads are consistent. Empty where the source denies such a read."""
        if self._clock.monotonic() < self._denied_until:
            return {}
        replica = await self._requests.read(lambda: self._replica.get_many(keys), "replica")
        at = self._clock.monotonic()
        source = await self._requests.read(lambda: self._of_source(keys))
        if source is None:
            return {}
        if self._denied_until > float("-inf"):
            self._denied_until = float("-inf")
            self._observer.observe(WarningEnded(DENIED))
        return {key: Looked(replica.get(key), source.get(key), at) for key in keys}

    async def _of_source(self, keys: Sequence[ItemKey]) -> dict[ItemKey, Image] | None:
        """None where it is denied, and single reads will do: policies of former versions lack that right."""
        try:
            return await self._source.get_many(keys)
        except RefusedError as error:
            if self._window.is_shared:
                raise
            self._denied_until = self._clock.monotonic() + DENIED_SECONDS
            self._observer.observe(Warned(DENIED, f"guarded changes are read one by one, which is slower: {error}"))
            return None

    def is_fresh(self, looked: Looked) -> bool:
        """It may still be acted on."""
        return self._clock.monotonic() - looked.at < self._fresh_seconds


class PrefetchedReads:
    """The looks of one batch at some keys, which come to their turns in this order."""

    def __init__(self, ahead: LookAhead, keys: Sequence[ItemKey]) -> None:
        self._ahead = ahead
        self._keys = keys
        self._found: dict[ItemKey, Looked] = {}

    async def of(self, key: ItemKey) -> Looked | None:
        """A look at this key that is fresh; if there is none, the keys after it are looked at too. None: not asked."""
        if key not in self._keys:
            return None
        found = self._found.get(key)
        if found is None or not self._ahead.is_fresh(found):
            self._found = await self._ahead.look(self._keys[self._keys.index(key) :])
            found = self._found.get(key)
        return found
