"""The items `dead-letter#ID`, and what belongs to them: changes that could not be written, kept until redriven or
discarded.

`dead-letter-of#IDENTITY` names the one letter of an identity, and `dead-letter-count` tells how many letters there are.
All three change in one transaction, so that none is ever ahead of the others. A large record's parts are written before
the item that names them and removed after it: a letter is whole or absent at every moment (I2, I7). A crash in between
leaves parts that nothing names; they cost their storage, nothing else.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from contextlib import aclosing
from dataclasses import replace

from service.aws.control.attributes import Attributes, Plain, attribute, binary_of, decompressed, stored, understood
from service.aws.control.dead_letter_form import (
    LETTER,
    LISTED,
    cursor_after,
    error_of,
    head_of,
    id_behind,
    letter_of,
    parts_of,
    record_of,
)
from service.aws.control.table import ControlTable, ItemDiffersError, Write, is_done
from service.errors import HaltError, UnavailableError
from service.pipeline_state import DeadLetter

PLACE = "dead-letter-of#"
SETTLED = "dead-letter-settled#"
COUNT = "dead-letter-count"
SETTLED_SECONDS = 48 * 3600.0
"""So long, a record that comes again is known to be discarded: twice as long as the stream keeps it."""
TRIES = 8
"""How often a write is computed anew because others changed the same letters meanwhile."""
_ABSENT = "attribute_not_exists(#item)"
_TRIED = "SET #attempts = :attempts, #error = :error, #failed_at = :failed_at"
_UNCHANGED = "#version = :seen_version AND #attempts = :seen_attempts"


class DeadLetterItems:
    """Implements service.ports.DeadLetterStore."""

    _table: ControlTable

    async def put_dead_letters(self, letters: Sequence[DeadLetter]) -> list[str | None]:
        ids: dict[str, str | None] = {}
        for _ in range(TRIES):
            left = [letter for letter in letters if letter.identity not in ids]
            if not left:
                return [ids[letter.identity] for letter in letters]
            heads = await asyncio.gather(*[self._head_of(letter) for letter in left])
            born = [letter for letter, head in zip(left, heads, strict=True) if head is None]
            kept = [(letter, head) for letter, head in zip(left, heads, strict=True) if head is not None]
            ids.update(dict.fromkeys(await self._settled(born)))
            ids.update(await self._store_new([letter for letter in born if letter.identity not in ids]))
            ids.update(dict(pair for pair in await asyncio.gather(*[self._try_again(*each) for each in kept]) if pair))
        raise self._contended()

    async def _head_of(self, letter: DeadLetter) -> Attributes | None:
        """The letter of this identity, if there is one."""
        place = await self._table.get(PLACE + letter.identity)
        if place is None:
            return None
        head = await self._table.get(LETTER + attribute(place, "letter", str))
        if head is None:  # a hand has deleted it
            gone = {":letter": place["letter"]}
            forget = self._table.delete_of(PLACE + letter.identity, "#letter = :letter", gone)
            await is_done(self._table.transact([forget, self._counted(-1)]))
        return head

    async def _settled(self, letters: Sequence[DeadLetter]) -> list[str]:
        """The identities of those whose record was discarded before, and came again."""
        found = []
        for letter in letters:
            if letter.comes_again:
                settled = await self._table.get(SETTLED + letter.identity)
                if settled is not None and letter.failed_at - attribute(settled, "settled_at", float) < SETTLED_SECONDS:
                    found.append(letter.identity)
        return found

    async def _store_new(self, letters: Sequence[DeadLetter]) -> dict[str, str | None]:
        """All or none, by their identities."""
        if not letters:
            return {}
        writes: list[Write] = []
        for letter in letters:
            attributes = await self._head(letter)
            writes.append(self._table.put_of(LETTER + letter.id, attributes, _ABSENT))
            writes.append(self._table.put_of(PLACE + letter.identity, {"letter": letter.id}, _ABSENT))
        if await is_done(self._table.transact([*writes, self._counted(len(letters))])):
            return {letter.identity: letter.id for letter in letters}
        return {}

    async def _head(self, letter: DeadLetter) -> Plain:
        """What the letter's item holds; the parts that it names are stored."""
        record, parts = record_of(letter)
        for name, content in parts.items():
            await self._table.put(name, {"record_part": content})
        return {**head_of(letter), **record, "last_try": letter.version}

    async def _try_again(self, letter: DeadLetter, head: Attributes) -> tuple[str, str] | None:
        """Add a try to a letter that is kept; None if somebody else has changed it meanwhile."""
        kept = self._letter(head["item"]["S"], head, b"")
        if head.get("last_try") == stored(letter.version):
            return letter.identity, kept.id  # the answer to it was lost
        newer = replace(letter, id=kept.id, attempts=kept.attempts + letter.attempts)
        seen = {":seen_version": kept.version, ":seen_attempts": kept.attempts}
        try:
            if letter.replaces(kept):
                attributes = await self._head(newer)
                await self._table.put(LETTER + kept.id, attributes, only_if=_UNCHANGED, values=seen)
                await self._delete_parts(kept.id, head)
            else:
                tried = {":last_try": letter.version, **_told(newer), **seen}
                change = f"{_TRIED}, #last_try = :last_try"
                await self._table.update(LETTER + kept.id, change, tried, only_if=_UNCHANGED)
        except ItemDiffersError:
            return None
        return letter.identity, kept.id

    async def note_dead_letter(self, letter: DeadLetter) -> bool:
        condition = (
            "#version = :version" if letter.version else "attribute_exists(#item) AND attribute_not_exists(#version)"
        )
        values = {**_told(letter), **({":version": letter.version} if letter.version else {})}
        return await is_done(self._table.update(LETTER + letter.id, _TRIED, values, only_if=condition))

    async def list_dead_letters(self, limit: int, cursor: str | None) -> tuple[list[DeadLetter], str | None]:
        after = None if cursor is None else LETTER + id_behind(cursor)
        found: list[DeadLetter] = []
        # One more than asked for tells whether there is anything behind.
        items = self._table.query(LETTER, after=after, limit=limit + 1, attributes=LISTED)
        async with aclosing(items):
            async for attributes in items:
                if len(found) == limit:
                    return found, cursor_after(found[-1].id)
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

    async def delete_dead_letter(self, letter_id: str, now: float, version: str | None = None) -> bool:
        for _ in range(TRIES):
            head = await self._table.get(LETTER + letter_id)
            if head is None or (version is not None and attribute(head, "version", str, "") != version):
                return False
            if await is_done(self._table.transact(self._deletion(letter_id, head, now))):
                await self._delete_parts(letter_id, head)
                if "sequence" not in head:
                    await self._forget_settled(now)
                return True
        raise self._contended()

    def _deletion(self, letter_id: str, head: Attributes, now: float) -> list[Write]:
        table, identity = self._table, attribute(head, "identity", str, "")
        if not identity:  # of a former version, and not counted yet
            return [table.delete_of(LETTER + letter_id, "attribute_exists(#item) AND attribute_not_exists(#identity)")]
        letter = self._letter(LETTER + letter_id, head, b"")
        writes = [
            table.delete_of(LETTER + letter_id, "#version = :version", {":version": head["version"]}),
            self._counted(-1),
        ]
        if not attribute(head, "is_spare", bool, False):
            writes.append(table.delete_of(PLACE + identity, "#letter = :letter", {":letter": letter_id}))
        if letter.comes_again:
            writes.append(table.put_of(SETTLED + identity, {"settled_at": now}))
        return writes

    async def _forget_settled(self, now: float) -> None:
        settled = self._table.query(SETTLED)
        async with aclosing(settled):
            async for found in settled:
                if now - attribute(found, "settled_at", float, 0.0) > SETTLED_SECONDS:
                    await self._table.delete(found["item"]["S"])

    async def count_dead_letters(self) -> int | None:
        found = await self._table.get(COUNT)
        if found is None or not attribute(found, "is_complete", bool, False):
            return None
        with understood(self._table.pipeline, COUNT):
            return attribute(found, "count", int)

    async def adopt_dead_letters(self, identities: Mapping[str, str]) -> None:
        if not await self._adopt(identities):
            for letter_id, identity in identities.items():  # one of them is gone, counted, or has lost its place
                for _ in range(TRIES):
                    head = await self._table.get(LETTER + letter_id)
                    if head is None or "identity" in head or await self._adopt({letter_id: identity}):
                        break
                else:
                    raise self._contended()

    async def _adopt(self, identities: Mapping[str, str]) -> bool:
        table, writes, placed = self._table, [], set()
        for letter_id, identity in identities.items():
            is_spare = identity in placed or await table.get(PLACE + identity) is not None
            placed.add(identity)
            values = {":identity": identity, ":version": letter_id, ":spare": is_spare}
            change = "SET #identity = :identity, #version = :version, #is_spare = :spare"
            condition = "attribute_exists(#item) AND attribute_not_exists(#identity)"
            writes.append(table.update_of(LETTER + letter_id, change, values, condition))
            if not is_spare:
                writes.append(table.put_of(PLACE + identity, {"letter": letter_id}, _ABSENT))
        return await is_done(table.transact([*writes, self._counted(len(identities))]))

    async def finish_adopting(self) -> None:
        await self._table.update(COUNT, "SET #is_complete = :true ADD #count :none", {":true": True, ":none": 0})

    def _counted(self, change: int) -> Write:
        return self._table.update_of(COUNT, "ADD #count :change", {":change": change})

    def _contended(self) -> UnavailableError:
        return UnavailableError(
            f"dead letters of {self._table.pipeline!r} are changed by others all the time", "Conflict"
        )

    async def _record(self, letter_id: str, head: Attributes) -> bytes | None:
        """The record, decompressed; None when a part is missing."""
        with understood(self._table.pipeline, LETTER + letter_id):
            if "writing" not in head:
                return decompressed(binary_of(head["record"]))
            parts = parts_of(letter_id, head)
        contents = []
        for part in parts:
            found = await self._table.get(part)
            if found is None:
                return None
            contents.append(found["record_part"])
        with understood(self._table.pipeline, LETTER + letter_id):
            return decompressed(b"".join(map(binary_of, contents)))

    async def _delete_parts(self, letter_id: str, head: Attributes) -> None:
        for part in parts_of(letter_id, head):
            await self._table.delete(part)

    def _letter(self, item: str, head: Attributes, record: bytes) -> DeadLetter:
        with understood(self._table.pipeline, item):
            return letter_of(item, head, record)


def _told(letter: DeadLetter) -> Plain:
    return {":attempts": letter.attempts, ":error": error_of(letter), ":failed_at": letter.failed_at}
