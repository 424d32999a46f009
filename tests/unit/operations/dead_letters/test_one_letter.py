"""One letter for one cause of one key, the newest, with its tries."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import Any

import pytest

from service.errors import ChangeError
from service.pipeline_state import DeadLetter
from tests.fakes.service import Service
from tests.fakes.world import World
from tests.support.invariants import check_all
from tests.support.numbered_items import item, key
from tests.support.refused_items import check_count, letters, refusing, settled, taking


async def test_states_of_one_item_are_one_letter_with_the_newest():
    async with Service(World()) as service:
        await service.flow()
        refusing(service.world)
        for value in "12":
            service.world.source.put(item(1, value))
            await settled(service)
        service.world.source.put(item(1, "3"))
        service.world.source.put(item(1, "4"))  # these are tried in one group, the newest first
        await settled(service)
        (entry,), _ = await service.letters.page(10, None)
        whole = await service.letters.found(entry["id"])
        assert (whole["attempts"], whole["record"]["dynamodb"]["NewImage"]) == (4, item(1, "4"))
        assert whole["sequence_number"] == whole["record"]["dynamodb"]["SequenceNumber"]
        check_count(service)
        taking(service.world)
        assert (await service.redrive())["redriven"] == 1
        check_all(service.world)
        check_count(service)


async def test_a_bad_item_and_three_snapshots_over_it_are_one_letter_and_counted_once():
    async with Service(World()) as service:
        flow = await service.flow()
        refusing(service.world)
        service.world.source.put(item(1))
        await settled(service)
        (before,) = letters(service.world)
        held = service.world.source.items[service.world.source.key(key(1))]
        for _ in range(3):
            await flow.dead_letters.park_item(service.world.source.key(key(1)), held, ChangeError("refused"))
        (after,) = letters(service.world)
        assert after == replace(before, attempts=4, failed_at=after.failed_at)
        assert after.event_name == "INSERT", "the record as it came tells the same state, and more"
        check_count(service)


async def test_a_snapshots_letter_takes_the_record_of_the_same_state_and_the_newer_state_stays():
    async with Service(World()) as service:
        flow = await service.flow()
        refusing(service.world)
        service.world.source.preset(item(1), item(2, "7"))
        for number in (1, 2):
            held = service.world.source.items[service.world.source.key(key(number))]
            await flow.dead_letters.park_item(service.world.source.key(key(number)), held, ChangeError("refused"))
        assert [letter.event_name for letter in letters(service.world)] == ["SNAPSHOT"] * 2
        service.world.source.delete(key(1))
        service.world.source.put(item(1))
        await settled(service)
        assert sorted(letter.event_name for letter in letters(service.world)) == ["INSERT", "SNAPSHOT"]
        check_count(service)


@pytest.mark.parametrize("seconds", [1, 27, 300])
async def test_a_newer_state_that_only_a_snapshot_saw_is_what_is_redriven(seconds: float):
    """What the stream had of it was trimmed, or the stream is another one now: its record never comes."""
    async with Service(World()) as service:
        flow = await service.flow()
        refusing(service.world)
        service.world.source.put(item(1, "1"))
        await settled(service)
        await asyncio.sleep(seconds)
        service.world.source.preset(item(1, "2"))
        held = service.world.source.items[service.world.source.key(key(1))]
        await flow.dead_letters.park_item(service.world.source.key(key(1)), held, ChangeError("refused"))
        taking(service.world)
        assert (await service.redrive())["redriven"] == 1
        assert (service.world.replica.item(key(1)) or {})["value"] == {"N": "2"}


async def test_a_record_of_the_same_minute_is_not_older_than_a_scan():
    """Its creation time is rounded down; and what a scan saw may be older than what the stream brought meanwhile."""
    async with Service(World()) as service:
        flow = await service.flow()
        refusing(service.world)
        service.world.source.preset(item(1, "1"))
        scanned = service.world.source.items[service.world.source.key(key(1))]
        for value in "23":
            await flow.dead_letters.park_item(service.world.source.key(key(1)), scanned, ChangeError("refused"))
            service.world.source.put(item(1, value))
            await settled(service)
            (letter,) = letters(service.world)
            assert b'"N":"%b"' % value.encode() in letter.record
            assert letter.event_name == "MODIFY"
        assert letter.attempts == 4


async def test_another_cause_is_another_letter():
    async with Service(World()) as service:
        await service.flow()
        causes = ("409,601 bytes are too many", "409,777 bytes are too many", "no index takes it")
        for number, cause in enumerate(causes):
            refusing(service.world, cause)
            service.world.source.put(item(1, str(number)))
            await settled(service)
        assert sorted(letter.attempts for letter in letters(service.world)) == [1, 2]
        check_count(service)


async def test_a_letter_that_gets_a_newer_record_while_it_is_redriven_stays():
    async with Service(World()) as service:
        flow = await service.flow()
        refusing(service.world)
        service.world.source.put(item(1, "1"))
        await settled(service)
        (before,) = letters(service.world)
        reading = flow.requests.read

        async def read_and_be_late(call: Any, target: str = "source") -> Any:
            found = await reading(call, target)
            if isinstance(found, DeadLetter):
                service.world.source.put(item(1, "2"))
                await asyncio.sleep(5)  # it is refused, and the letter has its record
                taking(service.world)
            return found

        flow.requests.read = read_and_be_late  # type: ignore[method-assign]
        await service.redrive()
        (after,) = letters(service.world)
        assert (after.id, after.attempts) == (before.id, 2)
        assert after.version != before.version
        flow.requests.read = reading  # type: ignore[method-assign]
        await service.redrive()
        check_count(service)
        check_all(service.world)


@pytest.mark.parametrize("is_numbered", [True, False], ids=["numbered", "without a number"])
@pytest.mark.parametrize("has_key", [True, False], ids=["with a key", "without a key"])
async def test_a_record_that_nobody_can_parse_at_the_end_of_a_shard_is_one_letter_and_stays_discarded(
    is_numbered: bool, has_key: bool
):
    world = World()
    service = await Service(world).open()
    await service.flow()
    world.source.put(item(1))
    world.source.add_unreadable(key(1), is_numbered=is_numbered, **({} if has_key else {"Keys": {"k": {"Q": 1}}}))
    await settled(service)
    check_count(service)
    await service.die()
    for _ in range(2):  # after a crash and after a stop
        async with Service(world) as again:
            await settled(again)
            assert len(letters(world)) == 1
            check_count(again)
    if is_numbered:
        assert letters(world)[0].attempts == 1, "the checkpoint passes it"
    async with Service(world) as again:
        await again.letters.discard(letters(world)[0].id)
    for _ in range(2):
        async with Service(world) as again:
            await settled(again)
            assert letters(world) == []
            check_count(again)
            world.source.put(item(2, "9"))
            await settled(again)
            assert world.replica.item(key(2)) is not None


async def test_an_error_that_is_no_unicode_is_kept_as_its_escape():
    async with Service(World()) as service:
        await service.flow()
        refusing(service.world, "half of a pair: \ud800")
        service.world.source.put(item(1))
        await settled(service)
        await service.redrive()
        (letter,) = letters(service.world)
        assert (letter.error, letter.attempts) == ("half of a pair: \\ud800", 2)


async def test_another_record_without_a_number_is_another_letter_whatever_was_discarded():
    world = World()
    async with Service(world) as service:
        await service.flow()
        world.source.add_unreadable(key(1), is_numbered=False, is_first=True)
        await settled(service)
        await service.letters.discard(letters(world)[0].id)
        world.source.add_unreadable(key(1), is_numbered=False, is_first=False)
        await settled(service)
        assert [b'"is_first":false' in letter.record for letter in letters(world)] == [True]
    async with Service(world) as again:
        await settled(again)
        assert [b'"is_first":false' in letter.record for letter in letters(world)] == [True]
        check_count(again)
