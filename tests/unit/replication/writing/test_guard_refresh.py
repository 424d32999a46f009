"""A refresh: judged by what both tables hold; what it writes is the source's present state."""

from __future__ import annotations

from typing import Any

import pytest

from service.replication.writing.guard import Guard, Outcome
from tests.support.workbench import Bench, item, key


async def guarded(**settings: str) -> tuple[Bench, Guard]:
    bench = Bench(**settings)
    return bench, (await bench.open()).guard


def numbered(found: dict[str, Any], number: int) -> dict[str, Any]:
    return {**found, "dynamirror_sequence": {"S": f"{number:040d}"}}


def write_calls(bench: Bench) -> int:
    return sum(bench.world.replica.calls[call] for call in ("put", "delete", "write_batch"))


async def test_what_the_replica_lacks_is_written_without_a_number():
    bench, guard = await guarded()
    bench.put("a", "1")
    assert await guard.refresh(key("a")) is Outcome.WRITTEN
    assert bench.held("a") == item("a", "1")
    assert bench.number("a") is None, "its content may be that of a change that is still on its way"
    assert await guard.refresh(key("a")) is Outcome.UNCHANGED


@pytest.mark.parametrize("offset", [-1, 0, 1, None])
async def test_damage_is_mended_whatever_number_it_carries(offset: int | None):
    bench, guard = await guarded()
    change = bench.put("a", "1")
    damaged = item("a", "damaged")
    bench.world.replica.preset(damaged if offset is None else numbered(damaged, int(change.sequence) + offset))
    assert await guard.refresh(key("a")) is Outcome.WRITTEN
    assert bench.held("a") == item("a", "1")


@pytest.mark.parametrize("offset", [-1, 0, 1, None])
async def test_nothing_is_written_where_the_replica_is_right_whatever_number_it_carries(offset: int | None):
    bench, guard = await guarded()
    change = bench.put("a", "1")
    held = item("a", "1")
    bench.world.replica.preset(held if offset is None else numbered(held, int(change.sequence) + offset))
    assert await guard.refresh(key("a")) is Outcome.UNCHANGED
    assert not guard.would_refresh(change.image, bench.world.replica.items[key("a")])
    assert write_calls(bench) == 0


async def test_what_would_be_refreshed_is_told_without_a_write():
    bench, guard = await guarded()
    one, other = bench.put("a", "1").image, bench.put("a", "2").image
    assert guard.would_refresh(one, other)
    assert guard.would_refresh(one, None)
    assert guard.would_refresh(None, one)
    assert not guard.would_refresh(None, None)
    assert bench.world.replica.calls.total() == 0


async def test_an_archive_would_lose_an_item_only_where_somebody_says_so():
    _, guard = await guarded(skip_ttl_deletes="true")
    held = Bench().put("a", "1").image
    assert not guard.would_refresh(None, held)
    assert guard.would_refresh(None, held, deletes=True)


async def test_a_page_of_a_scan_that_is_older_than_what_was_refreshed_is_dropped():
    bench, guard = await guarded()
    bench.world.replica.preset(item("a", "1"))
    page = guard.brought.open_page()
    assert await guard.refresh(key("a")) is Outcome.DELETED
    assert guard.brought.has_brought(key("a"), page)


async def test_a_page_of_a_scan_that_was_asked_for_during_the_look_is_dropped_too():
    """It may have been read before the look at the source."""
    bench, guard = await guarded()
    bench.world.replica.preset(item("a", "1"))
    pages: list[int] = []
    look = bench.process.source.get

    async def get(asked: Any) -> Any:
        pages.append(guard.brought.open_page())
        return await look(asked)

    guard._source.get = get  # type: ignore[method-assign]  # a source at which a scan begins meanwhile
    assert await guard.refresh(key("a")) is Outcome.DELETED
    assert guard.brought.has_brought(key("a"), pages[0])


async def test_without_a_sequence_attribute_the_contents_decide():
    bench, guard = await guarded(sequence_attribute="")
    bench.put("a", "1")
    bench.world.replica.preset(item("a", "17"))
    assert await guard.refresh(key("a")) is Outcome.WRITTEN
    assert await guard.refresh(key("a")) is Outcome.UNCHANGED
