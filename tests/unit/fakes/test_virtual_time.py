"""The clock and the loop that all other tests of the flow trust."""

from __future__ import annotations

import asyncio
import itertools
import random
import time

import pytest

from tests.fakes.clock import EPOCH, FakeClock, Jitter, ManualClock, run_virtual


async def test_sleepers_wake_in_the_order_of_their_times():
    clock, woken = FakeClock(), []

    async def sleep(seconds):
        await clock.sleep(seconds)
        woken.append((seconds, clock.now() - EPOCH))

    async with asyncio.TaskGroup() as tasks:
        for seconds in (30, 10, 20):
            tasks.create_task(sleep(seconds))

    assert woken == [(10, 10.0), (20, 20.0), (30, 30.0)]


async def test_a_time_out_is_virtual_too():
    clock = FakeClock()

    with pytest.raises(TimeoutError):
        async with asyncio.timeout(3600):
            await asyncio.Event().wait()

    assert clock.now() == EPOCH + 3600


async def test_what_a_sleeper_starts_has_run_when_advance_returns():
    clock, ticks = FakeClock(), []

    async def tick():
        while True:
            await clock.sleep(1)
            ticks.append(clock.now() - EPOCH)

    ticking = asyncio.create_task(tick())
    await clock.advance(3.5)
    ticking.cancel()

    assert ticks == [1, 2, 3]


async def test_a_jump_of_the_wall_clock_leaves_the_monotonic_one_alone():
    clock = FakeClock()
    before = clock.monotonic()

    clock.shift_wall(-3600)

    assert clock.now() == EPOCH - 3600
    assert clock.monotonic() == before


def test_a_wait_that_nothing_can_end_names_who_waits():
    async def wait_forever():
        await asyncio.Event().wait()

    async def scenario():
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(wait_forever(), name="the one that hangs")

    with pytest.raises(AssertionError, match=r"a hang(.|\n)*the one that hangs: .*wait_forever"):
        run_virtual(scenario)


def test_a_loop_that_never_sleeps_fails():
    async def scenario():
        for _ in itertools.repeat(None):
            await asyncio.sleep(0)

    with pytest.raises(AssertionError, match="busy loop"):
        run_virtual(scenario)


def test_a_run_that_never_ends_fails_at_its_limit():
    async def scenario():
        for _ in itertools.repeat(None):
            await asyncio.sleep(1)

    with pytest.raises(AssertionError, match="still running after 100 virtual seconds"):
        run_virtual(scenario, limit_seconds=100)


def test_time_stands_still_while_a_thread_works():
    async def scenario():
        async with asyncio.timeout(0.001):
            return await asyncio.to_thread(time.sleep, 0.01) or asyncio.get_running_loop().time()

    assert run_virtual(scenario) == 1000.0


def test_the_same_seed_gives_the_same_run():
    async def scenario():
        jitter, order = Jitter(7), []

        async def worker(name):
            for _ in range(20):
                await jitter.pause()
                order.append((name, random.random()))

        async with asyncio.TaskGroup() as tasks:
            for name in "abc":
                tasks.create_task(worker(name))
        return order

    assert run_virtual(scenario, seed=3) == run_virtual(scenario, seed=3)
    assert run_virtual(scenario, seed=3) != run_virtual(scenario, seed=4)


def test_a_run_leaves_the_global_random_generator_as_it_was():
    async def scenario():
        random.random()

    before = random.getstate()
    run_virtual(scenario, seed=3)

    assert random.getstate() == before


async def test_a_manual_clock_wakes_sleepers_only_when_it_is_moved():
    clock, woken = ManualClock(), []

    async def sleep(seconds):
        await clock.sleep(seconds)
        woken.append((seconds, clock.now() - EPOCH))

    async with asyncio.TaskGroup() as tasks:
        for seconds in (3, 1, 2):
            tasks.create_task(sleep(seconds))
        await clock.advance(2)
        assert woken == [(1, 1.0), (2, 2.0)]
        assert clock.sleepers == 1
        await clock.advance(10)

    assert woken[-1] == (3, 3.0)
    assert clock.now() == EPOCH + 12
