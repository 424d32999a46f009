"""Where a replay begins and ends, and what is refused because nothing is left of it."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta

import pytest

from service.model import SequenceNumber
from service.operations.console import InvalidError, TrimmedAlreadyError
from tests.fakes.service import Service
from tests.fakes.world import World
from tests.support.numbered_items import item, key
from tests.support.replayed_history import HORIZON, caught_up, counts, written


async def test_a_replay_ends_where_the_live_reading_stood():
    async with Service(World()) as service:
        await written(service, *range(10))
        service.world.plan.outage("replica", service.process.clock.now(), service.process.clock.now() + 30)
        job = await service.replays.start(await service.flow(), **HORIZON)
        service.world.source.put(item(77))
        assert counts(await service.replayed(job.id))[0] == 10


async def test_a_sequence_number_begins_with_its_own_record():
    async with Service(World()) as service:
        numbers = await written(service, *range(10))
        job = await service.replay(sequence_number=str(numbers[4]))
        assert counts(job)[0] == 6
        assert job.shard_id == service.world.source.stream.open_shards[0].shard_id


async def test_the_descendants_of_a_shard_are_replayed_and_no_other_shards():
    world = World(shards=2)
    async with Service(world) as service:
        await service.flow()
        numbers: dict[str, list[SequenceNumber]] = {}
        for number in range(20):
            shard_id = world.source.stream.shard_of(world.source.key(key(number))).shard_id
            sequence = world.source.put(item(number))
            assert sequence is not None
            numbers.setdefault(shard_id, []).append(sequence)
        first, second = numbers
        await caught_up(service)
        world.source.stream.split(first)  # type: ignore[arg-type]  # ids are plain in this test
        await written(service, *range(20), value="2")
        start = numbers[first][1]
        job = await service.replay(sequence_number=str(start), shard_id=first)
        records = {shard_id: shard.records for shard_id, shard in world.source.stream.shards.items()}
        others = sum(len(of_shard) for shard_id, of_shard in records.items() if shard_id != second)
        assert counts(job)[0] == others - 1
        assert job.shard_id == first


async def test_a_number_that_several_shards_can_hold_is_replayed_from_all_of_them():
    world = World(shards=3)
    async with Service(world) as service:
        numbers = await written(service, *range(30))
        await written(service, *range(30), value="2")
        job = await service.replay(sequence_number=str(numbers[20]))
        assert counts(job)[0] == 40
        assert job.shard_id is None


async def test_a_time_begins_with_what_was_made_then():
    async with Service(World()) as service:
        await written(service, *range(10))
        await asyncio.sleep(100)
        moment = service.process.clock.now()
        await written(service, *range(3), value="2")
        job = await service.replay(from_time=datetime.fromtimestamp(moment, UTC))
        assert counts(job)[0] == 3


async def test_a_creation_time_that_was_rounded_down_is_not_left_out():
    async with Service(World()) as service:
        await asyncio.sleep(0.7)
        moment = service.process.clock.now()
        await written(service, 1)
        assert counts(await service.replay(from_time=datetime.fromtimestamp(moment, UTC)))[0] == 1


@pytest.mark.parametrize("hours", [-1, 25])
async def test_a_time_of_which_nothing_can_be_left_is_refused(hours: int):
    async with Service(World()) as service:
        numbers = await written(service, 1)
        moment = datetime.fromtimestamp(service.process.clock.now(), UTC) - timedelta(hours=hours)
        if hours < 0:
            with pytest.raises(InvalidError):
                await service.replay(from_time=moment)
            return
        with pytest.raises(TrimmedAlreadyError) as told:
            await service.replay(from_time=moment)
        assert told.value.oldest == str(numbers[0])


async def test_a_number_that_is_trimmed_is_refused_with_the_oldest_that_is_left():
    async with Service(World()) as service:
        numbers = await written(service, *range(10))
        stream = service.world.source.stream
        stream.trim(stream.open_shards[0].shard_id, numbers[3])
        for lost in ("0" * 21, str(numbers[2])):
            with pytest.raises(TrimmedAlreadyError) as told:
                await service.replay(sequence_number=lost)
            assert told.value.oldest == str(numbers[4])
        assert counts(await service.replay(sequence_number=str(numbers[4])))[0] == 6


async def test_a_number_in_a_shard_that_is_gone_is_trimmed():
    async with Service(World()) as service:
        numbers = await written(service, *range(10))
        stream = service.world.source.stream
        parent = stream.open_shards[0].shard_id
        stream.roll()
        newer = await written(service, *range(10), value="2")
        stream.trim(parent)
        with pytest.raises(TrimmedAlreadyError) as told:
            await service.replay(sequence_number=str(numbers[2]))
        assert told.value.oldest == str(newer[0])


async def test_everything_trimmed_leaves_nothing_to_replay():
    async with Service(World()) as service:
        numbers = await written(service, *range(10))
        stream = service.world.source.stream
        stream.trim(stream.open_shards[0].shard_id)
        with pytest.raises(TrimmedAlreadyError) as told:
            await service.replay(sequence_number=str(numbers[2]))
        assert told.value.oldest is None
        assert counts(await service.replay(**HORIZON)) == (0, 0, 0)


@pytest.mark.parametrize("number", ["", "12a", "-1" + "0" * 20, "1" * 41, "9" * 40])
async def test_what_is_no_sequence_number_of_this_stream_is_refused(number: str):
    async with Service(World()) as service:
        await written(service, *range(3))
        with pytest.raises(InvalidError):
            await service.replay(sequence_number=number)


async def test_a_shard_that_can_not_hold_the_number_is_refused():
    async with Service(World()) as service:
        numbers = await written(service, *range(3))
        parent, child = service.world.source.stream.open_shards[0].shard_id, service.world.source.stream.roll()
        await written(service, *range(3), value="2")
        for shard_id in (child, "shardId-00000000000000000000-00000000"):
            with pytest.raises(InvalidError):
                await service.replay(sequence_number=str(numbers[0]), shard_id=shard_id)
        assert counts(await service.replay(sequence_number=str(numbers[0]), shard_id=parent))[0] == 6


async def test_before_anything_was_read_there_is_no_number_to_replay():
    async with Service(World()) as service:
        await service.flow()
        with pytest.raises(InvalidError):
            await service.replay(sequence_number="1" * 25)


@pytest.mark.parametrize("digits", ["1", "123", "9" * 20])
async def test_too_few_digits_are_no_number_of_the_stream_rather_than_a_trimmed_one(digits):
    async with Service(World()) as service:
        await written(service, 1)
        with pytest.raises(InvalidError, match="21 to 40 digits"):
            await service.replays.start(await service.flow(), sequence_number=digits)
