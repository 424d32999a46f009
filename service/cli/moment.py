"""A moment as a person names it: with a zone, in this machine's own one if that is said, or before now."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta

EXPECTED = "expected one such as 2026-11-23T10:15Z, 2026-11-23T10:15+02:00, '2026-11-23T10:15 local', or -1h30m"
_BEFORE_NOW = re.compile(r"-(?=\d)(?:(?P<days>\d+)d)?(?:(?P<hours>\d+)h)?(?:(?P<minutes>\d+)m)?(?:(?P<seconds>\d+)s)?")
_LOCAL = "local"


def moment(given: str, now: datetime) -> datetime:
    """In UTC. Raises ValueError that says what was expected."""
    try:
        return _read(given.strip(), now).astimezone(UTC)
    except OverflowError:
        raise ValueError(f"{given!r} is beyond all times; {EXPECTED}") from None


def _read(given: str, now: datetime) -> datetime:
    if before := _BEFORE_NOW.fullmatch(given):
        return now - timedelta(**{unit: int(count) for unit, count in before.groupdict("0").items()})
    is_local = given.endswith(_LOCAL)
    try:
        found = datetime.fromisoformat(given.removesuffix(_LOCAL).rstrip())
    except ValueError:
        raise ValueError(f"{given!r} is not a time; {EXPECTED}") from None
    if is_local and found.tzinfo is not None:
        raise ValueError(f"{given!r} has two zones; {EXPECTED}")
    if not is_local and found.tzinfo is None:
        raise ValueError(f"{given!r} has no zone; add Z for UTC, an offset such as +02:00, or the word local")
    return found
