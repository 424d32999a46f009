"""Plays a history: one world, processes on it that live, crash, stall and are replaced, and somebody who watches.

stage = Stage(setting)
await stage.play(history)      # ends with everything caught up and every process stopped
stage.judge().check_all()
"""

from __future__ import annotations

import asyncio
import contextlib
import random
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from typing import Any

from hypothesis import currently_in_test_context, note

from service.configuration.settings import load_settings
from service.events import Observer
from service.model import ItemKey
from service.operations.console import ConflictError, UnavailableNowError
from tests.fakes.control_store import FakeControlStore
from tests.fakes.faults import FaultPlan, Moment, Rates
from tests.fakes.images import STRING_KEY, Item
from tests.fakes.stream import Timing
from tests.fakes.world import World
from tests.support.histories.actor import Actor
from tests.support.histories.arrivals import Watch
from tests.support.histories.random_histories import Setting, Step
from tests.support.invariants import Expected, Judge

SETTLED_SECONDS = 20.0
"""Longer than any record, child or ending of Timing.wild() is late."""
PATIENCE_SECONDS = 1800


def item(key: int, content: int) -> Item:
    return {"key": {"S": f"k{key}"}, "value": {"N": str(content)}}


class Stage:
    def __init__(
        self,
        setting: Setting,
        *,
        observers: Iterable[Observer] = (),
        plan: FaultPlan | None = None,
        timing: Timing | None = None,
        keys: Any = STRING_KEY,
        skews: tuple[float, ...] = (0.0,),
        expected: Expected = lambda item: item,
        max_latency: float = 0.05,
        **options: str,
    ) -> None:
        """`options` are settings by their names in lower case, such as `queue_max_records="5"`."""
        self.setting = setting
        self.random = random.Random(setting.seed)
        wild = dict.fromkeys(("streams", "source", "replica", "control"), Rates.wild())
        sequence = "dynamirror_sequence" if setting.has_sequence else ""
        self.world = World(
            setting.seed,
            keys=keys,
            view_type=setting.view_type,
            shards=setting.shards,
            timing=timing or (Timing.wild() if setting.is_late else Timing()),
            plan=plan or FaultPlan(setting.seed, wild if setting.has_faults else {}),
            max_latency=max_latency,
            sequence_attribute=sequence,
        )
        named = {
            "source_table": "master-table",
            "replica_table": "replica-table",
            "start_at": setting.start_at,
            "write_mode": setting.write_mode,
            "writers": str(setting.writers),
            "sequence_attribute": sequence,
            **options,
        }
        self.settings = load_settings({f"DYNAMIRROR_{name.upper()}": value for name, value in named.items()})
        self.operator = FakeControlStore(self.world.control)
        self.observers = list(observers)
        self.skews = skews
        self.streams: Callable[[Any], Any] = lambda port: port
        """What a process has in front of its stream."""
        self.actors: list[Actor] = []
        self.watch = Watch(self.world, expected)
        self.breaches: list[AssertionError] = []
        """Checkpoints that passed what had not reached the replica (I2)."""
        self.writes: list[tuple[int, float, float]] = []
        self.has_lost = False
        """History, a table, or items that an archive keeps: no checkpoint can be judged by the replica then."""
        self.expired: Counter[ItemKey] = Counter()
        """How often the source's TTL removed an item."""
        self.changed_at = 0.0
        """When the last step began that was no wait, on the loop's clock."""
        if setting.start_at == "snapshot":
            self.world.source.preset(*[item(key, 0) for key in range(setting.preset)])

    def judge(self, expected: Expected | None = None) -> Judge:
        return Judge(self.world, expected=expected)

    # --- a whole history

    async def play(self, history: Iterable[Step]) -> None:
        """Returns with the replica caught up and every process ended in order."""
        history = list(history)
        if currently_in_test_context():
            note(f"{self.setting}\n{history}")
        await self.open()
        for step in history:
            await self.perform(step)
        await self.close()

    async def open(self) -> Actor:
        """Describe the tables, and start the first process; a `latest` start begins before the first step."""
        self.source = await self.world.source.describe()
        self.replica = await self.world.replica.describe()
        actor = self.enter()
        while self.setting.start_at == "latest" and actor.pipeline.replicator is None:  # noqa: ASYNC110  virtual time: nobody waits
            await asyncio.sleep(0.1)
        return actor

    async def close(self) -> None:
        """Let every process see the world again, wait until one has caught up, and stop them all."""
        await self.until_caught_up()
        for actor in self.actors:
            if actor.is_alive:
                await actor.stop()
        await asyncio.gather(*[actor.task for actor in self.actors])
        assert self.has_lost or not self.breaches, self.breaches[0]

    async def until_caught_up(self) -> Actor:
        self._end_of_stalls()
        await self.operator.set_paused(False)
        await asyncio.sleep(SETTLED_SECONDS)
        seconds = 0
        for _ in range(PATIENCE_SECONDS):
            self.revive()
            found = next((actor for actor in self.actors if actor.is_caught_up), None)
            # A stream that sends empty pages by chance sends several in a row once in a while: no end can be told then.
            seconds = seconds + 1 if found is not None else 0
            if found is not None and seconds > 5:
                return found
            await asyncio.sleep(1)
        states = [f"{actor.pipeline.state} ({actor.report.reason()})" for actor in self.actors]
        raise AssertionError(f"never caught up: {states}")

    def _end_of_stalls(self) -> None:
        for actor in self.actors:
            actor.thaw()

    # --- processes

    def enter(self) -> Actor:
        number = len(self.actors)
        actor = Actor(self, f"process-{number}", self.skews[number % len(self.skews)])
        self.actors.append(actor)
        return actor

    def revive(self) -> None:
        """What a container platform does: where no process is alive, a fresh one starts."""
        if not any(actor.is_alive for actor in self.actors):
            self.enter()

    @property
    def active(self) -> Actor | None:
        """The process that holds the lease, as far as it knows; else any that is alive."""
        alive = [actor for actor in self.actors if actor.is_alive]
        return next((actor for actor in alive if actor.pipeline.holder.lease), alive[0] if alive else None)

    # --- steps

    async def perform(self, step: Step) -> None:
        self.revive()
        await self.apply(step)

    async def apply(self, step: Step) -> None:
        """A step, whether any process is there or not."""
        kind, *rest = step
        if kind not in ("wait", "rest"):
            self.changed_at = asyncio.get_running_loop().time()
        await getattr(self, f"_{kind}")(*rest)
        await asyncio.sleep(self.random.choice([0.0, 0.0, 0.01, 0.2]))

    async def _put(self, key: int, content: int) -> None:
        self.world.source.put(item(key, content))

    async def _delete(self, key: int) -> None:
        self.world.source.delete({"key": {"S": f"k{key}"}})

    async def _wait(self, seconds: float) -> None:
        await asyncio.sleep(seconds)

    async def _rest(self) -> None:
        """Long enough for anything to be noticed."""
        await asyncio.sleep(45)

    async def _roll(self, number: int) -> None:
        shards = self.world.source.stream.open_shards
        self.world.source.stream.roll(shards[number % len(shards)].shard_id)

    async def _split(self, number: int) -> None:
        shards = self.world.source.stream.open_shards
        if len(shards) < 12:
            self.world.source.stream.split(shards[number % len(shards)].shard_id)

    async def _crash(self, calls: int, moment: str) -> None:
        if self.active is not None:
            self.active.crash_in(calls, Moment[moment])

    async def _kill(self) -> None:
        if self.active is not None:
            self.active.kill()

    async def _stop(self) -> None:
        if self.active is not None:
            await self.active.stop()

    async def _rival(self) -> None:
        if sum(actor.is_alive for actor in self.actors) < 3:
            self.enter()

    async def _cut(self, seconds: float) -> None:
        """The active process can't reach the control table for a while, and everything else as before."""
        if (actor := self.active) is not None:
            actor.control.stall()
            asyncio.get_running_loop().call_later(seconds, actor.control.go_on)

    async def _freeze(self, seconds: float) -> None:
        """The active process gets no answer at all for a while, as if it had been stopped."""
        if (actor := self.active) is not None:
            actor.freeze()
            asyncio.get_running_loop().call_later(seconds, actor.thaw)

    async def _snapshot(self) -> None:
        if (actor := self.active) is not None:
            with contextlib.suppress(ConflictError, UnavailableNowError):
                job = actor.snapshots.start()
                await asyncio.wait([asyncio.create_task(actor.process.live(job))])

    async def _expire(self, key: int) -> None:
        """The source's TTL removes it."""
        self.has_lost = True
        name = {"key": {"S": f"k{key}"}}
        if self.world.source.delete(name, is_ttl=True) is not None:
            self.expired[self.world.source.key(name)] += 1

    async def _lose_stream(self, unseen: Sequence[Step]) -> None:
        """It is switched off and on again; nothing tells of what is written meanwhile."""
        self.world.source.stream.disable()
        await self._lose(unseen)
        self.world.source.recreate_stream(restarts_numbers=self.random.random() < 0.5)
        self.source = await self.world.source.describe()

    async def _lose_history(self, unseen: Sequence[Step]) -> None:
        """Everything up to now is trimmed, before anybody has read it."""
        await self._lose(unseen)
        stream = self.world.source.stream
        old = list(stream.shards)
        for shard in stream.open_shards:
            stream.roll(shard.shard_id)
        for shard_id in old:  # parents too: a child outlives its parent
            stream.trim(shard_id)

    async def _lose_replica(self, unseen: Sequence[Step]) -> None:
        """It is deleted and created anew."""
        self.world.replica.recreate()
        self.replica = await self.world.replica.describe()
        await self._lose(unseen)

    async def _lose(self, unseen: Sequence[Step]) -> None:
        self.has_lost = True
        for kind, *rest in unseen:
            await getattr(self, f"_{kind}")(*rest)  # nobody else has a turn meanwhile

    async def _pause(self) -> None:
        await self.operator.set_paused(True)

    async def _resume(self) -> None:
        await self.operator.set_paused(False)
