"""The items `dead-letter#ID`, and their parts: changes that could not be written, kept until redriven or discarded.

A stream record may carry two images of 400 KB, more than an item holds, so it is compressed, and split where it is
still large. The parts are written before the item that names them and removed after it: a letter is whole or absent
at every moment (I2, I7). A crash in between leaves parts that nothing names; they cost their storage, nothing else.
"""

from __future__ import annotations

import base64
import binascii
import secrets
import zlib
from contextlib import aclosing

from service.aws.attributes import (
    Attributes,
    Value,
    float_of,
    integer_of,
    number,
    optional_text_of,
    text,
    text_of,
    understood,
)
from service.aws.control_table import ControlTable
from service.control import DeadLetter
from service.errors import HaltError
from service.model import ItemKey, SequenceNumber, ShardId

LETTER = "dead-letter#"
PART = "dead-letter-part#"
PART_BYTES = 300_000
"""Well below the 400 KB of an item (Developer Guide, "Service quotas")."""
INLINE_BYTES = 32_000
"""Lists and counts are billed for whole items and paged by 1 MB of them (API reference, Query), so that the items
that they read stay small; a larger record lies in parts only."""
MAX_ERROR_CHARACTERS = 10_000
_LISTED = ("item", "shard_id", "sequence", "event_name", "key", "error", "attempts", "failed_at")


class DeadLetterItems:
    """Implements service.ports.DeadLetterStore."""

    _table: ControlTable

    async def put_dead_letter(self, letter: DeadLetter) -> None:
        compressed = zlib.compress(letter.record)
        if len(compressed) <= INLINE_BYTES:
            record: dict[str, Value] = {"record": {"B": compressed}}
        else:
            parts = [compressed[start : start + PART_BYTES] for start in range(0, len(compressed), PART_BYTES)]
            # A name of its own for each writing: removing an older letter of this id never touches these parts.
            writing = secrets.token_hex(8)
            for number_of_part, part in enumerate(parts, 1):
                await self._table.put(_part(letter.id, writing, number_of_part), {"record_part": {"B": part}})
            record = {"parts": number(len(parts)), "writing": text(writing)}
        replaced = await self._table.put(LETTER + letter.id, _attributes(letter) | record)
        if replaced is not None and replaced.get("writing") != record.get("writing"):
            await self._delete_parts(letter.id, replaced)

    async def list_dead_letters(self, limit: int, cursor: str | None) -> tuple[list[DeadLetter], str | None]:
        after = None if cursor is None else LETTER + _id_behind(cursor)
        found: list[DeadLetter] = []
        # One more than asked for tells whether there is anything behind.
        items = self._table.query(LETTER, after=after, limit=limit + 1, attributes=_LISTED)
        async with aclosing(items):
            async for attributes in items:
                if len(found) == limit:
                    return found, _cursor_after(found[-1].id)
                found.append(self._letter(attributes["item"]["S"], attributes, b""))
        return found, None

    async def get_dead_letter(self, letter_id: str) -> DeadLetter | None:
        head = await self._table.get(LETTER + letter_id)
        while head is not None:
            record = await self._record(letter_id, head)
            if record is not None:
                return self._letter(LETTER + letter_id, head, record)
            # It was deleted or replaced while its parts were read, or somebody has deleted a part by hand.
            before, head = head, await self._table.get(LETTER + letter_id)
            if head is not None and head.get("writing") == before.get("writing"):
                raise HaltError(
                    f"the dead letter {letter_id} of pipeline {self._table.pipeline!r} lacks a part of its record; "
                    "copy the item anew with POST /replicate, then discard the letter with DELETE /dead-letters"
                )
        return None

    async def delete_dead_letter(self, letter_id: str) -> bool:
        deleted = await self._table.delete(LETTER + letter_id)
        if deleted is None:
            return False
        await self._delete_parts(letter_id, deleted)
        return True

    async def count_dead_letters(self) -> int:
        return await self._table.count(LETTER)

    async def _record(self, letter_id: str, head: Attributes) -> bytes | None:
        """The record, decompressed; None when a part is missing."""
        with understood(self._table.pipeline, LETTER + letter_id):
            if "writing" not in head:
                return _decompressed(head["record"]["B"])
            parts = _parts(letter_id, head)
        contents = []
        for part in parts:
            found = await self._table.get(part)
            if found is None:
                return None
            contents.append(found["record_part"]["B"])
        with understood(self._table.pipeline, LETTER + letter_id):
            return _decompressed(b"".join(contents))

    async def _delete_parts(self, letter_id: str, head: Attributes) -> None:
        for part in _parts(letter_id, head):
            await self._table.delete(part)

    def _letter(self, item: str, head: Attributes, record: bytes) -> DeadLetter:
        with understood(self._table.pipeline, item):
            sequence, key = optional_text_of(head, "sequence"), optional_text_of(head, "key")
            return DeadLetter(
                id=item.removeprefix(LETTER),
                shard_id=ShardId(text_of(head, "shard_id")),
                sequence=None if sequence is None else SequenceNumber.parse(sequence),
                event_name=text_of(head, "event_name"),
                key=None if key is None else ItemKey(key.encode()),
                error=text_of(head, "error"),
                attempts=integer_of(head, "attempts"),
                failed_at=float_of(head, "failed_at"),
                record=record,
            )


def _attributes(letter: DeadLetter) -> dict[str, Value]:
    attributes: dict[str, Value] = {
        "shard_id": text(letter.shard_id),
        "event_name": text(letter.event_name),
        "error": text(letter.error[:MAX_ERROR_CHARACTERS]),
        "attempts": number(letter.attempts),
        "failed_at": number(letter.failed_at),
    }
    if letter.sequence is not None:
        attributes["sequence"] = text(str(letter.sequence))
    if letter.key is not None:
        attributes["key"] = text(letter.key.decode())
    return attributes


def _decompressed(content: bytes) -> bytes:
    try:
        return zlib.decompress(content)
    except zlib.error as error:
        raise ValueError(f"its record is damaged: {error}") from error


def _parts(letter_id: str, head: Attributes) -> list[str]:
    if "writing" not in head:
        return []
    writing, parts = text_of(head, "writing"), integer_of(head, "parts")
    return [_part(letter_id, writing, number_of_part) for number_of_part in range(1, parts + 1)]


def _part(letter_id: str, writing: str, number_of_part: int) -> str:
    return f"{PART}{letter_id}#{writing}#{number_of_part}"


def _cursor_after(letter_id: str) -> str:
    return base64.urlsafe_b64encode((LETTER + letter_id).encode()).decode()


def _id_behind(cursor: str) -> str:
    try:
        item = base64.b64decode(cursor.encode("ascii"), altchars=b"-_", validate=True).decode()
    except (binascii.Error, UnicodeError) as error:
        raise ValueError(f"not a cursor of a list of dead letters: {cursor[:60]!r}") from error
    if not item.startswith(LETTER):
        raise ValueError(f"not a cursor of a list of dead letters: {cursor[:60]!r}")
    return item.removeprefix(LETTER)
