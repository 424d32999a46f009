"""A scan asks for less where whole pages, or many at once, take too long."""

from __future__ import annotations

import asyncio
from itertools import groupby, pairwise

from service.errors import AmbiguousError, ThrottledError
from service.model import ItemKey, ScanPage
from service.operations.jobs.scan_throttle import PAGES_A_STEP, STEPS, ScanThrottle
from tests.fakes.command import Command
from tests.fakes.service import Service
from tests.fakes.world import World
from tests.support.damaged_tables import differing, filled, findings
from tests.support.invariants import check_equal
from tests.support.numbered_items import item, key

LEAST, MOST = 100, 1000


class SlowTable:
    """Answers in time for no more than so many items."""

    def __init__(self, in_time: int) -> None:
        self.in_time = in_time
        self.asked: list[int | None] = []
        self.scans = self.most_scans = 0
        self.trouble: Exception = AmbiguousError("no answer in time")

    async def scan(self, segment: int, segments: int, after: ItemKey | None, limit: int | None = None) -> ScanPage:
        self.asked.append(limit)
        self.scans += 1
        self.most_scans = max(self.most_scans, self.scans)
        await asyncio.sleep(1)
        self.scans -= 1
        if limit is None or limit > self.in_time:
            raise self.trouble
        return ScanPage([], None, 0)


async def answers(pressure: ScanThrottle, table: SlowTable, times: int, at_most: int | None = None) -> list[int | None]:
    """What was asked for at each time."""
    table.asked = []
    for _ in range(times):
        try:
            await pressure.scan(table, 0, 1, None, at_most)  # type: ignore[arg-type]
        except type(table.trouble):
            continue
    return table.asked


async def test_after_lost_answers_less_is_asked_for_until_it_is_answered():
    assert await answers(ScanThrottle(), SlowTable(300), 7) == [None, None, None, None, 1000, 500, 250]


async def test_with_answers_more_is_asked_for_again_up_to_whole_pages():
    pressure, table = ScanThrottle(), SlowTable(300)
    assert (await answers(pressure, table, 7))[-1] == 250
    table.in_time = 10 * MOST
    asked = await answers(pressure, table, 3 * 64 * PAGES_A_STEP)
    assert [limit for limit, _ in groupby(asked)] == [250, 500, MOST, None]


async def test_a_table_that_is_slow_by_nature_is_asked_for_too_much_ever_more_seldom():
    pressure, table = ScanThrottle(), SlowTable(100)
    asked = await answers(pressure, table, 3000)
    tried = [number for number, limit in enumerate(asked) if limit == 250]
    waits = [later - sooner for sooner, later in pairwise(tried)]
    assert waits == sorted(waits)
    assert waits[-1] >= 16 * PAGES_A_STEP


async def test_fewer_segments_are_scanned_at_the_same_time_after_lost_answers():
    pressure, table = ScanThrottle(), SlowTable(0)
    for step in STEPS[:5]:
        table.most_scans = 0
        await asyncio.gather(*[answers(pressure, table, 1) for _ in range(step.scans)])
        assert table.most_scans == step.scans
        assert table.asked == [step.items], "those that lose their answers at once count as one"
    await asyncio.gather(*[answers(pressure, table, 1) for _ in range(8)])
    assert table.most_scans == 1


async def test_it_never_asks_for_nothing():
    assert (await answers(ScanThrottle(), SlowTable(0), 30))[-1] == LEAST


async def test_a_pace_that_asks_for_less_is_kept():
    assert await answers(ScanThrottle(), SlowTable(300), 3, at_most=10) == [10, 10, 10]


async def test_throttling_is_waited_out_without_asking_for_less():
    table = SlowTable(0)
    table.trouble = ThrottledError("slow down")
    assert await answers(ScanThrottle(), table, 6) == [None] * 6


async def test_a_scan_that_is_cancelled_makes_room():
    pressure, table = ScanThrottle(), SlowTable(0)
    await answers(pressure, table, 4)
    assert pressure.step.scans == 1
    table.in_time = MOST
    scans = [asyncio.create_task(answers(pressure, table, 1)) for _ in range(3)]
    await asyncio.sleep(0.5)
    for scan in scans[:2]:
        scan.cancel()
    assert await scans[2] == [MOST]


async def test_a_verification_of_tables_that_answer_small_pages_only_comes_to_its_end():
    world = World()
    async with Service(world) as service:
        await filled(service, 3 * MOST)
        world.replica.lose(key(1))
        for table in (world.source, world.replica):
            table.most_in_time = 100
        assert differing(await service.verify()) == {"key1": "missing"}
        assert findings(await service.verify(repair=True)) == {"missing": 1, "repaired": 1}
    check_equal(world)


async def test_a_snapshot_of_a_table_that_answers_small_pages_only_comes_to_its_end():
    world = World()
    world.source.preset(*[item(number) for number in range(3 * MOST)])
    world.source.most_in_time = 100
    assert (await Command(world, start_at="snapshot").snapshot()).items_scanned == 3 * MOST
    check_equal(world)
