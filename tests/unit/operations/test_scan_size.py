"""A scan asks for less where whole pages take too long."""

from __future__ import annotations

from service.errors import AmbiguousError, ThrottledError
from service.model import ItemKey, ScanPage
from service.operations.scan_size import GROWS_AFTER_PAGES, LEAST, MOST, ScanSize
from tests.fakes.judges import check_equal
from tests.fakes.service import Service
from tests.fakes.world import World
from tests.unit.operations.test_standalone_snapshot import Command
from tests.unit.operations.test_verification import differing, filled, findings, item, key


class SlowTable:
    """Answers in time for no more than so many items."""

    def __init__(self, in_time: int) -> None:
        self.in_time = in_time
        self.asked: list[int | None] = []
        self.trouble: Exception = AmbiguousError("no answer in time")

    async def scan(self, segment: int, segments: int, after: ItemKey | None, limit: int | None = None) -> ScanPage:
        self.asked.append(limit)
        if limit is None or limit > self.in_time:
            raise self.trouble
        return ScanPage([], None, 0)


async def answers(size: ScanSize, table: SlowTable, times: int, at_most: int | None = None) -> list[int | None]:
    """What was asked for at each time."""
    table.asked = []
    for _ in range(times):
        try:
            await size.scan(table, 0, 1, None, at_most)  # type: ignore[arg-type]
        except type(table.trouble):
            continue
    return table.asked


async def test_after_a_lost_answer_less_is_asked_for_until_it_is_answered():
    assert await answers(ScanSize(), SlowTable(300), 4) == [None, MOST, MOST // 2, MOST // 4]


async def test_with_answers_more_is_asked_for_again():
    size, table = ScanSize(), SlowTable(300)
    asked = await answers(size, table, 3 + 2 * GROWS_AFTER_PAGES)
    assert asked.count(MOST // 2) == 2, "tried, found too slow, and tried again later"
    table.in_time = 10 * MOST
    assert max((await answers(size, table, 5 * GROWS_AFTER_PAGES))[-GROWS_AFTER_PAGES:]) == MOST


async def test_it_never_asks_for_nothing():
    assert (await answers(ScanSize(), SlowTable(0), 30))[-1] == LEAST


async def test_a_pace_that_asks_for_less_is_kept():
    assert await answers(ScanSize(), SlowTable(300), 3, at_most=10) == [10, 10, 10]


async def test_throttling_is_waited_out_without_asking_for_less():
    table = SlowTable(0)
    table.trouble = ThrottledError("slow down")
    assert await answers(ScanSize(), table, 3) == [None, None, None]


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
    assert (await Command(world).run()).items_scanned == 3 * MOST
    check_equal(world)
