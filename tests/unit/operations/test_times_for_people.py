"""Moments and durations as a person reads them: in the command line, in sentences of the service, as on the page."""

from __future__ import annotations

import pytest

from service.operations.documents.utc_time import duration_text, moment, utc_text


@pytest.mark.parametrize(
    ("seconds", "told"),
    [
        (0, "0 s"),
        (0.04, "<0.1 s"),
        (1.449, "1.4 s"),
        (3.0, "3 s"),
        (9.96, "10 s"),
        (59.4, "59 s"),
        (59.6, "1 min"),
        (149.7, "2 min 30 s"),
        (3661, "1 h 01 min"),
        (46941, "13 h 02 min"),
        (86399.6, "1 d"),
        (93600, "1 d 02 h"),
    ],
)
def test_a_duration_has_two_units_at_most(seconds: float, told: str) -> None:
    assert duration_text(seconds) == told


def test_a_moment_has_no_parts_of_a_second() -> None:
    assert utc_text(moment(1_795_844_067.323)) == "2026-11-28 05:34:27 UTC"
