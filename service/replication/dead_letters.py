"""Where changes go that can't be written: stored with all that a redrive needs, before anything counts them settled.

One cause of one key is one letter, with the newest record and the count of tries: so is what comes again after a crash,
in a snapshot, in a replay, by Lambda and by the service. Letters that come at the same moment are stored together.
"""

from __future__ import annotations

import asyncio
import base64
import contextlib
import hashlib
import json
import re
import secrets
from dataclasses import dataclass, replace

import msgspec

from service.dynamodb_json.record_text import record_of
from service.errors import ChangeError
from service.events import DeadLettered, Observer
from service.model import Change, Image, ItemKey, SequenceNumber, ShardId, Unreadable
from service.pipeline_state import SNAPSHOT, DeadLetter
from service.ports import Clock, DeadLetterStore
from service.replication.letter_count import LetterCount
from service.replication.requests.retrying import Requests

SNAPSHOT_SHARD = ShardId("snapshot")
MAX_TOGETHER = 25
"""Letters in one transaction: each takes two of its at most 100 writes, and up to 42 KB of its at most 4 MB (API
reference, TransactWriteItems)."""


def identity_of(key: ItemKey, error: str) -> str:
    """Of one cause of one key. Numbers in an error's text, such as an item's size, make no other cause."""
    return _digest(b"key\0" + key + b"\0" + re.sub(r"\d+", "#", error).encode())


def identity_of_record(record: bytes) -> str:
    """Of a record that names no key or no number: what it says, however it is spelled, and whoever reads it.

    The stream and Lambda's event spell the time differently, so it is left out.
    """
    try:
        outer = json.loads(record)  # which takes text that is no Unicode, too
        said = {name: value for name, value in outer["dynamodb"].items() if name != "ApproximateCreationDateTime"}
        spelled = json.dumps([outer.get("eventName"), said], sort_keys=True).encode()
    except (ValueError, TypeError, KeyError, AttributeError):
        spelled = record
    return _digest(b"record\0" + spelled)


def letter_id(sequence: SequenceNumber | None, identity: str) -> str:
    """Sorts by sequence number; there is one letter of an identity, so that no two have the same id (I7)."""
    return f"{sequence or 0:040d}-{identity}"


def _digest(content: bytes) -> str:
    """96 bits: two letters of one identity would be one letter, and a change would be lost (I7)."""
    return base64.urlsafe_b64encode(hashlib.blake2b(content, digest_size=12).digest()).decode()


def _state_of(image: bytes | None) -> str:
    if image is None:
        return ""
    with contextlib.suppress(ValueError):
        image = msgspec.json.encode(msgspec.json.decode(image), order="sorted")
    return _digest(image)


def printable(text: str) -> str:
    """What UTF-8 can't say, as escapes: a user's transform may put anything into its errors."""
    return text.encode(errors="backslashreplace").decode()


@dataclass(eq=False, slots=True)
class _Waiting:
    """A letter on its way. `kept_as`: the id that it is stored under, once it is."""

    letter: DeadLetter
    is_stored: bool = False
    kept_as: str | None = None


class DeadLetters:
    def __init__(self, *, store: DeadLetterStore, requests: Requests, clock: Clock, observer: Observer) -> None:
        self._store = store
        self._requests = requests
        self._clock = clock
        self._observer = observer
        self.counted = LetterCount(store, clock)
        """The process's own, where it has one."""
        self._waiting: list[_Waiting] = []
        self._turn = asyncio.Lock()

    async def park(self, change: Change, error: ChangeError, attempts: int) -> None:
        """Returns when the change is stored; waits for the control table without end."""
        told = printable(str(error))
        identity = identity_of(change.key, told)
        await self._keep(
            DeadLetter(
                id=letter_id(change.sequence, identity),
                shard_id=change.shard_id,
                sequence=change.sequence,
                event_name=change.event_name,
                key=change.key,
                error=told,
                attempts=attempts,
                failed_at=self._clock.now(),
                record=record_of(change),
                identity=identity,
                created_at=change.created_at,
                state=_state_of(change.image),
            )
        )

    async def park_unreadable(self, record: Unreadable) -> None:
        told = printable(record.error)
        # One without a number may come again after it was discarded: it is known by what it says, and by nothing less.
        identity = identity_of_record(record.record)
        if record.key is not None and record.sequence is not None:
            identity = identity_of(record.key, told)
        now = self._clock.now()
        await self._keep(
            DeadLetter(
                id=letter_id(record.sequence, identity),
                shard_id=record.shard_id,
                sequence=record.sequence,
                event_name=printable(record.event_name),
                key=record.key,
                error=told,
                attempts=1,
                failed_at=now,
                record=record.record,
                identity=identity,
                created_at=now,
            )
        )

    async def park_item(self, key: ItemKey, image: Image, error: ChangeError) -> None:
        """An item that a snapshot could not write: a redrive brings the source's present state of it."""
        told = printable(str(error))
        identity, now = identity_of(key, told), self._clock.now()
        await self._keep(
            DeadLetter(
                id=letter_id(None, identity),
                shard_id=SNAPSHOT_SHARD,
                sequence=None,
                event_name=SNAPSHOT,
                key=key,
                error=told,
                attempts=1,
                failed_at=now,
                record=b'{"eventName":"%b","dynamodb":{"Keys":%b,"NewImage":%b}}' % (SNAPSHOT.encode(), key, image),
                identity=identity,
                created_at=now,
                state=_state_of(image),
            )
        )

    async def _keep(self, letter: DeadLetter) -> None:
        letter = replace(letter, version=secrets.token_hex(8))
        kept_as = await self._stored(letter)
        if kept_as is not None:
            told = DeadLettered(kept_as, letter.shard_id, letter.sequence, letter.key, letter.error, letter.attempts)
            self._observer.observe(told)

    async def _stored(self, letter: DeadLetter) -> str | None:
        """Its id; None for one that was discarded before. Whoever comes first stores what others wait with, too."""
        mine = _Waiting(letter)
        self._waiting.append(mine)
        try:
            async with self._turn:
                while not mine.is_stored:
                    await self._store_together()
        finally:
            if not mine.is_stored:
                self._waiting.remove(mine)
        return mine.kept_as

    async def _store_together(self) -> None:
        """The first that wait, each of another identity."""
        together: dict[str, _Waiting] = {}
        for each in self._waiting:
            if len(together) == MAX_TOGETHER:
                break
            together.setdefault(each.letter.identity, each)
        letters = [each.letter for each in together.values()]
        ids = await self._requests.read(lambda: self._store.put_dead_letters(letters), "control")
        for each, kept_as in zip(together.values(), ids, strict=True):
            each.is_stored, each.kept_as = True, kept_as
            if each in self._waiting:  # who gave up has left already
                self._waiting.remove(each)
        await self.counted.refresh()
