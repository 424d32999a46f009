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
    Value,
    float_of,
    integer_of,
    number,
    optional_text_of,
    text,
    text_of,
)
from service.model import ItemKey, SequenceNumber, ShardId
from service.pipeline_state import DeadLetter

LETTER = "dead-letter#"
PART = "dead-letter-part#"
PART_BYTES = 300_000
"""Well below the 400 KB of an item (Developer Guide, "Service quotas")."""
INLINE_BYTES = 32_000
"""Lists are billed for whole items and paged by 1 MB of them (API reference, Query), so that the items that they read
stay small; a larger record lies in parts only."""
MAX_ERROR_CHARACTERS = 10_000
LISTED = (
    "item", "shard_id", "sequence", "event_name", "key", "error", "attempts", "failed_at", "identity", "created_at",
    "state", "version",
)  # fmt: skip


def record_of(letter: DeadLetter) -> tuple[dict[str, Value], dict[str, bytes]]:
    """The attributes that hold the record, and the parts' names with what they hold."""
    compressed = zlib.compress(letter.record)
    if len(compressed) <= INLINE_BYTES:
        return {"record": {"B": compressed}}, {}
    contents = [compressed[start : start + PART_BYTES] for start in range(0, len(compressed), PART_BYTES)]
    # A name of its own for each writing: removing an older record of this letter never touches these parts.
    parts = {_part(letter.id, letter.version, count): content for count, content in enumerate(contents, 1)}
    return {"parts": number(len(parts)), "writing": text(letter.version)}, parts


def parts_of(letter_id: str, head: Attributes) -> list[str]:
    if "writing" not in head:
        return []
    writing, parts = text_of(head, "writing"), integer_of(head, "parts")
    return [_part(letter_id, writing, count) for count in range(1, parts + 1)]


def _part(letter_id: str, writing: str, count: int) -> str:
    return f"{PART}{letter_id}#{writing}#{count}"


def attributes_of(letter: DeadLetter) -> dict[str, Value]:
    """All but the record."""
    attributes: dict[str, Value] = {
        "shard_id": text(letter.shard_id),
        "event_name": text(letter.event_name),
        "error": text(letter.error[:MAX_ERROR_CHARACTERS]),
        "attempts": number(letter.attempts),
        "failed_at": number(letter.failed_at),
        "identity": text(letter.identity),
        "created_at": number(letter.created_at),
        "state": text(letter.state),
        "version": text(letter.version),
    }
    if letter.sequence is not None:
        attributes["sequence"] = text(str(letter.sequence))
    if letter.key is not None:
        attributes["key"] = text(letter.key.decode())
    return attributes


def letter_of(item: str, head: Attributes, record: bytes) -> DeadLetter:
    """Raises KeyError, TypeError, ValueError for what is no letter."""
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
        identity=text_of(head, "identity", ""),
        created_at=float_of(head, "created_at", 0.0),
        state=text_of(head, "state", ""),
        version=text_of(head, "version", ""),
    )


def decompressed(content: bytes) -> bytes:
    """Raises ValueError."""
    try:
        return zlib.decompress(content)
    except zlib.error as error:
        raise ValueError(f"its record is damaged: {error}") from error


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
