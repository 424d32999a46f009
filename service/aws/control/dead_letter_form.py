"""How a dead letter lies in the control table: its attributes, its compressed record and the record's parts.

A stream record may carry two images of 400 KB, more than an item holds, so it is compressed, and split where it is
still large.
"""

from __future__ import annotations

import base64
import binascii
import zlib

from service.aws.control.attributes import (
    Attributes,
    Plain,
    attribute,
    attributes_of,
    optional_text_of,
    split,
    value_of,
)
from service.pipeline_state import DeadLetter

LETTER = "dead-letter#"
PART = "dead-letter-part#"
INLINE_BYTES = 32_000
"""Lists are billed for whole items and paged by 1 MB of them (API reference, Query), so that the items that they read
stay small; a larger record lies in parts only."""
MAX_ERROR_CHARACTERS = 10_000
LISTED = (
    "item", "shard_id", "sequence", "event_name", "key", "error", "attempts", "failed_at", "identity", "created_at",
    "state", "version",
)  # fmt: skip


def record_of(letter: DeadLetter) -> tuple[Plain, dict[str, bytes]]:
    """The attributes that hold the record, and the parts' names with what they hold."""
    compressed = zlib.compress(letter.record)
    if len(compressed) <= INLINE_BYTES:
        return {"record": compressed}, {}
    # A name of its own for each writing: removing an older record of this letter never touches these parts.
    parts = {_part(letter.id, letter.version, count): content for count, content in enumerate(split(compressed), 1)}
    return {"parts": len(parts), "writing": letter.version}, parts


def parts_of(letter_id: str, head: Attributes) -> list[str]:
    if "writing" not in head:
        return []
    writing, parts = attribute(head, "writing", str), attribute(head, "parts", int)
    return [_part(letter_id, writing, count) for count in range(1, parts + 1)]


def _part(letter_id: str, writing: str, count: int) -> str:
    return f"{PART}{letter_id}#{writing}#{count}"


def head_of(letter: DeadLetter) -> Plain:
    """All but the record."""
    key = {} if letter.key is None else {"key": letter.key.decode()}
    return {**attributes_of(letter, "id", "record", "key"), "error": error_of(letter), **key}


def error_of(letter: DeadLetter) -> str:
    return letter.error[:MAX_ERROR_CHARACTERS]


def letter_of(item: str, head: Attributes, record: bytes) -> DeadLetter:
    """Raises KeyError, TypeError, ValueError for what is no letter."""
    key = optional_text_of(head, "key")
    return value_of(
        DeadLetter, head, id=item.removeprefix(LETTER), record=record, key=None if key is None else key.encode()
    )


def cursor_after(letter_id: str) -> str:
    return base64.urlsafe_b64encode((LETTER + letter_id).encode()).decode()


def id_behind(cursor: str) -> str:
    """Raises ValueError."""
    try:
        item = base64.b64decode(cursor.encode("ascii"), altchars=b"-_", validate=True).decode()
    except (binascii.Error, UnicodeError) as error:
        raise ValueError(f"not a cursor of a list of dead letters: {cursor[:60]!r}") from error
    if not item.startswith(LETTER):
        raise ValueError(f"not a cursor of a list of dead letters: {cursor[:60]!r}")
    return item.removeprefix(LETTER)
