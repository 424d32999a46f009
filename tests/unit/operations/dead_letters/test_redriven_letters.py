"""What a redrive writes: what the source still holds, unless something newer is there."""

from __future__ import annotations

import asyncio

import pytest

from service.errors import ChangeError, TransientChangeError
from service.model import Put, ViewType
from service.operations.console import NotFoundError
from tests.fakes.service import Service, until
from tests.fakes.world import World
from tests.support.invariants import check_all, check_equal
from tests.support.numbered_items import item, key
from tests.support.parked_items import counts, kept, nothing, parked, refusing


async def test_a_redrive_writes_what_the_source_still_holds():
    async with Service(World()) as service:
        ids = await parked(service, item(1), item(2))
        assert await service.redrive(ids[:1]) == counts(redriven=1)
        assert service.world.replica.item(key(1)) is not None
        assert kept(service.world) == service.report.status().dead_letters == 1
        assert await service.redrive() == counts(redriven=1)
        assert kept(service.world) == service.report.status().dead_letters == 0
        check_all(service.world)


async def test_a_letter_of_an_item_that_is_newer_by_now_is_superseded():
    async with Service(World()) as service:
        ids = await parked(service, item(1, "1"))
        service.world.source.put(item(1, "2"))
        await until(lambda: service.world.replica.item(key(1)) is not None)
        assert await service.redrive(ids) == counts(superseded=1)
        assert kept(service.world) == 0
        check_all(service.world)


async def test_a_letter_that_the_transform_still_refuses_is_superseded_all_the_same():
    async with Service(World(), transform="tests.support.transforms:choking") as service:
        flow = await service.flow()
        for number in (1, 2, 3):
            service.world.source.put(item(number, choke={"BOOL": True}))
        await until(lambda: flow.dead_letters.counted.value == 3)
        service.world.source.put(item(1, "2"))
        await until(lambda: service.world.replica.item(key(1)) is not None)
        service.world.source.delete(key(2))
        await asyncio.sleep(5)
        await service.until_caught_up()
        assert await service.redrive() == counts(superseded=2, failed=1)
        letters, _ = await service.letters.page(10, None)
        assert [letter["keys"] for letter in letters] == [key(3)]


async def test_a_letter_that_the_replica_still_refuses_is_superseded_all_the_same():
    """An item that is invalid is refused before its condition is looked at."""
    async with Service(World()) as service:
        flow = await service.flow()
        service.world.replica.poison = refusing(b"choke")
        for number in (1, 2):
            service.world.source.put(item(number, choke={"BOOL": True}))
        await until(lambda: flow.dead_letters.counted.value == 2)
        service.world.source.put(item(1, "2"))
        await until(lambda: service.world.replica.item(key(1)) is not None)
        assert await service.redrive() == counts(superseded=1, failed=1)


async def test_a_letter_does_not_bring_a_deleted_item_back():
    async with Service(World()) as service:
        ids = await parked(service, item(1))
        service.world.source.delete(key(1))
        await asyncio.sleep(5)
        await service.until_caught_up()
        assert await service.redrive(ids) == counts(superseded=1)
        assert service.world.replica.item(key(1)) is None
        check_all(service.world)


async def test_a_change_that_is_still_on_its_way_does_not_take_a_redriven_item_back():
    """The source went A, B, A: the letter brings A, and B comes after it."""
    async with Service(World()) as service:
        ids = await parked(service, item(1, "1"))
        service.world.source.stream.timing.record_delay = (30.0, 30.0)
        service.world.source.put(item(1, "2"))
        await asyncio.sleep(5)
        service.world.source.put(item(1, "1"))
        assert await service.redrive(ids) == counts(redriven=1)
        await asyncio.sleep(40)
        await service.until_caught_up()
        shown = service.world.replica.history[service.world.replica.key(key(1))]
        assert all(state.image is not None and b'"N":"1"' in state.image for state in shown)
        check_all(service.world)


async def test_what_is_refused_again_stays_with_its_newest_cause():
    async with Service(World()) as service:
        ids = await parked(service, item(1))
        before = (await service.letters.found(ids[0]))["failed_at"]
        await asyncio.sleep(10)
        service.world.replica.poison = lambda write: ChangeError("still no good")
        assert await service.redrive(ids) == counts(failed=1)
        after = await service.letters.found(ids[0])
        assert (after["attempts"], after["error"]) == (2, "still no good")
        assert after["failed_at"] > before
        assert after["record"]["dynamodb"]["NewImage"] == item(1)
        assert kept(service.world) == (await service.flow()).dead_letters.counted.value == 1


async def test_a_cause_that_may_pass_counts_every_try():
    async with Service(World(), max_attempts=3) as service:
        ids = await parked(service, item(1))
        service.world.replica.poison = lambda write: TransientChangeError("a transaction holds the item")
        assert await service.redrive(ids) == counts(failed=1)
        assert (await service.letters.found(ids[0]))["attempts"] == 4


async def test_letters_of_one_key_are_written_in_order():
    async with Service(World()) as service:
        flow = await service.flow()
        for number, cause in enumerate(("too large", "no index takes it", "in a transaction"), 1):
            service.world.replica.poison = lambda write, cause=cause: ChangeError(cause)
            service.world.source.put(item(1, str(number)))
            await until(lambda number=number: flow.dead_letters.counted.value == number)
        service.world.replica.poison = nothing
        assert await service.redrive() == counts(redriven=1, superseded=2)
        check_all(service.world)


async def test_an_unknown_id_is_told_before_anything_is_done():
    async with Service(World()) as service:
        ids = await parked(service, item(1))
        with pytest.raises(NotFoundError):
            await service.redrive([*ids, "0"])
        assert service.world.replica.item(key(1)) is None
        assert kept(service.world) == 1


async def test_a_redriven_delete_deletes_unless_the_item_is_back():
    async with Service(World()) as service:
        flow = await service.flow()
        for number in (1, 2):
            service.world.source.put(item(number))
        await until(lambda: len(service.world.replica.items) == 2)
        service.world.replica.poison = lambda write: None if isinstance(write, Put) else ChangeError("refused")
        for number in (1, 2):
            service.world.source.delete(key(number))
        await until(lambda: flow.dead_letters.counted.value == 2)
        service.world.source.put(item(2, "2"))
        await until(lambda: b'"2"' in service.world.replica.items[service.world.replica.key(key(2))])
        service.world.replica.poison = nothing
        assert await service.redrive() == counts(redriven=1, superseded=1)
        check_all(service.world)


async def test_a_record_that_nobody_understands_is_redriven_by_the_source():
    async with Service(World()) as service:
        flow = await service.flow()
        service.world.source.preset(item(1))
        service.world.source.add_unreadable(key(1))
        await until(lambda: flow.dead_letters.counted.value == 1)
        assert await service.redrive() == counts(redriven=1)
        check_equal(service.world)


async def test_a_letter_that_names_no_item_stays():
    async with Service(World()) as service:
        flow = await service.flow()
        service.world.source.add_unreadable(key(1))
        await until(lambda: flow.dead_letters.counted.value == 1)
        letters = service.world.control.of("source--replica").letters
        for letter_id, letter in letters.items():
            letters[letter_id] = type(letter)(
                letter_id, letter.shard_id, None, "EXPLODE", None, "no Keys", 1, letter.failed_at, b"{}"
            )
        assert await service.redrive() == counts(failed=1)
        assert kept(service.world) == 1
        assert (await service.letters.page(1, None))[0][0]["keys"] is None


async def test_an_item_that_a_snapshot_could_not_write_is_redriven_by_the_source():
    world = World()
    world.source.preset(item(1), item(2))
    async with Service(world) as service:
        flow = await service.flow()
        for number in (1, 2):
            found = world.source.items[world.source.key(key(number))]
            await flow.dead_letters.park_item(world.source.key(key(number)), found, ChangeError("refused"))
        world.source.delete(key(2))
        assert await service.redrive() == counts(redriven=1, superseded=1)
        await service.until_caught_up()
        check_equal(world)


async def test_a_mended_transform_is_applied_anew():
    async with Service(World(), transform="tests.support.transforms:choking") as service:
        flow = await service.flow()
        service.world.source.put(item(1, choke={"BOOL": True}))
        await until(lambda: flow.dead_letters.counted.value == 1)
        assert await service.redrive() == counts(failed=1)
    async with Service(service.world) as mended:
        flow = await mended.flow()
        assert flow.dead_letters.counted.value == 1
        assert await mended.redrive() == counts(redriven=1)
        check_equal(service.world)


async def test_a_stream_without_items_is_redriven_by_the_source():
    async with Service(World(view_type=ViewType.KEYS_ONLY)) as service:
        await parked(service, item(1))
        assert await service.redrive() == counts(redriven=1)
        check_equal(service.world)
