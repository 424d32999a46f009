"""The hand-over: bounded, in order, and it says when nothing will come any more (E57)."""

from __future__ import annotations

import asyncio

from service.replication.change_queue import ChangeQueue
from tests.fakes.clock import settle
from tests.support.workbench import change


def changes(*sizes: int):
    return [change("a", number, size=size) for number, size in enumerate(sizes, 1)]


async def test_a_full_queue_holds_its_writer_until_there_is_room():
    queue = ChangeQueue(max_records=2, max_bytes=1000)
    putting = asyncio.create_task(queue.put(changes(1, 1, 1)))
    await settle()
    assert not putting.done()
    assert len(await queue.get()) == 2
    await settle()
    assert not putting.done()  # taken is not settled
    queue.release(1, 1)
    await putting
    assert len(await queue.get()) == 1


async def test_bytes_are_bounded_too_and_a_change_that_fits_nowhere_goes_alone():
    queue = ChangeQueue(max_records=100, max_bytes=10)
    putting = asyncio.create_task(queue.put(changes(6, 6, 50)))
    held = []
    for size in (6, 6, 50):
        await settle()
        (found,) = await queue.get()
        held.append(found.size)
        assert queue.bytes == size
        queue.release(1, size)
    await putting
    assert held == [6, 6, 50]


async def test_who_waits_for_room_waits_while_it_is_full():
    queue = ChangeQueue(max_records=1, max_bytes=1000)
    await queue.put(changes(1))
    waiting = asyncio.create_task(queue.wait_for_room())
    await settle()
    assert not waiting.done()
    queue.release(1, 1)
    await waiting


async def test_a_page_stays_together_when_two_readers_wait():
    queue = ChangeQueue(max_records=1, max_bytes=1000)
    first = asyncio.create_task(queue.put([change("a", 1), change("a", 2)]))
    second = asyncio.create_task(queue.put([change("b", 3)]))
    order = []
    for _ in range(3):
        await settle()
        order += [int(found.sequence) for found in await queue.get()]
        queue.release(1, 10)
    await asyncio.gather(first, second)
    assert order == [1, 2, 3]


async def test_a_closed_queue_gives_what_is_left_and_then_nothing():
    queue = ChangeQueue(max_records=10, max_bytes=1000)
    await queue.put(changes(1))
    queue.close()
    queue.close()
    assert len(await queue.get()) == 1
    assert await queue.get() == []


async def test_closing_wakes_who_waits_for_changes():
    queue = ChangeQueue(max_records=10, max_bytes=1000)
    getting = asyncio.create_task(queue.get())
    await settle()
    queue.close()
    assert await getting == []
