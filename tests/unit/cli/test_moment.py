"""Moments as a person names them on the command line."""

from __future__ import annotations

import time
from collections.abc import Iterator
from datetime import UTC, datetime

import pytest

from service.cli.moment import moment
from tests.unit.cli.conftest import Shell

NOW = datetime(2026, 11, 23, 10, 15, tzinfo=UTC)


@pytest.fixture
def in_berlin(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setenv("TZ", "CET-1CEST,M3.5.0,M10.5.0/3")
    time.tzset()
    yield
    monkeypatch.undo()
    time.tzset()


@pytest.mark.parametrize(
    ("given", "meant"),
    [
        ("2026-11-23T10:15Z", "2026-11-23T10:15:00+00:00"),
        ("2026-11-23T12:15:30.5+02:00", "2026-11-23T10:15:30.500000+00:00"),
        ("-1h", "2026-11-23T09:15:00+00:00"),
        ("-90s", "2026-11-23T10:13:30+00:00"),
        (" -1d2h3m4s ", "2026-11-22T08:11:56+00:00"),
        ("2026-11-23T10:15 local", "2026-11-23T09:15:00+00:00"),
        ("2026-07-01T10:15local", "2026-07-01T08:15:00+00:00"),
    ],
)
@pytest.mark.usefixtures("in_berlin")
def test_a_moment_is_told_in_utc(given: str, meant: str) -> None:
    assert moment(given, NOW).isoformat() == meant


@pytest.mark.parametrize(
    ("given", "why"),
    [
        ("2026-11-23T10:15:00", "has no zone; add Z for UTC"),
        ("2026-11-23T10:15Z local", "has two zones"),
        ("yesterday", "is not a time"),
        ("1h", "is not a time"),
        ("-", "is not a time"),
        ("-1w", "is not a time"),
        ("", "is not a time"),
        ("-99999999999999d", "is beyond all times"),
        ("0001-01-01T00:00+14:00", "is beyond all times"),
    ],
)
def test_what_is_no_moment_is_refused_with_what_was_expected(shell: Shell, given: str, why: str) -> None:
    with pytest.raises(ValueError, match=why):
        moment(given, NOW)
    assert shell.run("replay", "--from-time", given) == 2
    assert shell.err.splitlines()[-1].startswith(f"Error: Invalid value: --from-time {given!r} {why}")
