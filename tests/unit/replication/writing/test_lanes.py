"""A key's changes go one after the other; other keys do not wait; older states of a waiting key need no write."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

import pytest

from service.errors import HaltError, UnavailableError
from service.replication.change_queue import ChangeQueue
from service.replication.writing.lanes import Lanes
from service.replication.writing.sink import MAX_BATCH, Group
from tests.fakes.clock import settle
from tests.support.workbench import change, key


class SlowSink:
    """Keeps what it was given; each call ends when `go` is set."""

    def __init__(self, *, is_open: bool = True) -> None:
        self.calls: list[list[Group]] = []
        self.under_way: list[bytes] = []
        self.go = asyncio.Event()
        if is_open:
            self.go.set()

    async def apply(self, groups: Sequence[Group]) -> None:
        keys = [group[0].key for group in groups]
        assert not set(keys) & set(self.under_way), "two writes of a key at once"
        self.calls.append([list(group) for group in groups])
        self.under_way += keys
        await self.go.wait()
        await asyncio.sleep(0)
        for found in keys:
            self.under_way.remove(found)

    def order(self, name: str) -> list[int]:
        return [
            int(found.sequence) for call in self.calls for group in call for found in group if found.key == key(name)
        ]


async def applied(sink: SlowSink, changes, *, count: int = 4) -> None:
    queue = ChangeQueue(100_000, 10**9)
    await queue.put(changes)
    queue.close()
    await Lanes(count, sink).apply_all(queue)


async def test_a_keys_changes_reach_the_sink_in_their_order_e58():
    sink = SlowSink()
    await applied(sink, [change(f"k{number % 7}", number) for number in range(1, 200)])
    for name in range(7):
        found = sink.order(f"k{name}")
        assert found == sorted(found)
        assert len(found) >= 28


async def test_a_keys_waiting_changes_are_one_group_with_the_newest_last():
    sink = SlowSink()
    await applied(sink, [change("a", number) for number in range(1, 6)], count=1)
    assert [[len(group) for group in call] for call in sink.calls] == [[5]]
    assert sink.calls[0][0][-1].sequence == 5


async def test_no_key_is_twice_in_a_batch_and_none_has_more_than_25_keys_e36_e37():
    sink = SlowSink()
    await applied(sink, [change(f"k{number % 60}", number) for number in range(1, 241)], count=1)
    for call in sink.calls:
        keys = [group[0].key for group in call]
        assert len(keys) == len(set(keys)) <= MAX_BATCH
    assert sum(len(group) for call in sink.calls for group in call) == 240


async def test_a_batch_is_bounded_in_bytes():
    sink = SlowSink()
    await applied(sink, [change(f"k{number}", number + 1, size=2**20) for number in range(12)], count=1)
    assert [len(call) for call in sink.calls] == [5, 5, 2]


async def test_while_a_key_is_being_written_its_next_changes_wait_and_other_keys_do_not_e35():
    sink = SlowSink(is_open=False)
    queue = ChangeQueue(1000, 10**9)
    running = asyncio.create_task(Lanes(64, sink).apply_all(queue))
    await queue.put([change("a", 1)])
    await settle()
    await queue.put([change("a", 2), *[change(f"k{number}", 3 + number) for number in range(20)]])
    await settle()
    assert sink.order("a") == [1]
    assert sum(len(sink.order(f"k{number}")) for number in range(20)) >= 15  # those in other lanes than a's
    sink.go.set()
    queue.close()
    await running
    assert sink.order("a") == [1, 2]


async def test_an_errand_waits_for_its_keys_turn_and_is_alone_at_it():
    sink = SlowSink(is_open=False)
    lanes, queue = Lanes(4, sink), ChangeQueue(1000, 10**9)
    running = asyncio.create_task(lanes.apply_all(queue))
    await queue.put([change("a", 1)])
    await settle()
    seen: list[str] = []

    async def work() -> str:
        assert not sink.under_way
        seen.append(f"after {len(sink.order('a'))}")
        return "done"

    errand = asyncio.create_task(lanes.run(key("a"), work))
    await settle()
    await queue.put([change("a", 2)])
    await settle()
    assert not seen
    sink.go.set()
    assert await errand == "done"
    queue.close()
    await running
    assert seen == ["after 1"]
    assert sink.order("a") == [1, 2]


async def test_an_errands_error_is_its_senders_and_the_lane_goes_on():
    sink = SlowSink()
    lanes, queue = Lanes(1, sink), ChangeQueue(1000, 10**9)
    running = asyncio.create_task(lanes.apply_all(queue))

    async def work() -> None:
        raise UnavailableError("not now")

    with pytest.raises(UnavailableError):
        await lanes.run(key("a"), work)
    await queue.put([change("a", 1)])
    queue.close()
    await running
    assert sink.order("a") == [1]


async def test_an_errand_whose_error_ends_the_flow_ends_the_lanes_too():
    lanes, queue = Lanes(1, SlowSink()), ChangeQueue(1000, 10**9)
    running = asyncio.create_task(lanes.apply_all(queue))

    async def work() -> None:
        raise HaltError("a person must act")

    with pytest.raises(HaltError):
        await lanes.run(key("a"), work)
    with pytest.raises(ExceptionGroup):
        await running


async def test_a_cancelled_errand_is_not_run():
    sink = SlowSink(is_open=False)
    lanes, queue = Lanes(1, sink), ChangeQueue(1000, 10**9)
    running = asyncio.create_task(lanes.apply_all(queue))
    await queue.put([change("a", 1)])
    await settle()
    ran: list[int] = []

    async def work() -> None:
        ran.append(1)

    errand = asyncio.create_task(lanes.run(key("a"), work))
    await settle()
    errand.cancel()
    await settle()
    sink.go.set()
    queue.close()
    await running
    assert ran == []
