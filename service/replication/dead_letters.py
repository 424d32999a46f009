"""Where changes go that can't be written: stored with all that a redrive needs, before anything counts them settled.

The letter's id is made of the change's place in the stream: a change that is parked twice, because of a crash in
between, is one letter.
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Callable

from service.control import DeadLetter
from service.errors import ChangeError
from service.model import Change, Image, ItemKey, SequenceNumber, ShardId, Unreadable
from service.ports import Clock, DeadLetterStore
from service.replication.requests import Requests
from service.telemetry import DeadLettered, Observer

SNAPSHOT = "SNAPSHOT"
"""The event name of a letter whose item came from a scan, and from no record of the stream."""
SNAPSHOT_SHARD = ShardId("snapshot")


def letter_id(shard_id: ShardId, sequence: SequenceNumber | None, record: bytes = b"") -> str:
    """Sorts by sequence number; the digest tells shards, and records without a number, apart.

    It has 96 bits: two letters of one id would be one letter, and a change would be lost (I7). Base 64 keeps it short.
    """
    digest = hashlib.blake2b(shard_id.encode() + b"\0" + (b"" if sequence else record), digest_size=12)
    return f"{sequence or 0:040d}-{base64.urlsafe_b64encode(digest.digest()).decode()}"


class DeadLetters:
    def __init__(
        self,
        *,
        store: DeadLetterStore,
        record_of: Callable[[Change], bytes],
        requests: Requests,
        clock: Clock,
        observer: Observer,
    ) -> None:
        """`record_of` gives a change back as its whole stream record, JSON."""
        self._store = store
        self._record_of = record_of
        self._requests = requests
        self._clock = clock
        self._observer = observer
        self.count = 0
        """Letters that are kept; counted from the store at start, then here."""

    async def park(self, change: Change, error: ChangeError, attempts: int) -> None:
        """Returns when the change is stored; waits for the control table without end."""
        letter = DeadLetter(
            id=letter_id(change.shard_id, change.sequence),
            shard_id=change.shard_id,
            sequence=change.sequence,
            event_name=change.event_name,
            key=change.key,
            error=str(error),
            attempts=attempts,
            failed_at=self._clock.now(),
            record=self._record_of(change),
        )
        await self._store_letter(letter)

    async def park_unreadable(self, record: Unreadable) -> None:
        letter = DeadLetter(
            id=letter_id(record.shard_id, record.sequence, record.record),
            shard_id=record.shard_id,
            sequence=record.sequence,
            event_name=record.event_name,
            key=record.key,
            error=record.error,
            attempts=1,
            failed_at=self._clock.now(),
            record=record.record,
        )
        await self._store_letter(letter)

    async def park_item(self, key: ItemKey, image: Image, error: ChangeError) -> None:
        """An item that a snapshot could not write: a redrive brings the source's present state of it."""
        record = b'{"eventName":"%b","dynamodb":{"Keys":%b,"NewImage":%b}}' % (SNAPSHOT.encode(), key, image)
        letter = DeadLetter(
            id=letter_id(SNAPSHOT_SHARD, None, key),
            shard_id=SNAPSHOT_SHARD,
            sequence=None,
            event_name=SNAPSHOT,
            key=key,
            error=str(error),
            attempts=1,
            failed_at=self._clock.now(),
            record=record,
        )
        await self._store_letter(letter)

    async def _store_letter(self, letter: DeadLetter) -> None:
        await self._requests.read(lambda: self._store.put_dead_letter(letter), "control")
        self.count += 1
        self._observer.observe(
            DeadLettered(letter.id, letter.shard_id, letter.sequence, letter.key, letter.error, letter.attempts)
        )

    async def recount(self) -> None:
        self.count = await self._requests.read(self._store.count_dead_letters, "control")
