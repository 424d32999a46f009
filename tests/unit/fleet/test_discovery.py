"""Discovery: every page of names and tags is read, at its rate, and only as much as the answer needs."""

from __future__ import annotations

from typing import Any

import pytest

from service.configuration.fleet_file import Discover
from service.configuration.fleet_plan import DiscoveredTable
from service.errors import HaltError, RefusedError, ThrottledError
from service.fleet.discovery import SECONDS_A_REQUEST, discover
from tests.fakes.clock import FakeClock, run_virtual
from tests.fakes.table_list import FakeTableList

YES = {"replicate": "yes"}


def found(tables: FakeTableList, **wanted: Any) -> list[str]:
    return [table.name for table in look(tables, **wanted)]


def look(tables: FakeTableList, **wanted: Any) -> list[DiscoveredTable]:
    asked = Discover(replica_table="{source_table}-copy", **wanted)
    return run_virtual(lambda: discover(tables, asked, FakeClock()))


def test_a_pattern_is_looked_for_on_every_page() -> None:
    tables = FakeTableList({f"prod-{number:03}": {} for number in range(120)} | {"test-a": {}}, page=7)

    assert found(tables, source_tables=["prod-*"]) == [f"prod-{number:03}" for number in range(120)]


@pytest.mark.parametrize(
    ("patterns", "names"),
    [
        (["prod-*"], ["prod-a", "prod-b"]),
        (["prod-?", "Test*"], ["Test-a", "prod-a", "prod-b"]),
        (["[!p]*"], ["Test-a", "test-a"]),
        ("prod-a", ["prod-a"]),
        (["prod"], []),
    ],
)
def test_patterns_are_the_shells_and_upper_case_counts(patterns: object, names: list[str]) -> None:
    tables = FakeTableList({name: {} for name in ("prod-a", "prod-b", "test-a", "Test-a")})

    assert found(tables, source_tables=patterns) == names


def test_every_tag_must_be_there_with_its_value_whatever_page_it_is_on() -> None:
    many = {f"tag-{number}": "x" for number in range(10)}
    tables = FakeTableList({"a": YES, "b": {"replicate": "no"}, "c": {}, "d": many | {"zone": "eu"} | YES})

    assert found(tables, source_tags=YES) == ["a", "d"]
    assert found(tables, source_tags=YES | {"zone": "eu"}) == ["d"]


def test_a_pattern_and_a_tag_must_both_fit() -> None:
    tables = FakeTableList({"prod-a": YES, "prod-b": {}, "test-a": YES})

    assert found(tables, source_tables=["prod-*"], source_tags=YES) == ["prod-a"]


def test_a_table_without_a_stream_is_told_as_such() -> None:
    tables = FakeTableList({"a": {}, "b": {}}, without_stream={"b"})

    assert look(tables, source_tables=["*"]) == [DiscoveredTable("a", True), DiscoveredTable("b", False)]


def test_only_what_the_answer_needs_is_asked() -> None:
    tables = FakeTableList({"prod-a": {}, "test-a": {}}, page=10)
    look(tables, source_tables=["prod-*"])

    assert tables.asked == [("names", None), ("describe", "prod-a")]


def test_a_table_that_is_being_deleted_or_gone_is_none() -> None:
    assert found(FakeTableList({"a": {}, "b": {}}, gone={"a"}), source_tables=["*"]) == ["b"]
    assert found(FakeTableList({"a": {}}, status="DELETING"), source_tables=["*"]) == []


def test_requests_are_made_at_their_rate() -> None:
    tables = FakeTableList({f"table-{number}": YES for number in range(20)}, page=100)

    async def timed() -> float:
        clock = FakeClock()
        begun = clock.monotonic()
        await discover(tables, Discover(source_tags=YES, replica_table="{source_table}-copy"), clock)
        return clock.monotonic() - begun

    assert run_virtual(timed) == pytest.approx((len(tables.asked) - 1) * SECONDS_A_REQUEST)


def test_a_throttled_request_is_made_again() -> None:
    tables = FakeTableList({"a": YES, "b": YES}, faults=[ThrottledError("slow", "Throttling")] * 3)

    assert found(tables, source_tags=YES) == ["a", "b"]


def test_a_refused_request_ends_the_look() -> None:
    tables = FakeTableList({"a": {}}, faults=[RefusedError("allow dynamodb:ListTables", "AccessDenied")])

    with pytest.raises(HaltError, match="ListTables"):
        look(tables, source_tables=["*"])
