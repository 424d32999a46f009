"""A replay's place: what is saved of it, of how many shards, and that it comes back as it was."""

from __future__ import annotations

import random
from typing import Any

import orjson
import pytest

from service.model import SequenceNumber, ShardId
from service.operations.replay.position import ReplayPosition, ShardRange
from service.operations.replay.replays import ReplayMemory
from tests.fakes.control_store import FakeControlStore

ARN = "arn"


def name(number: int) -> ShardId:
    return ShardId(f"shardId-{1_764_000_000_000 + number:020d}-{number:08x}")


def rolled(shards: int, generations: int) -> list[ShardRange]:
    """So many shards, each rolled so often; in no order."""
    found = [
        ShardRange(
            name(generation * shards + shard),
            name((generation - 1) * shards + shard) if generation else None,
            end=SequenceNumber(10**24 + generation * shards + shard),
        )
        for generation in range(generations)
        for shard in range(shards)
    ]
    random.Random(4).shuffle(found)
    return found


def restored(place: ReplayPosition) -> ReplayPosition:
    saved, fixed = orjson.loads(orjson.dumps([place.saved(), place.fixed()]))
    return ReplayPosition.of(saved, fixed)


def test_what_is_saved_every_second_is_short_with_twenty_thousand_shards_at_any_time():
    place = ReplayPosition(ARN, rolled(2000, 10))
    assert len(orjson.dumps(place.fixed())) > 2_000_000
    dice = random.Random(5)
    longest = 0
    replaying: list[ShardRange] = []
    waiting = place.readable()
    while waiting or replaying:  # four at once, in the order in which they may be read
        while waiting and len(replaying) < 4:
            replaying.append(waiting.pop(0))
            replaying[-1].after = SequenceNumber(10**24)
        ended = replaying.pop(dice.randrange(len(replaying)))
        ended.is_done = True
        child = place.stretches.get(name(int(ended.shard_id[8:28]) - 1_764_000_000_000 + 2000))
        waiting += [child] if child is not None else []
        if dice.random() < 0.01:
            longest = max(longest, len(orjson.dumps(place.saved())))
    assert place.readable() == []
    assert longest < 2_000


def test_a_place_comes_back_as_it_was():
    place = ReplayPosition(ARN, rolled(5, 4), from_time=17.5)
    stretches = list(place.stretches.values())
    stretches[3].first = SequenceNumber(5)
    stretches[4].until = 12.5
    for index in (0, 1, 2, 5, 7, 19):
        stretches[index].is_done = True
    stretches[6].after = SequenceNumber(10**30)

    found = restored(place)

    assert found.saved() == place.saved()
    assert found.fixed() == place.fixed()
    assert [stretch.is_done for stretch in found.stretches.values()] == [stretch.is_done for stretch in stretches]
    assert list(found.stretches.values())[6].after == 10**30
    assert (found.stream_arn, found.from_time) == (ARN, 17.5)
    assert found.readable() == place.readable()


def test_parents_come_before_their_children_in_the_range():
    place = ReplayPosition(ARN, [*rolled(3, 50), ShardRange(ShardId("orphan"), ShardId("trimmed"))])
    seen: set[ShardId] = set()
    for stretch in place.stretches.values():
        assert stretch.parent_id in seen or stretch.parent_id not in place.stretches
        seen.add(stretch.shard_id)
    assert len(seen) == 151


FORMER: dict[str, Any] = {
    "stream_arn": ARN,
    "from_time": None,
    "shards": [
        ["child", "parent", None, "300", None, "250"],
        ["parent", None],
        ["other", None, "100", None, 12.5, None],
    ],
}


async def test_a_place_of_a_former_version_is_read_and_kept_in_the_new_form():
    store = FakeControlStore()
    memory = ReplayMemory(store)

    found = await memory.place("job", FORMER)

    assert found is not None
    assert found.stretches[ShardId("parent")].is_done
    assert found.stretches[ShardId("child")].after == 250
    assert [stretch.shard_id for stretch in found.readable()] == ["other", "child"]
    again = await memory.place("job", found.saved())
    assert again is not None
    assert (again.saved(), again.fixed()) == (found.saved(), found.fixed())


@pytest.mark.parametrize("fixed", [None, b"[]", b"{", b'[["a", null]]'])
async def test_a_range_that_is_gone_or_damaged_is_none(fixed):
    store = FakeControlStore()
    place = ReplayPosition(ARN, rolled(2, 2))
    list(place.stretches.values())[3].is_done = True
    if fixed is not None:
        await store.put_fixed("replay", "job", fixed)
    assert await ReplayMemory(store).place("job", place.saved()) is None


async def test_only_ranges_of_older_replays_are_forgotten():
    store = FakeControlStore()
    memory = ReplayMemory(store)
    for job_id in ("1", "2", "3"):
        await memory.keep(job_id, ReplayPosition(ARN, []))
    await memory.forget_before("2")
    assert set(store.items.fixed) == {("replay", "2"), ("replay", "3")}
