"""service.replication.requests.turns: pipelines of one process take turns at making their requests."""

from __future__ import annotations

import asyncio
import contextlib
from collections import Counter

from service.configuration.settings import ProcessSettings
from service.fleet.budgets import Budgets
from service.replication.requests.turns import IN_A_ROUND
from service.replication.requests.write_gate import WriteLimiter
from tests.fakes.clock import FakeClock


class Rounds:
    """Numbers the rounds of the event loop, as long as it is in its block."""

    def __init__(self) -> None:
        self.number = 0

    async def count(self) -> None:
        while True:
            self.number += 1
            await asyncio.sleep(0)


@contextlib.asynccontextmanager
async def rounds():
    found = Rounds()
    task = asyncio.create_task(found.count())
    await asyncio.sleep(0)
    try:
        yield found
    finally:
        task.cancel()


def gates(*names: str) -> dict[str, WriteLimiter]:
    budgets = Budgets(ProcessSettings(), FakeClock())
    return {name: WriteLimiter(FakeClock(), writers=16, turns=budgets.allowance(len(names)).turns) for name in names}


async def test_of_writers_that_are_ready_at_once_so_many_make_their_requests_in_a_round_each_of_another_pipeline():
    of_round: Counter[int] = Counter()
    of_pipeline: Counter[tuple[int, str]] = Counter()

    async def write(name: str, gate: WriteLimiter, seen: Rounds) -> None:
        await gate.enter(25)
        of_round[seen.number] += 1
        of_pipeline[seen.number, name] += 1
        gate.leave()

    async with rounds() as seen:
        every = gates(*(f"p{number}" for number in range(50))).items()
        await asyncio.gather(*[write(name, gate, seen) for name, gate in every for _ in range(4)])

    assert sum(of_round.values()) == 200
    assert max(of_round.values()) == IN_A_ROUND
    assert max(of_pipeline.values()) == 1


async def test_a_quiet_pipeline_waits_for_one_request_of_each_busy_one_and_not_for_all():
    made: list[str] = []

    async def write(name: str, gate: WriteLimiter) -> None:
        await gate.enter(1)
        made.append(name)
        gate.leave()

    there = gates("busy", "quiet")
    writing = [asyncio.create_task(write("busy", there["busy"])) for _ in range(16)]
    await asyncio.sleep(0)
    await write("quiet", there["quiet"])

    assert made.index("quiet") <= 2
    await asyncio.gather(*writing)


async def test_a_writer_that_is_cancelled_while_it_waits_keeps_nobody_from_a_turn():
    there = gates("a", "b")
    waiting = [asyncio.create_task(there[name].enter(1)) for name in ("a", "a", "b", "a", "b")]
    await asyncio.sleep(0)
    for task in waiting[1:4]:
        task.cancel()
    async with asyncio.timeout(5):
        await waiting[4]
        await there["a"].enter(1)


async def test_a_pause_that_begins_while_a_writer_waits_for_its_turn_holds_it_back():
    there = gates("a", "b")
    waiting = [asyncio.create_task(there[name].enter(1)) for name in ("a", "b", "b")]
    await asyncio.sleep(0)
    there["b"].is_paused = True
    for _ in range(20):
        await asyncio.sleep(0)
    assert [task.done() for task in waiting] == [True, False, False]
    there["b"].resume()
    await asyncio.gather(*waiting)


async def test_a_process_of_one_pipeline_has_no_turns():
    assert Budgets(ProcessSettings(), FakeClock(), is_alone=True).allowance(1).turns is None
