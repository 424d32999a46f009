"""Dead letters in a control table in memory."""

from __future__ import annotations

import base64
import binascii
import math
from collections.abc import Mapping, Sequence
from dataclasses import replace

from service.pipeline_state import DeadLetter
from tests.fakes.control_table import FakeCalls, check_finite

_CURSOR = "dead-letter#"


class FakeLetters(FakeCalls):
    """service.ports.DeadLetterStore."""

    async def put_dead_letters(self, letters: Sequence[DeadLetter]) -> list[str | None]:
        async with self.call("put_dead_letters"):
            assert 0 < len(letters) == len({letter.identity for letter in letters}) <= 25
            for letter in letters:
                check_finite(letter.failed_at, letter.created_at)
            return [self._put(letter) for letter in letters]

    def _put(self, letter: DeadLetter) -> str | None:
        items = self.items
        kept = items.letters.get(items.places.get(letter.identity, ""))
        if kept is None:
            if items.places.pop(letter.identity, None) is not None:
                items.count -= 1
            settled_at = items.settled.get(letter.identity, -math.inf)
            if letter.comes_again and letter.failed_at - settled_at < 48 * 3600:
                return None
            items.count += 1
            items.places[letter.identity] = letter.id
            items.letters[letter.id] = self.wrote("put_dead_letters", letter)
        elif items.last_try.get(kept.id) != letter.version:
            told = {"attempts": kept.attempts + letter.attempts, "error": letter.error, "failed_at": letter.failed_at}
            newest = replace(letter, id=kept.id) if letter.replaces(kept) else kept
            items.letters[kept.id] = self.wrote("put_dead_letters", replace(newest, **told))
        letter_id = items.places[letter.identity]
        items.last_try[letter_id] = letter.version
        return letter_id

    async def note_dead_letter(self, letter: DeadLetter) -> bool:
        async with self.call("note_dead_letter"):
            kept = self.items.letters.get(letter.id)
            if kept is None or kept.version != letter.version:
                return False
            told = {"attempts": letter.attempts, "error": letter.error, "failed_at": letter.failed_at}
            self.items.letters[letter.id] = self.wrote("note_dead_letter", replace(kept, **told))
            return True

    async def list_dead_letters(self, limit: int, cursor: str | None) -> tuple[list[DeadLetter], str | None]:
        async with self.call("list_dead_letters"):
            after = "" if cursor is None else _id_behind(cursor)
            ids = sorted(letter_id for letter_id in self.items.letters if letter_id > after)
            listed = [replace(self.items.letters[letter_id], record=b"") for letter_id in ids[:limit]]
            return listed, _cursor_after(ids[limit - 1]) if len(ids) > limit else None

    async def get_dead_letter(self, letter_id: str) -> DeadLetter | None:
        async with self.call("get_dead_letter"):
            return self.items.letters.get(letter_id)

    async def delete_dead_letter(self, letter_id: str, now: float, version: str | None = None) -> bool:
        async with self.call("delete_dead_letter"):
            check_finite(now)
            items, kept = self.items, self.items.letters.get(letter_id)
            if kept is None or version not in (None, kept.version):
                return False
            del items.letters[self.wrote("delete_dead_letter", letter_id)]
            if kept.identity:
                items.count -= 1
            if items.places.get(kept.identity) == letter_id:
                del items.places[kept.identity]
            if kept.comes_again and kept.identity:
                items.settled[kept.identity] = now
            return True

    async def count_dead_letters(self) -> int | None:
        async with self.call("count_dead_letters"):
            return self.items.count if self.items.is_counted else None

    async def adopt_dead_letters(self, identities: Mapping[str, str]) -> None:
        async with self.call("adopt_dead_letters"):
            items = self.items
            for letter_id, identity in identities.items():
                kept = items.letters.get(letter_id)
                if kept is not None and not kept.identity:
                    items.places.setdefault(identity, letter_id)
                    items.letters[letter_id] = replace(kept, identity=identity, version=letter_id)
                    items.count += 1
                    self.wrote("adopt_dead_letters", letter_id)

    async def finish_adopting(self) -> None:
        async with self.call("finish_adopting"):
            self.items.is_counted = self.wrote("finish_adopting", True)


def _cursor_after(letter_id: str) -> str:
    return base64.urlsafe_b64encode((_CURSOR + letter_id).encode()).decode()


def _id_behind(cursor: str) -> str:
    try:
        item = base64.b64decode(cursor.encode("ascii"), altchars=b"-_", validate=True).decode()
    except (binascii.Error, UnicodeError) as error:
        raise ValueError(f"not a cursor: {cursor!r}") from error
    if not item.startswith(_CURSOR):
        raise ValueError(f"not a cursor: {cursor!r}")
    return item.removeprefix(_CURSOR)
