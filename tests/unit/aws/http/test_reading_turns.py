"""service.aws.http.reading_turns: of many pages that come at once, one is read in a round of the event loop."""

from __future__ import annotations

import asyncio

from service.aws.error_codes import Call
from service.aws.http.reading_turns import LONG_BYTES, ReadingTurns
from tests.support.scripted_http import ScriptedHttp, wire_on

CALL = Call("GetRecords", "the shard")
LONG = b" " * (LONG_BYTES + 1) + b"{}"


async def rounds_of(reading: list[asyncio.Task[int]], seen: list[int]) -> list[int]:
    """The round of the event loop in which each was read."""
    while not all(task.done() for task in reading):
        seen[0] += 1
        await asyncio.sleep(0)
    return [task.result() for task in reading]


async def test_long_answers_of_all_pipelines_are_read_in_rounds_of_their_own():
    turns, seen = ReadingTurns(), [0]
    wires = [wire_on(ScriptedHttp(*[LONG] * 5), turns) for _ in range(10)]
    reading = [asyncio.create_task(wire.ask(CALL, b"{}", lambda _: seen[0])) for wire in wires for _ in range(5)]

    rounds = await rounds_of(reading, seen)

    assert len(set(rounds)) == 50
    assert rounds == sorted(rounds), "first come, first served"


async def test_a_short_answer_waits_for_no_turn():
    turns, seen = ReadingTurns(), [0]
    short, long = ScriptedHttp(*[b"{}"] * 20), ScriptedHttp(*[LONG] * 20)
    slow = [asyncio.create_task(wire_on(long, turns).ask(CALL, b"{}", lambda _: seen[0])) for _ in range(20)]
    quick = [asyncio.create_task(wire_on(short, turns).ask(CALL, b"{}", lambda _: seen[0])) for _ in range(20)]

    await rounds_of([*slow, *quick], seen)

    assert max(task.result() for task in quick) < sorted(task.result() for task in slow)[1]


async def test_a_reader_that_is_cancelled_while_it_waits_holds_up_nobody():
    turns = ReadingTurns()
    waiting = [asyncio.create_task(turns.next()) for _ in range(3)]
    await asyncio.sleep(0)
    waiting[0].cancel()
    waiting[1].cancel()

    await asyncio.wait_for(waiting[2], 1.0)
    await asyncio.wait_for(turns.next(), 1.0)
