"""Replays beside random histories, damage, crashes and reshards: I3, and a replica that is mended in the end."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from service.model import SequenceNumber, ViewType
from service.operations.console import OperationError
from service.operations.documents.jobs import JobState
from tests.fakes.clock import run_virtual
from tests.fakes.faults import FaultPlan, Moment, Rates
from tests.fakes.images import item_of
from tests.fakes.service import Service
from tests.fakes.stream import Timing
from tests.fakes.world import World
from tests.support.histories.random_histories import WAITS, Step, slow
from tests.support.invariants import check_equal, check_never_back, check_one_in_flight

LATE_SECONDS = 20.0
"""Longer than any record, child or ending of Timing.wild() is late."""
PORTS = ("streams", "source", "replica", "control")
WRITES = ("put", "put", "put", "delete", "wait")
RESHARDS = ("roll", "split")
DAMAGE = ("lose", "change", "strip")
CRASHES = ("crash", "kill", "stop")
REPLAYS = ("replay", "replay", "dry_run")


@st.composite
def steps(draw: st.DrawFn, kinds: Sequence[str], keys: int) -> Step:
    kind = draw(st.sampled_from(kinds))
    match kind:
        case "put":
            return kind, draw(st.integers(0, keys - 1)), draw(st.integers(0, 2))
        case "delete" | "lose" | "change" | "strip":
            return kind, draw(st.integers(0, keys - 1))
        case "wait":
            return kind, draw(st.sampled_from(WAITS))
        case "roll" | "split":
            return kind, draw(st.integers(0, 3))
        case "replay" | "dry_run":
            return kind, draw(st.sampled_from(["horizon", "number", "time"])), draw(st.integers(0, 99))
        case "crash":
            return kind, draw(st.integers(1, 40)), draw(st.sampled_from(["BEFORE", "MIDDLE", "AFTER"]))
        case _:
            return (kind,)


def histories(*more: Sequence[str], keys: int = 4) -> st.SearchStrategy[list[Step]]:
    kinds = [*WRITES * max(1, len(more)), *[kind for group in more for kind in group]]
    return st.lists(steps(kinds, keys), min_size=8, max_size=60)


def key(number: int) -> dict[str, Any]:
    return {"key": {"S": f"k{number}"}}


class Operator:
    """Plays a history on one world; where its process has died, the next one starts."""

    def __init__(self, seed: int, *, has_faults: bool, view_type: ViewType, attribute: str, is_late: bool) -> None:
        rates = dict.fromkeys(PORTS, Rates.wild()) if has_faults else {}
        self.random = random.Random(seed)
        self.world = World(
            seed,
            view_type=view_type,
            shards=self.random.randint(1, 2),
            timing=Timing.wild() if is_late else Timing(),
            plan=FaultPlan(seed, rates),
            max_latency=0.05,
            sequence_attribute=attribute,
        )
        self.service = self._new()
        self.replays: set[str] = set()
        self.made: list[SequenceNumber] = []

    def _new(self) -> Service:
        attribute = self.world.replica.sequence_attribute
        return Service(self.world, start_at="trim_horizon", sequence_attribute=attribute, queue_max_records=2)

    async def play(self, history: Sequence[Step]) -> None:
        """Returns caught up, with every replay ended."""
        await self.service.open()
        for kind, *rest in history:
            await self._revive()
            await getattr(self, f"_{kind}")(*rest)
            await asyncio.sleep(self.random.choice([0.0, 0.0, 0.01, 0.2, 1.0]))
        await self.end_of_trouble()

    async def end_of_trouble(self) -> None:
        await asyncio.sleep(LATE_SECONDS)
        await self._revive()
        self.service.process.connection.crash_at(-1)
        await asyncio.sleep(LATE_SECONDS)
        await self._revive()
        await self.service.until_caught_up()
        for replay_id in self.replays:
            await self._ended(replay_id)

    async def _ended(self, replay_id: str) -> None:
        job = await self.service.replayed(replay_id)
        assert job.state is JobState.DONE, job.error

    async def _revive(self) -> None:
        if self.service.running.done() or self.service.process.is_dead:
            await asyncio.wait([self.service.running])
            self.service = await self._new().open()

    async def _put(self, number: int, content: int) -> None:
        self._made(self.world.source.put({**key(number), "value": {"N": str(content)}}))

    async def _delete(self, number: int) -> None:
        self._made(self.world.source.delete(key(number)))

    def _made(self, sequence: SequenceNumber | None) -> None:
        if sequence is not None:
            self.made.append(sequence)

    async def _wait(self, seconds: float) -> None:
        await asyncio.sleep(seconds)

    async def _roll(self, number: int) -> None:
        shards = self.world.source.stream.open_shards
        self.world.source.stream.roll(shards[number % len(shards)].shard_id)

    async def _split(self, number: int) -> None:
        shards = self.world.source.stream.open_shards
        if len(shards) < 8:
            self.world.source.stream.split(shards[number % len(shards)].shard_id)

    async def _lose(self, number: int) -> None:
        if self.world.source.key(key(number)) in self.world.source.history:
            self.world.replica.lose(key(number))

    async def _change(self, number: int) -> None:
        """By a hand that leaves the sequence number alone."""
        held = self.world.replica.items.get(self.world.replica.key(key(number)))
        if held is not None:
            self.world.replica.preset({**item_of(held), "value": {"S": "damaged"}})

    async def _strip(self, number: int) -> None:
        """By a hand that knows of no sequence number; a deleted item may come back so."""
        if self.world.source.key(key(number)) in self.world.source.history:
            self.world.replica.preset({**key(number), "value": {"S": "damaged"}})

    async def _crash(self, calls: int, moment: str) -> None:
        connection = self.service.process.connection
        connection.crash_at(connection.calls + calls, Moment[moment])

    async def _kill(self) -> None:
        await asyncio.sleep(0)  # it has begun to live
        await self.service.die()

    async def _stop(self) -> None:
        self.service.pipeline.stop()
        await self.service.running

    async def _replay(self, start: str, part: int, dry_run: bool = False) -> None:
        flow = self.service.pipeline.replicator
        if flow is None:
            return
        try:
            job = await self.service.replays.start(flow, **self._start(start, part), dry_run=dry_run)
        except OperationError:
            return  # one runs already, or the control table does not answer, or that record was not read yet
        except BaseException:
            if not self.service.process.is_dead:
                raise
            return
        self.replays.add(job.id)

    async def _dry_run(self, start: str, part: int) -> None:
        await self._replay(start, part, dry_run=True)

    def _start(self, start: str, part: int) -> dict[str, Any]:
        if start == "number" and self.made:
            return {"sequence_number": str(self.made[part % len(self.made)])}
        if start == "time":
            return {"from_time": datetime.fromtimestamp(self.service.process.clock.now() - part, UTC)}
        return {"from_": "trim_horizon"}

    # --- verdicts

    async def check_mended(self) -> None:
        """All history is there: a replay of it mends everything, and then has nothing to do."""
        job = await self.service.replay(from_="trim_horizon")
        assert job.state is JobState.DONE, job.error
        check_equal(self.world)
        await self.check_nothing_to_do()

    async def check_nothing_to_do(self) -> None:
        before = self._write_calls()
        job = await self.service.replay(from_="trim_horizon")
        assert (job.state, job.records_applied) == (JobState.DONE, 0)
        assert job.records_read == job.records_unchanged == len(self.made)
        assert self._write_calls() == before

    def _write_calls(self) -> int:
        return sum(self.world.replica.calls[call] for call in ("put", "delete", "write_batch"))

    async def close(self) -> None:
        self.service.pipeline.stop()
        await self.service.running
        check_never_back(self.world)
        check_one_in_flight(self.world)


def play(operator: Operator, history: Sequence[Step], *, is_damaged: bool) -> None:
    async def scenario() -> None:
        await operator.play(history)
        if is_damaged:
            await operator.check_mended()
        else:
            check_equal(operator.world)
            await operator.check_nothing_to_do()
        await operator.close()

    run_virtual(scenario, operator.world.seed)


SEEDS = st.integers(0, 2**32 - 1)
VIEW_TYPES = st.sampled_from([ViewType.NEW_AND_OLD_IMAGES, *ViewType])
ATTRIBUTES = st.sampled_from(["dynamirror_sequence", "dynamirror_sequence", ""])


@given(history=histories(RESHARDS, REPLAYS), seed=SEEDS, view_type=VIEW_TYPES, is_late=st.booleans())
@slow()
def test_a_replay_beside_the_live_stream_takes_nothing_back(
    history: list[Step], seed: int, view_type: ViewType, is_late: bool
):
    operator = Operator(seed, has_faults=False, view_type=view_type, attribute="dynamirror_sequence", is_late=is_late)
    play(operator, history, is_damaged=False)


@given(history=histories(("roll", "delete"), REPLAYS, keys=1), seed=SEEDS)
@slow()
def test_a_source_that_repeats_itself_far_ahead_of_its_stream_is_not_taken_back(history: list[Step], seed: int):
    operator = Operator(
        seed,
        has_faults=False,
        view_type=ViewType.NEW_AND_OLD_IMAGES,
        attribute="dynamirror_sequence",
        is_late=True,
    )
    operator.world.source.stream.timing.record_delay = (4.0, 15.0)
    play(operator, history, is_damaged=False)


@given(history=histories(RESHARDS, REPLAYS, DAMAGE), seed=SEEDS, view_type=VIEW_TYPES, attribute=ATTRIBUTES)
@slow()
def test_a_damaged_replica_is_mended_without_going_back(
    history: list[Step], seed: int, view_type: ViewType, attribute: str
):
    play(
        Operator(seed, has_faults=False, view_type=view_type, attribute=attribute, is_late=True),
        history,
        is_damaged=True,
    )


@given(history=histories(RESHARDS, REPLAYS, CRASHES), seed=SEEDS, view_type=VIEW_TYPES)
@slow()
def test_a_replay_goes_on_through_crashes_and_stops(history: list[Step], seed: int, view_type: ViewType):
    operator = Operator(seed, has_faults=False, view_type=view_type, attribute="dynamirror_sequence", is_late=True)
    play(operator, history, is_damaged=False)


@given(history=histories(RESHARDS, REPLAYS, DAMAGE, CRASHES), seed=SEEDS)
@slow()
def test_everything_at_once_with_a_bad_network(history: list[Step], seed: int):
    operator = Operator(
        seed,
        has_faults=True,
        view_type=ViewType.NEW_AND_OLD_IMAGES,
        attribute="dynamirror_sequence",
        is_late=True,
    )
    play(operator, history, is_damaged=True)
