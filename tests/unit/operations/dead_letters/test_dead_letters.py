"""Dead letters: listed, shown and discarded, and a redrive beside a crash, a pause and a stop."""

from __future__ import annotations

import asyncio
from datetime import datetime

import pytest

from api.payloads import DeadLetterDetail, DeadLetterEntry
from service.errors import AmbiguousError, RefusedError
from service.operations.console import ConflictError, InvalidError, NotFoundError, UnavailableNowError
from service.operations.documents.jobs import JobState
from tests.fakes.faults import Moment
from tests.fakes.service import Service, until
from tests.fakes.world import World
from tests.support.invariants import check_all
from tests.support.numbered_items import item, key
from tests.support.parked_items import counts, kept, parked


async def test_a_letter_is_listed_as_the_contract_says():
    async with Service(World()) as service:
        ids = await parked(service, item(1))
        entries, cursor = await service.letters.page(10, None)
        assert cursor is None
        assert set(entries[0]) == {
            "id", "shard_id", "sequence_number", "event_name", "keys", "error", "attempts", "failed_at",
        }  # fmt: skip
        entry = DeadLetterEntry.model_validate(entries[0])
        assert (entry.id, entry.keys, entry.event_name) == (ids[0], key(1), "INSERT")
        assert entry.sequence_number == str(service.world.source.history[service.world.source.key(key(1))][-1].sequence)
        assert isinstance(entry.failed_at, datetime)


async def test_a_list_goes_on_from_its_cursor():
    async with Service(World()) as service:
        ids = await parked(service, item(1), item(2), item(3))
        first, cursor = await service.letters.page(2, None)
        second, end = await service.letters.page(2, cursor)
        assert [entry["id"] for entry in first + second] == ids
        assert end is None


async def test_a_cursor_that_is_none_is_refused():
    async with Service(World()) as service:
        with pytest.raises(InvalidError):
            await service.letters.page(2, "nonsense")


async def test_a_letter_is_shown_with_its_whole_record():
    async with Service(World()) as service:
        ids = await parked(service, item(1, "17"))
        found = DeadLetterDetail.model_validate(await service.letters.found(ids[0]))
        assert found.record["dynamodb"]["NewImage"] == item(1, "17")
        with pytest.raises(NotFoundError):
            await service.letters.found("0")


async def test_a_control_table_that_does_not_answer_is_told():
    async with Service(World()) as service:
        await service.flow()
        service.world.plan.fail_next("control.list_dead_letters", RefusedError("denied", "AccessDeniedException"))
        with pytest.raises(UnavailableNowError):
            await service.letters.page(10, None)


async def test_a_crash_between_the_write_and_the_letters_end_is_harmless():
    world = World()
    service = await Service(world).open()
    ids = await parked(service, item(1))
    world.plan.fail_next("control.delete_dead_letter", RefusedError("denied", "AccessDeniedException"), times=1000)
    job = await service.letters.redrive(await service.flow(), ids)
    assert (job.state, bool(world.replica.items)) == (JobState.RUNNING, True)
    await service.die()
    async with Service(world) as next_one:
        world.plan._scripted.clear()
        await until(lambda: kept(world) == 0)
        await next_one.until_caught_up()
        ended = await next_one.letters.redrives.found(job.id)
        assert (ended.state, ended.redriven, ended.superseded) == (JobState.DONE, 0, 1)
        check_all(world)


async def test_a_letter_is_discarded_once():
    async with Service(World()) as service:
        ids = await parked(service, item(1))
        flow = await service.flow()
        await service.letters.discard(ids[0])
        assert flow.dead_letters.counted.value == kept(service.world) == 0
        with pytest.raises(NotFoundError):
            await service.letters.discard(ids[0])


async def test_a_letter_is_discarded_where_nothing_replicates():
    async with Service(World()) as service:
        ids = await parked(service, item(1))
        await service.letters.discard(ids[0])
        assert kept(service.world) == 0


async def test_a_letter_that_is_being_redriven_is_not_discarded():
    async with Service(World()) as service:
        ids = await parked(service, item(1))
        await service.flow()
        service.world.plan.outage("replica", service.process.clock.now(), service.process.clock.now() + 60)
        redriving = asyncio.create_task(service.redrive(ids))
        await asyncio.sleep(10)
        with pytest.raises(ConflictError):
            await service.letters.discard(ids[0])
        assert await redriving == counts(redriven=1)


async def test_nothing_is_redriven_in_a_pause():
    async with Service(World()) as service:
        ids = await parked(service, item(1))
        service.pipeline.show_paused(True)
        with pytest.raises(ConflictError):
            await service.redrive(ids)
        service.pipeline.show_paused(False)


async def test_a_stop_ends_a_redrive_that_can_not_go_on():
    async with Service(World(), shutdown_timeout_seconds=5) as service:
        ids = await parked(service, item(1))
        service.world.plan.outage("replica", 0, float("inf"))
        redriving = asyncio.create_task(service.redrive(ids))
        await asyncio.sleep(5)
        service.pipeline.stop()
        with pytest.raises(ConflictError):
            await redriving
        assert kept(service.world) == 1


async def test_lost_answers_of_the_replica_make_nothing_twice():
    async with Service(World()) as service:
        ids = await parked(service, item(1))
        service.world.plan.fail_next(
            "replica.put", AmbiguousError("reset", "ReadTimeoutError"), moment=Moment.AFTER, times=2
        )
        result = await service.redrive(ids)
        assert result["failed"] == 0
        assert kept(service.world) == 0
        check_all(service.world)
