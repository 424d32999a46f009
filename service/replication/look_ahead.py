"""Looks at many keys of both tables at once, for a guard that judges every change by the source (Lambda).

Two requests for up to 25 changes, instead of two for each. What was seen counts for a short while only: so long, no
change that was made after the source was looked at can have come through the stream into another process.
"""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from service.model import Image, ItemKey
from service.ports import Clock, Table
from service.replication.requests import Requests

SLOW_SECONDS = 0.5
"""A change is taken to need as long from its table through the stream into another process."""
FRESH_SECONDS = SLOW_SECONDS / 2
"""So long, a look may be acted on: the write that follows it has the other half."""


class Looked(msgspec.Struct, frozen=True, gc=False):
    """What both tables held of one key (None: no item): the replica first, then the source."""

    replica: Image | None
    source: Image | None
    at: float
    """On the monotonic clock, before the source was asked."""


class LookAhead:
    """Shared by all lanes; keeps nothing."""

    def __init__(self, *, source: Table, replica: Table, requests: Requests, clock: Clock) -> None:
        self._source = source
        self._replica = replica
        self._requests = requests
        self._clock = clock

    async def look(self, keys: Sequence[ItemKey]) -> dict[ItemKey, Looked]:
        """At most 25 keys, each of them once; both reads are consistent."""
        replica = await self._requests.read(lambda: self._replica.get_many(keys), "replica")
        at = self._clock.monotonic()
        source = await self._requests.read(lambda: self._source.get_many(keys))
        return {key: Looked(replica.get(key), source.get(key), at) for key in keys}

    def is_fresh(self, looked: Looked) -> bool:
        """It may still be acted on."""
        return self._clock.monotonic() - looked.at < FRESH_SECONDS


class Looks:
    """The looks of one batch, whose keys come to their turns in this order."""

    def __init__(self, ahead: LookAhead, keys: Sequence[ItemKey]) -> None:
        self._ahead = ahead
        self._keys = keys
        self._found: dict[ItemKey, Looked] = {}

    async def of(self, key: ItemKey) -> Looked:
        """A look at this key that is fresh; if there is none, the keys after it are looked at too."""
        found = self._found.get(key)
        if found is None or not self._ahead.is_fresh(found):
            self._found = await self._ahead.look(self._keys[self._keys.index(key) :])
            found = self._found[key]
        return found
