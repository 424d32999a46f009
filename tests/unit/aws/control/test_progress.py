"""What the items of the progress hold after a crash, beside another owner, and from a former version."""

from __future__ import annotations

import contextlib
import itertools
from typing import Any

import pytest

from service.aws.error_codes import Call
from service.errors import AmbiguousError, HaltError, LeaseLostError, ThrottledError
from service.pipeline_state import Checkpoint, Lease, PipelineRecord
from tests.fakes.items import CrashError, FakeItems, Fate
from tests.support.progress_items import (
    ARN,
    FIRST,
    SECOND,
    Checkpoints,
    costs_of,
    of,
    opened,
    parts,
    record,
    store_on,
)


def as_written_before(checkpoints: Checkpoints) -> dict[str, Any]:
    """The item `progress` as the versions before the parts wrote it."""

    def shard(found: Checkpoint) -> dict[str, Any]:
        return {
            "start": {"S": found.position.start.value},
            "since": {"N": repr(found.position.since)},
            "closed": {"BOOL": found.is_closed},
            "checkpoint": {"S": str(found.position.after)},
            "parent": {"S": str(found.parent_id)},
            "read_up_to": {"N": repr(found.read_up_to)},
        }

    return {
        "pipeline": {"S": "orders--orders-copy"},
        "item": {"S": "progress"},
        "generation": {"N": "1"},
        "owner": {"S": "former"},
        "stream_arn": {"S": ARN},
        "guarded_until": {"N": "0.0"},
        "needs_snapshot": {"BOOL": False},
        "gaps": {"L": []},
        "shards": {"M": {shard_id: {"M": shard(found)} for shard_id, found in checkpoints.items()}},
    }


@pytest.mark.parametrize("shards", [3, 300])
@pytest.mark.parametrize("fate", [Fate.CRASH_BEFORE, Fate.CRASH_AFTER])
async def test_progress_of_a_former_version_is_brought_along_through_a_crash_anywhere(shards, fate):
    saved = of(range(shards - 1)) | of([shards - 1], is_closed=True)
    for crash_at in itertools.count():
        items = FakeItems()
        items.preset(as_written_before(saved))
        requests = itertools.count()
        items.on_request = lambda *_, at=crash_at, seen=requests: fate if next(seen) == at else Fate.ANSWERED
        changed = saved | of([0], 9)
        is_saved = False
        store = store_on(items)
        with contextlib.suppress(CrashError):
            assert await store.adopt_progress(SECOND) == record(saved)
            await store.save_progress(SECOND, record(changed))
            is_saved = True
        items.on_request = lambda *_: Fate.ANSWERED
        found = await store_on(items).adopt_progress(Lease("third", 3))
        assert found in (record(saved), record(changed))
        if is_saved:
            assert found == record(changed)
            assert crash_at > 2
            return


async def test_a_former_owner_of_many_shards_saves_nothing_and_harms_nothing():
    items, saved = FakeItems(), of(range(500))
    former = await opened(items, saved)
    present = store_on(items)
    await present.adopt_progress(SECOND)
    await present.save_progress(SECOND, record(saved | of(range(100), 1)))

    with pytest.raises(LeaseLostError, match="belongs to generation 2"):
        await former.save_progress(FIRST, record(of(range(500), 9)))

    await present.save_progress(SECOND, record(saved | of(range(5), 2)))
    assert await store_on(items).read_progress() == record(saved | of(range(5), 2))


async def test_a_former_owner_that_has_tried_often_is_turned_away_all_the_same():
    items, saved = FakeItems(), of(range(500))
    former = await opened(items, saved)
    items.on_request = lambda *_: Fate.THROTTLED
    for number in range(30):
        with pytest.raises(ThrottledError):
            await former.save_progress(FIRST, record(saved | of([1], number)))
    items.on_request = lambda *_: Fate.ANSWERED
    await store_on(items).adopt_progress(SECOND)

    with pytest.raises(LeaseLostError):
        await former.save_progress(FIRST, record(of(range(500), 9)))
    with pytest.raises(LeaseLostError):
        await former.save_progress(FIRST, record(of(range(500), 9)))

    assert await store_on(items).read_progress() == record(saved)


async def test_forgotten_shards_stay_forgotten_wherever_that_is_said():
    """Some of each part are forgotten, so that the parts stay; that they are lies in a part itself after a while."""
    items = FakeItems()
    store = await opened(items, of(range(500)))
    left = of(number for number in range(500) if number % 5 > 1)
    for number in range(1, 4):
        left |= of([2], number)
        await store.save_progress(FIRST, record(left))
    assert any("NULL" in shard for name in parts(items) for shard in items.items[name]["shards"]["M"].values())
    assert await store_on(items).read_progress() == record(left)

    back = left | of(range(0, 500, 5), 7)
    await store.save_progress(FIRST, record(back))
    assert await store_on(items).read_progress() == record(back)
    for number in range(4, 60):  # until the parts are given up, and what was said of them with them
        back |= of(range(number * 8, number * 8 + 8), number)
        await store.save_progress(FIRST, record({shard_id: back[shard_id] for shard_id in list(back)[:100]}))
    assert await store_on(items).read_progress() == record({shard_id: back[shard_id] for shard_id in list(back)[:100]})


async def test_a_save_whose_answer_is_lost_is_the_one_that_counts_or_the_next_is():
    items, saved = FakeItems(), of(range(500))
    store = await opened(items, saved)
    items.on_request = lambda *_: Fate.LATE
    with pytest.raises(AmbiguousError):
        await store.save_progress(FIRST, record(saved | of(range(300), 1)))
    items.on_request = lambda *_: Fate.ANSWERED
    newer = record(saved | of(range(300), 2))
    await store.save_progress(FIRST, newer)

    items.land_late()

    assert await store_on(items).adopt_progress(SECOND) == newer


async def test_what_is_saved_is_shown_while_its_owner_gives_parts_up():
    items, saved = FakeItems(), of(range(500))
    store = await opened(items, saved)
    newer = record(of(range(400, 500), 1))
    requests = itertools.count()
    reading = store_on(items)

    async def page_after_the_next_saves(call: Call, *request: Any) -> Any:
        if call.operation == "Query" and next(requests) == 0:
            for number in range(30):
                await store.save_progress(FIRST, record(newer.checkpoints | of([450], number)))
            await store.save_progress(FIRST, newer)
        return await FakeItems.ask(items, call, *request)

    items.ask = page_after_the_next_saves  # type: ignore[method-assign]  # in the middle of a read
    assert await reading.read_progress() == newer


async def test_a_part_that_a_hand_has_deleted_is_named():
    items = FakeItems()
    await opened(items, of(range(500)))
    gone = parts(items)[0]
    del items.items[gone]

    with pytest.raises(HaltError, match=f"lacks its part {gone}"):
        await store_on(items).adopt_progress(SECOND)
    with pytest.raises(HaltError, match=f"lacks its part {gone}"):
        await store_on(items).read_progress()


async def test_parts_that_a_crash_or_a_hand_has_left_are_deleted():
    items, saved = FakeItems(), of(range(20))
    await opened(items, of(range(500)))
    del items.items["progress"]  # "begin anew", as schemas/README.md tells
    left = len(parts(items))
    assert left > 1

    store = store_on(items)
    assert await store.adopt_progress(SECOND) is None
    for number in range(left):
        await store.save_progress(SECOND, record(saved | of([1], number)))

    assert parts(items) == []


async def test_a_part_that_can_not_be_deleted_now_does_not_fail_the_save():
    items, saved = FakeItems(), of(range(500))
    store = await opened(items, saved)
    items.on_request = lambda operation, _: Fate.THROTTLED if operation == "DeleteItem" else Fate.ANSWERED
    await costs_of(items, store, saved, lambda number: range(number % 50 * 10, number % 50 * 10 + 10), 200)
    left = len(parts(items))
    items.on_request = lambda *_: Fate.ANSWERED

    await costs_of(items, store, saved, lambda number: range(10), 200)

    assert len(parts(items)) < left
    assert await store_on(items).adopt_progress(SECOND) == record(saved)


async def test_a_throttled_save_is_repeated_with_what_changed_meanwhile():
    items, saved = FakeItems(), of(range(500))
    store = await opened(items, saved)
    items.on_request = lambda *_: Fate.THROTTLED
    with pytest.raises(ThrottledError):
        await store.save_progress(FIRST, record(saved | of(range(10), 1)))
    items.on_request = lambda *_: Fate.ANSWERED

    await store.save_progress(FIRST, record(saved | of(range(5, 15), 2)))

    assert await store_on(items).read_progress() == record(saved | of(range(5, 15), 2))


async def test_what_grows_beside_the_shards_is_refused_by_name():
    items = FakeItems()
    store = await opened(items, of(range(3)))
    huge = PipelineRecord("a" * 390_000)

    with pytest.raises(HaltError, match="takes 390... bytes beside its shards"):
        await store.save_progress(FIRST, huge)

    assert await store.read_progress() == record(of(range(3)))
