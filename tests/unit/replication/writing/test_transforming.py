"""A transform that takes its time holds up nobody but the items that wait for it; real time, real threads."""

from __future__ import annotations

import asyncio
import re
import threading
import time
from dataclasses import replace

import pytest

from service.configuration.settings import load_settings
from service.errors import ChangeError
from service.events import Warned
from service.replication.writing.write_path import WritePath, build_write_path
from service.side_thread import SideThread
from tests.fakes.clock import ManualClock
from tests.fakes.world import World
from tests.support.workbench import Bench, item, key

TRANSFORM = "tests.unit.replication.writing.test_transforming"
CALLS: list[str] = []
TURNS = [0]
"""Of another task of the event loop."""
GIVE_UP_AT = [0.0]


def slow(found):
    CALLS.append(threading.current_thread().name)
    until_another_turn(lambda: time.sleep(0.01))
    return {**found, "seen": {"BOOL": True}}


def computing(found):
    CALLS.append(threading.current_thread().name)
    until_another_turn(lambda: None)
    return {**found, "seen": {"BOOL": True}}


def until_another_turn(work):
    """For 10 ms at least, and until the event loop has turned meanwhile: where this holds it up, it never does."""
    began, turns = time.perf_counter(), TURNS[0]
    while time.perf_counter() - began < 0.01 or TURNS[0] == turns:
        assert time.perf_counter() < GIVE_UP_AT[0], "no other task got a turn"
        work()


def breaking(found):
    raise KeyError(found["value"]["S"])


def endless(found):
    threading.Event().wait()


async def opened(bench: Bench, transform: str) -> WritePath:
    names = {"source_table": "master-table", "replica_table": "replica-table", "transform": f"{TRANSFORM}:{transform}"}
    return build_write_path(
        settings=load_settings({f"DYNAMIRROR_{name.upper()}": value for name, value in names.items()}),
        adapters=replace(bench.process.adapters, clock=bench.world.clock, aside=SideThread()),
        source=await bench.world.source.describe(),
        window=bench.window,
        settle=bench.settled.extend,
        check_trust=lambda: None,
        observer=bench.log,
    )


async def by_stream(bench: Bench, path: WritePath) -> None:
    for start in range(0, 100, 25):
        await path.sink.apply([[bench.put(f"item{number}", "1")] for number in range(start, start + 25)])


async def by_snapshot(bench: Bench, path: WritePath) -> None:
    bench.world.source.preset(*[item(f"item{number}", "1") for number in range(100)])
    items = list(bench.world.source.items.items())
    for start in range(0, 100, 25):
        await path.copier.copy_together(items[start : start + 25], path.guard.brought.open_page())


async def by_refresh(bench: Bench, path: WritePath) -> None:
    bench.world.source.preset(*[item(f"item{number}", "1") for number in range(100)])
    for found in bench.world.source.items:
        await path.guard.refresh(found)


@pytest.mark.parametrize("transform", ["slow", "computing"])
@pytest.mark.parametrize("way", [by_stream, by_snapshot, by_refresh])
def test_other_tasks_get_their_turns_while_a_slow_transform_works(way, transform):
    async def tick() -> None:
        while True:
            await asyncio.sleep(0.005)
            TURNS[0] += 1

    async def scenario() -> Bench:
        bench = Bench(World(clock=ManualClock()))
        path = await opened(bench, transform)
        ticking = asyncio.create_task(tick())
        await way(bench, path)
        ticking.cancel()
        return bench

    CALLS.clear()
    GIVE_UP_AT[0] = time.perf_counter() + 60
    bench = asyncio.run(scenario())
    assert len(CALLS) == 100, "each item is transformed once"
    assert set(CALLS) == {"transform"}, "the event loop's own thread transforms nothing"
    assert bench.held("item7") == item("item7", "1", seen={"BOOL": True})
    warned = [event.text for event in bench.log.of(Warned) if event.topic == "transform"]
    assert len(warned) == 1
    assert "ms an item" in warned[0]


def test_what_the_transform_raises_beside_the_loop_makes_dead_letters_as_ever():
    async def scenario() -> Bench:
        bench = Bench(World(clock=ManualClock()))
        path = await opened(bench, "breaking")
        await path.sink.apply([[bench.put("a", "secret")]])
        with pytest.raises(ChangeError, match="raised KeyError"):
            await path.guard.refresh(key("a"))
        return bench

    bench = asyncio.run(scenario())
    (letter,) = bench.letters
    assert re.fullmatch(r"the transform raised KeyError at line \d+ of test_transforming\.py", letter.error)


def test_a_call_that_never_returns_holds_up_no_end():
    async def scenario() -> None:
        bench = Bench(World(clock=ManualClock()))
        path = await opened(bench, "endless")
        work = asyncio.create_task(path.sink.apply([[bench.put("a", "1")]]))
        await asyncio.wait([work], timeout=0.1)
        work.cancel()
        await asyncio.wait([work])
        assert work.cancelled()

    asyncio.run(scenario())
    assert all(thread.daemon for thread in threading.enumerate() if thread.name == "transform")
