"""A whole world for the flow: one source, one replica, one control table, one plan of faults, and processes on them.

world = World(seed=7, plan=FaultPlan(7, {"replica": Rates.wild()}))
first = world.process()
first.crash_at(30, Moment.AFTER)
await first.live(replicate(first))     # returns when it is done, or dead
await replicate(world.process())       # another one on the same world
"""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine, Sequence
from email.utils import formatdate
from typing import Any

from service.aws.http.server_time import ServerTime, ServerTimes
from service.model import KeyAttribute, ViewType
from service.ports import Adapters, Clock, ControlStore, ReplicaTable, SchemaStore, Streams, Table
from tests.fakes.clock import FakeClock, Jitter
from tests.fakes.control_store import FakeControlStore
from tests.fakes.control_table import FakeControlTable
from tests.fakes.faults import Connection, Crash, FaultPlan, Moment, is_crash
from tests.fakes.images import STRING_KEY
from tests.fakes.replica import FakeReplica
from tests.fakes.schema_store import FakeSchemaStore
from tests.fakes.source import FakeSource
from tests.fakes.stream import Timing


class World:
    """What is outside of every process. The seed decides all that is random in it."""

    def __init__(
        self,
        seed: int = 0,
        *,
        keys: Sequence[KeyAttribute] = STRING_KEY,
        view_type: ViewType = ViewType.NEW_AND_OLD_IMAGES,
        shards: int = 1,
        timing: Timing | None = None,
        plan: FaultPlan | None = None,
        max_latency: float | None = None,
        clock: Any = None,
        sequence_attribute: str = "dynamirror_sequence",
        tables: tuple[str, str] = ("master-table", "replica-table"),
    ) -> None:
        """`tables` names the source and the replica."""
        self.seed = seed
        self.clock = clock or FakeClock()  # a ManualClock, where real threads need a real loop
        self.plan = plan or FaultPlan(seed)
        jitter = Jitter() if max_latency is None else Jitter(seed, max_seconds=max_latency)
        self.source = FakeSource(
            self.clock,
            keys,
            name=tables[0],
            view_type=view_type,
            seed=seed,
            shards=shards,
            timing=timing,
            jitter=jitter,
        )
        self.replica = FakeReplica(
            self.clock, keys, name=tables[1], sequence_attribute=sequence_attribute, seed=seed, jitter=jitter
        )
        self.control = FakeControlTable()
        self.schema = FakeSchemaStore.migrated()
        self.dates_answers = False
        """Its answers have a `Date`, as a service's have, and a process tells the time by them."""

    def process(self, pipeline: str = "source--replica", *, skew: float = 0.0) -> Process:
        """A fresh set of ports, as a process that starts now would have; its stream is the source's present one."""
        return Process(self, pipeline, skew)


class Process:
    """The ports of one process, which live and die together."""

    def __init__(self, world: World, pipeline: str, skew: float) -> None:
        self.connection = Connection(world.clock, world.plan)
        self.clock: Clock = (
            _DatedClock(self.connection, skew, world.clock)
            if world.dates_answers
            else _ProcessClock(self.connection, skew)
        )
        self.streams: Streams = self.connection.to(world.source.stream, "streams")
        self.source: Table = self.connection.to(world.source, "source")
        self.replica: ReplicaTable = self.connection.to(world.replica, "replica")
        self.control: ControlStore = self.connection.to(FakeControlStore(world.control, pipeline), "control")
        self.schema: SchemaStore = world.schema

    @property
    def adapters(self) -> Adapters:
        return Adapters(self.streams, self.source, self.replica, self.control, self.schema, self.clock)

    @property
    def is_dead(self) -> bool:
        return self.connection.is_dead

    def crash_at(self, call: int, moment: Moment = Moment.BEFORE) -> None:
        """Drop dead at the n-th call of any of its ports (the first is 1)."""
        self.connection.crash_at(call, moment)

    async def live(self, work: Coroutine[Any, Any, Any], *, seconds: float | None = None) -> bool:
        """Do the work until it ends (True) or crashes (False); other errors go on. `seconds`: then it is killed."""
        task = asyncio.create_task(work, name="process")
        try:
            await asyncio.wait([task], timeout=seconds)
            if not task.done():
                self.connection.kill()
                task.cancel()
            await task
        except asyncio.CancelledError:
            if not self.is_dead:
                task.cancel()
                raise
        except BaseException as error:
            if not is_crash(error):
                raise
        return not self.is_dead


class _ProcessClock(FakeClock):
    """A dead process does not wake from its sleep."""

    def __init__(self, connection: Connection, skew: float) -> None:
        super().__init__(skew)
        self._connection = connection

    async def sleep(self, seconds: float) -> None:
        self._connection.check_alive()
        await super().sleep(seconds)
        self._connection.check_alive()


class _DatedClock(_ProcessClock):
    """The service's own clock behind a wall clock that may be wrong: set right by the dates of the answers."""

    def __init__(self, connection: Connection, skew: float, aws: FakeClock) -> None:
        super().__init__(connection, skew)
        self._aws = aws
        self._endpoint = ServerTime(self.monotonic, super().now)
        self._times = ServerTimes(self._endpoint)
        connection.on_answer = self._hear
        self._hear(self.monotonic())  # a process has described its tables before anything else

    def _hear(self, sent: float) -> None:
        self._endpoint.heard(formatdate(int(self._aws.now()), usegmt=True), sent)

    def now(self) -> float:
        return self._times.now()

    def offset(self) -> float | None:
        return self._times.offset()


__all__ = ["Crash", "Process", "World"]
