"""A replayed change: judged by what both tables hold, and written only if it is the source's present state."""

from __future__ import annotations

from typing import Any

import pytest

from service.model import Change
from service.replication.writing.desired_state import DesiredState
from service.replication.writing.guard import Guard, Outcome
from tests.support.workbench import Bench, item, key


async def guarded(**settings: str) -> tuple[Bench, Guard]:
    bench = Bench(**settings)
    return bench, (await bench.open()).guard


def intent(change: Change) -> DesiredState:
    return DesiredState(change.image, change.image)


def numbered(found: dict[str, Any], change: Change, offset: int = 0) -> dict[str, Any]:
    return {**found, "dynamirror_sequence": {"S": f"{int(change.sequence) + offset:040d}"}}


def write_calls(bench: Bench) -> int:
    return sum(bench.world.replica.calls[call] for call in ("put", "delete", "write_batch"))


async def test_what_the_source_holds_and_the_replica_lacks_is_written_without_a_number():
    bench, guard = await guarded()
    change = bench.put("a", "1")
    assert await guard.mend(change, intent(change)) is Outcome.WRITTEN
    assert bench.held("a") == item("a", "1")
    assert bench.number("a") is None, "its content may be that of a later change"
    assert await guard.mend(change, intent(change)) is Outcome.UNCHANGED


@pytest.mark.parametrize("offset", [-1, 0, None])
async def test_damage_is_mended_whatever_number_it_carries(offset: int | None):
    bench, guard = await guarded()
    change = bench.put("a", "1")
    damaged = item("a", "damaged")
    bench.world.replica.preset(damaged if offset is None else numbered(damaged, change, offset))
    assert await guard.mend(change, intent(change)) is Outcome.WRITTEN
    assert bench.held("a") == item("a", "1")


async def test_nothing_is_written_where_the_replica_is_right_whatever_number_it_carries():
    bench, guard = await guarded()
    change = bench.put("a", "1")
    for held, outcome in [
        (numbered(item("a", "1"), change, 1), Outcome.UNCHANGED),
        (numbered(item("a", "1"), change), Outcome.UNCHANGED),
        (numbered(item("a", "1"), change, -1), Outcome.UNCHANGED),
        (item("a", "1"), Outcome.UNCHANGED),
    ]:
        bench.world.replica.preset(held)
        assert await guard.mend(change, intent(change)) is outcome
    assert write_calls(bench) == 0


async def test_what_the_source_has_left_behind_is_stale_and_costs_no_write():
    bench, guard = await guarded()
    first = bench.put("a", "1")
    bench.put("a", "2")
    gone = bench.put("b", "1")
    deleted = bench.delete("b")
    for change in (first, gone):
        assert await guard.mend(change, intent(change)) is Outcome.STALE
    assert await guard.mend(deleted, DesiredState()) is Outcome.UNCHANGED
    assert write_calls(bench) == 0
    assert bench.world.replica.items == {}


async def test_a_replayed_delete_deletes_only_while_the_source_holds_nothing():
    bench, guard = await guarded()
    bench.put("a", "1")
    change = bench.delete("a")
    bench.world.replica.preset(item("a", "1"))
    bench.world.source.put(item("a", "3"))
    assert await guard.mend(change, DesiredState()) is Outcome.STALE
    bench.world.source.delete({"key": {"S": "a"}})
    assert await guard.mend(change, DesiredState()) is Outcome.DELETED


async def test_a_page_of_a_scan_that_is_older_than_what_was_mended_is_dropped():
    bench, guard = await guarded()
    bench.put("a", "1")
    change = bench.delete("a")
    bench.world.replica.preset(item("a", "1"))
    page = guard.brought.open_page()
    assert await guard.mend(change, DesiredState()) is Outcome.DELETED
    assert guard.brought.has_brought(key("a"), page)


async def test_a_page_of_a_scan_that_was_asked_for_during_the_look_is_dropped_too():
    """It may have been read before the look at the source."""
    bench, guard = await guarded()
    bench.put("a", "1")
    change = bench.delete("a")
    bench.world.replica.preset(item("a", "1"))
    pages: list[int] = []
    look = bench.process.source.get

    async def get(asked: Any) -> Any:
        pages.append(guard.brought.open_page())
        return await look(asked)

    guard._source.get = get  # type: ignore[method-assign]  # a source at which a scan begins meanwhile
    assert await guard.mend(change, DesiredState()) is Outcome.DELETED
    assert guard.brought.has_brought(key("a"), pages[0])


async def test_without_a_sequence_attribute_the_contents_decide():
    bench, guard = await guarded(sequence_attribute="")
    first, last = bench.put("a", "1"), bench.put("a", "2")
    bench.world.replica.preset(item("a", "17"))
    assert await guard.mend(first, intent(first)) is Outcome.STALE
    assert await guard.mend(last, intent(last)) is Outcome.WRITTEN
    assert await guard.mend(last, intent(last)) is Outcome.UNCHANGED
