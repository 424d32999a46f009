"""A moment as every document shows it, ISO 8601 in UTC with a `Z`; and moments and durations for people."""

from __future__ import annotations

import math
from datetime import UTC, datetime
from typing import Annotated

from pydantic import AfterValidator


def _in_utc(moment: datetime) -> datetime:
    if moment.tzinfo is None:
        raise ValueError("a time needs its offset from UTC, such as 2026-11-23T10:15:00Z")
    try:
        return moment.astimezone(UTC)
    except OverflowError as error:
        raise ValueError("expected a time between the years 1 and 9999 in UTC") from error


Instant = Annotated[datetime, AfterValidator(_in_utc)]


def moment(seconds: float) -> datetime:
    """Of seconds since the epoch."""
    return datetime.fromtimestamp(seconds, UTC)


def moment_or_none(seconds: float | None) -> datetime | None:
    """Of seconds since the epoch; 0.0 and None are not known."""
    return moment(seconds) if seconds else None


def utc_text(at: datetime) -> str:
    """For people, to the second."""
    return f"{at.astimezone(UTC):%Y-%m-%d %H:%M:%S} UTC"


_UNITS = ((3600, 60, "min", 1, "s"), (86400, 3600, "h", 60, "min"), (math.inf, 86400, "d", 3600, "h"))


def duration_text(seconds: float) -> str:
    """For people, as the page says it too: `1.5 s`, `2 min 30 s`, `14 h 57 min`, `3 d 02 h`."""
    if seconds < 9.95:
        return "<0.1 s" if 0 < seconds < 0.05 else f"{round(seconds, 1):g} s"
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    _, size, unit, part, smaller = next(each for each in _UNITS if whole < each[0])
    rest = whole % size // part
    return f"{whole // size} {unit}" + (f" {rest:02} {smaller}" if rest else "")
