"""What saving the progress of thousands of shards costs."""

from __future__ import annotations

import random
from collections.abc import Mapping
from typing import Any

from service.aws.control.shard_log import COLD_BYTES, MAX_PARTS
from tests.fakes.items import FakeItems, Fate
from tests.support.progress_items import FIRST, SECOND, costs_of, of, opened, parts, record, store_on


async def test_ten_busy_shards_of_five_hundred_cost_what_changed():
    items, saved = FakeItems(), of(range(500))
    store = await opened(items, saved)
    assert items.units > 70, "the shards are as long as AWS's"

    costs = await costs_of(items, store, saved, lambda number: range(10), 60)

    assert max(costs) <= 4
    assert (await store_on(items).adopt_progress(SECOND)) == record(saved)


async def test_ten_others_of_five_hundred_at_each_save_cost_little_more():
    items, saved = FakeItems(), of(range(500))
    store = await opened(items, saved)
    dice = random.Random(3)

    costs = await costs_of(items, store, saved, lambda number: dice.sample(range(500), 10), 200)

    assert max(costs) <= 25
    assert sum(costs) / len(costs) <= 10
    assert len(parts(items)) <= 40, "what does not count any more is deleted"
    assert (await store_on(items).adopt_progress(SECOND)) == record(saved)


async def test_five_hundred_that_all_change_cost_their_size():
    items, saved = FakeItems(), of(range(500))
    store = await opened(items, saved)
    size = items.units

    costs = await costs_of(items, store, saved, lambda number: range(500), 20)

    assert max(costs) <= size + 2


async def test_a_few_shards_are_one_item_and_one_request():
    items, saved = FakeItems(), of(range(20))
    store = await opened(items, saved)
    before = items.requests

    await costs_of(items, store, saved, lambda number: range(number % 5), 100)

    assert parts(items) == []
    assert items.requests == before + 100


async def test_twenty_thousand_listed_shards_two_thousand_of_them_open_are_saved_rolled_and_read():
    items = FakeItems()
    saved = of(range(18_000), is_closed=True) | of(range(18_000, 20_000))
    store = await opened(items, saved)

    idle = await costs_of(items, store, saved, lambda number: [18_000 + number], 5)
    busy = await costs_of(items, store, saved, lambda number: range(18_000, 20_000), 2)
    rolled = {shard_id: saved[shard_id] for shard_id in list(saved)[2000:]}  # the oldest are forgotten
    rolled |= of(range(18_000, 20_000), 7, is_closed=True) | of(range(20_000, 22_000))
    await store.save_progress(FIRST, record(rolled))
    later = await costs_of(items, store, rolled, lambda number: [20_000 + number], 80)

    assert max(idle) <= 8
    assert max(busy) <= 400, "a partition takes 1,000 a second"
    assert sum(later[20:]) / 60 <= 25
    assert len(parts(items)) <= MAX_PARTS + 20
    before = items.read_units
    assert await store_on(items).adopt_progress(SECOND) == record(rolled)
    assert items.read_units - before < 2000


async def test_more_shards_than_an_item_holds_may_change_at_once():
    items, saved = FakeItems(), of(range(3000))
    store = await opened(items, saved)

    await costs_of(items, store, saved, lambda number: range(3000), 8)

    assert len(parts(items)) < 2 * MAX_PARTS
    assert await store_on(items).adopt_progress(SECOND) == record(saved)


async def test_a_take_over_writes_one_item_alone():
    items = FakeItems()
    await opened(items, of(range(500)))
    written: list[str] = []

    def note(operation: str, request: Mapping[str, Any]) -> Fate:
        if operation not in ("GetItem", "Query"):
            written.append(request["Key"]["item"]["S"])
        return Fate.ANSWERED

    items.on_request = note
    await store_on(items).adopt_progress(SECOND)

    assert written == ["progress"]


async def test_what_stands_still_takes_little_of_what_each_save_costs():
    items, saved = FakeItems(), of(range(100))
    store = await opened(items, saved)

    costs = await costs_of(items, store, saved, lambda number: [number % 100], 300)

    assert max(costs) <= 6 * COLD_BYTES // 1024
    assert sum(costs) / len(costs) < 5
