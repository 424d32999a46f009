"""Histories of twelve pipelines on two processes: kills, stops, starts, reloads; one poisoned, one gapped, one paused.

Each of the others keeps every invariant, and none is without an owner for longer than its lease and five seconds.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from contextlib import suppress
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from service.errors import ChangeError
from service.model import ItemWrite, Put
from service.operations.console import OperationError
from tests.fakes.clock import run_virtual
from tests.fakes.faults import FaultPlan, Rates
from tests.fakes.fleet import FleetProcess, Worlds, entries_of
from tests.support.invariants import check_all, check_equal

LEASE_SECONDS = 10.0
UNOWNED_SECONDS = LEASE_SECONDS + 5.0
HEALTHY = tuple(f"table-{number}" for number in range(9))
POISONED, GAPPED, PAUSED = "poisoned", "gapped", "paused"
NAMES = (*HEALTHY, POISONED, GAPPED, PAUSED)
POISON = {"S": "poison"}

events = st.one_of(
    st.tuples(st.just("kill"), st.integers(0, 1)),
    st.tuples(st.just("stop"), st.integers(0, 1)),
    st.tuples(st.just("start"), st.integers(0, 1)),
    st.tuples(st.just("reload"), st.integers(0, 11)),
    st.tuples(st.just("put"), st.integers(0, 4)),
    st.tuples(st.just("delete"), st.integers(0, 4)),
    st.tuples(st.just("wait"), st.sampled_from([1, 5, 20, 60])),
)


class Stage:
    """Two places for a process with the same pipelines, and what is written to their tables."""

    def __init__(self, seed: int) -> None:
        self.plan = FaultPlan(seed, budget=400)
        self.worlds = Worlds(plan=self.plan)
        self._entries = entries_of(*NAMES, lease_seconds=LEASE_SECONDS)
        self._places: list[FleetProcess | None] = [None, None]
        self._starts = self._count = seed
        self._unowned: Counter[tuple[str, str]] = Counter()
        """For how long a process has been watching a pipeline that nobody has, in half seconds."""
        self.longest_unowned: dict[str, float] = {}

    @property
    def alive(self) -> list[FleetProcess]:
        return [process for process in self._places if process is not None]

    async def start(self, place: int) -> None:
        if self._places[place] is None:
            self._starts += 1
            self._places[place] = await self.worlds.process(self._entries, f"process {self._starts}").start()

    async def kill(self, place: int) -> None:
        process, self._places[place] = self._places[place], None
        if process is not None:
            await process.die()

    async def stop(self, place: int) -> None:
        process, self._places[place] = self._places[place], None
        if process is not None:
            await process.stop()

    async def reload(self, number: int) -> None:
        """One pipeline's settings change, in the file of both."""
        name = NAMES[number]
        for key in list(self._unowned):
            if key[1] == name:  # who is restarted watches a dead process's lease from the beginning
                del self._unowned[key]
        writers = 3 + (self._entries[name].writers + 1) % 5
        self._entries[name] = entries_of(name, lease_seconds=LEASE_SECONDS, writers=writers)[name]
        for process in self.alive:
            process.plans.entries = dict(self._entries)
        await asyncio.gather(*(process.fleet.reload() for process in self.alive))

    async def put(self, key: int) -> None:
        self._count += 1
        for name in NAMES:
            self.worlds.world(name).source.put({"key": {"S": f"key{key}"}, "n": {"N": str(self._count)}})
        self.worlds.world(POISONED).source.put({"key": POISON, "n": {"N": str(self._count)}})

    async def delete(self, key: int) -> None:
        for name in NAMES:
            self.worlds.world(name).source.delete({"key": {"S": f"key{key}"}})

    async def wait(self, seconds: int) -> None:
        await asyncio.sleep(seconds)

    def leads(self, name: str) -> FleetProcess | None:
        """The living process that has the pipeline."""
        for process in self.alive:
            if name in process.fleet.names() and process.leads(name):
                return process
        return None

    async def watch_owners(self) -> None:
        while True:
            await asyncio.sleep(0.5)
            watching = [(process.owner, name) for name in NAMES if self.leads(name) is None for process in self.alive]
            self._unowned = Counter({key: self._unowned[key] + 1 for key in watching})
            for (_, name), halves in self._unowned.items():
                self.longest_unowned[name] = max(self.longest_unowned.get(name, 0.0), halves / 2)

    async def until_led(self, *names: str) -> None:
        async with asyncio.timeout(600):
            for name in names:
                while (process := self.leads(name)) is None or not process.status(name).lag.caught_up:  # noqa: ASYNC110
                    await asyncio.sleep(0.5)

    async def prepare(self) -> None:
        """One has poison, one is paused, and one has lost history while nobody was there."""
        self.worlds.world(POISONED).replica.poison = _refuses_poison
        await self.start(0)
        await self.until_led(*NAMES)
        await self.put(0)
        await asyncio.sleep(30)  # the stream has brought it, and it is saved how far each has come
        process = self.alive[0]
        await process.fleet.of(PAUSED).pause()
        await self.kill(0)
        await self.put(1)
        await asyncio.sleep(25 * 3600)
        self.worlds.world(GAPPED).source.stream.trim_older_than(24 * 3600)  # the others' streams keep all, for once
        await self.put(2)


def _refuses_poison(write: ItemWrite) -> ChangeError | None:
    return ChangeError("poison") if isinstance(write, Put) and b"poison" in write.item else None


@given(history=st.lists(events, min_size=4, max_size=14), seed=st.integers(0, 2**16))
def test_i1_to_i8_hold_for_each_of_many_pipelines_whatever_happens_to_their_processes(
    history: list[tuple[str, Any]], seed: int
) -> None:
    async def scenario() -> None:
        stage = Stage(seed)
        await stage.prepare()
        stage.plan.rates = dict.fromkeys(("streams", "source", "replica"), Rates.wild())
        watching = asyncio.create_task(stage.watch_owners())
        await stage.start(0)
        await stage.start(1)
        for action, argument in history:
            await getattr(stage, action)(argument)
        await stage.start(0)
        await stage.start(1)
        stage.plan.rates = {}
        await stage.put(3)
        await stage.until_led(*HEALTHY, POISONED)
        await asyncio.sleep(UNOWNED_SECONDS)
        watching.cancel()

        for name in HEALTHY:
            check_equal(stage.worlds.world(name))
            check_all(stage.worlds.world(name))
        assert max(stage.longest_unowned.values()) <= UNOWNED_SECONDS, stage.longest_unowned
        poisoned, gapped, paused = (stage.leads(name) for name in (POISONED, GAPPED, PAUSED))
        assert poisoned is not None
        assert poisoned.status(POISONED).dead_letters == 1
        assert gapped is not None
        assert gapped.status(GAPPED).state == "failed"
        assert "trimmed" in (gapped.status(GAPPED).reason or "")
        assert paused is not None
        assert paused.status(PAUSED).state == "paused"
        assert not paused.status(PAUSED).lag.caught_up
        with suppress(OperationError):
            await paused.fleet.of(PAUSED).resume()
        await stage.until_led(PAUSED)
        check_all(stage.worlds.world(PAUSED))
        check_equal(stage.worlds.world(PAUSED))
        for place in (0, 1):
            await stage.stop(place)

    run_virtual(scenario, seed=seed)
