"""A replay: from where, up to where, what it brings, what it leaves alone, and how it goes on after a crash."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from service.errors import ChangeError, UnavailableError
from service.model import Delete, SequenceNumber, ViewType
from service.operations.console import ConflictError, InvalidError, NotFoundError, TrimmedAlreadyError
from service.operations.documents.jobs import JobState, Replay
from tests.fakes.faults import FaultPlan, Rates
from tests.fakes.service import Service, until
from tests.fakes.stream import Timing
from tests.fakes.world import World
from tests.support.invariants import check_all, check_equal, check_never_back

HORIZON: dict[str, Any] = {"from_": "trim_horizon"}


def item(number: int, value: str = "1", **more: Any) -> dict[str, Any]:
    return {"key": {"S": f"key{number}"}, "value": {"N": value}, **more}


def key(number: int) -> dict[str, Any]:
    return {"key": {"S": f"key{number}"}}


async def written(service: Service, *numbers: int, value: str = "1") -> list[SequenceNumber]:
    """These items are in both tables; returns the numbers of their records."""
    await service.flow()
    found = [service.world.source.put(item(number, value)) for number in numbers]
    await caught_up(service)
    return [sequence for sequence in found if sequence is not None]


async def caught_up(service: Service) -> None:
    await asyncio.sleep(5)
    await service.until_caught_up()


def counts(job: Replay) -> tuple[int, int, int]:
    assert (job.state, job.error) == (JobState.DONE, None)
    return job.records_read, job.records_applied, job.records_unchanged


def write_calls(world: World) -> int:
    """Requests to the replica that cost writes, whether they take effect or not."""
    return sum(world.replica.calls[call] for call in ("put", "delete", "write_batch"))


async def with_history(service: Service) -> None:
    """A day in small: items that changed, were deleted, brought back, over a roll and a split."""
    await written(service, *range(30))
    await written(service, *range(10), value="2")
    for number in range(20, 25):
        service.world.source.delete(key(number))
    service.world.source.stream.roll()
    await written(service, 20, 21, 5, value="1")
    service.world.source.stream.split()
    await written(service, *range(3, 8), value="3")


async def test_an_undamaged_replica_is_not_written_to_at_all():
    async with Service(World()) as service:
        await with_history(service)
        before, window = write_calls(service.world), (await service.flow()).window.until
        job = await service.replay(**HORIZON)
        read, applied, unchanged = counts(job)
        assert (read, applied) == (unchanged, 0)
        assert read == 30 + 10 + 5 + 3 + 5
        assert write_calls(service.world) == before
        assert (await service.flow()).window.until == window, "the live stream's batches go on without conditions"
        check_all(service.world)


@pytest.mark.parametrize("view_type", list(ViewType))
@pytest.mark.parametrize("attribute", ["dynamirror_sequence", ""])
async def test_every_kind_of_stream_leaves_an_undamaged_replica_alone(view_type: ViewType, attribute: str):
    world = World(view_type=view_type, sequence_attribute=attribute)
    async with Service(world, sequence_attribute=attribute) as service:
        await with_history(service)
        before = write_calls(world)
        read, applied, unchanged = counts(await service.replay(**HORIZON))
        assert (read, applied) == (unchanged, 0)
        assert write_calls(world) == before


def damage(world: World) -> None:
    """In four ways, and once with the number of the change that the replica had."""
    for number in (1, 4):
        world.replica.lose(key(number))
    world.replica.preset(item(2, "17"))
    world.replica.preset({**item(22), "dynamirror_sequence": {"S": "0" * 40}})
    world.replica.preset({"key": {"S": "key12"}, "value": {"S": "1"}})
    held: Any = world.replica.item(key(6))
    world.replica.preset({**held, "value": {"N": "17"}})


@pytest.mark.parametrize("view_type", list(ViewType))
async def test_a_damaged_replica_is_mended_as_far_as_history_tells(view_type: ViewType):
    world = World(view_type=view_type)
    async with Service(world) as service:
        await with_history(service)
        damage(world)
        assert counts(await service.replay(**HORIZON))[1] == 6
        check_equal(world)
        assert counts(await service.replay(**HORIZON))[1] == 0
        world.source.put(item(1, "5"))
        world.source.delete(key(2))
        await caught_up(service)
        check_equal(world)


async def test_a_dry_run_tells_what_would_change_and_changes_nothing():
    async with Service(World()) as service:
        await with_history(service)
        damage(service.world)
        before = write_calls(service.world)
        job = await service.replay(**HORIZON, dry_run=True)
        assert counts(job)[1] == 6
        assert job.dry_run
        assert write_calls(service.world) == before


async def test_only_what_the_source_still_holds_is_brought():
    """The replica lost key1, and the source has moved on: no state of before may show."""
    async with Service(World()) as service:
        await written(service, 1, value="1")
        await written(service, 1, value="2")
        service.world.replica.lose(key(1))
        service.world.source.stream.timing.record_delay = (100.0, 100.0)
        service.world.source.put(item(1, "3"))
        assert counts(await service.replay(**HORIZON)) == (2, 0, 2)
        await asyncio.sleep(120)
        check_all(service.world)


async def test_a_live_change_that_is_behind_what_a_replay_brought_does_not_take_it_back():
    """The source went 1, gone, 2, 1. The replica shows that it is gone, then the replay's 1, and 2 comes after it."""
    async with Service(World()) as service:
        world = service.world
        await written(service, 1, value="1")
        world.source.stream.roll()
        world.source.delete(key(1))
        await caught_up(service)
        world.source.stream.timing.record_delay = (100.0, 100.0)
        world.source.put(item(1, "2"))
        await asyncio.sleep(10)
        world.source.put(item(1, "1"))
        assert counts(await service.replay(**HORIZON)) == (2, 1, 1)
        assert world.replica.item(key(1)) is not None
        await asyncio.sleep(120)
        shown = world.replica.history[world.replica.key(key(1))][2:]
        assert all(state.image is not None and b'"N":"1"' in state.image for state in shown)
        check_all(world)


async def test_a_replay_does_not_move_the_live_reading():
    async with Service(World()) as service:
        await with_history(service)
        flow = await service.flow()
        before = flow.checkpoints.record.checkpoints
        await service.replay(**HORIZON)
        assert flow.checkpoints.record.checkpoints == before


async def test_a_replay_ends_where_the_live_reading_stood():
    async with Service(World()) as service:
        await written(service, *range(10))
        service.world.plan.outage("replica", service.process.clock.now(), service.process.clock.now() + 30)
        job = await service.replays.start(await service.flow(), **HORIZON)
        service.world.source.put(item(77))
        assert counts(await service.replayed(job.id))[0] == 10


async def test_what_was_read_and_is_not_applied_yet_is_waited_for():
    async with Service(World()) as service:
        await written(service, 1)
        service.world.plan.outage("replica", service.process.clock.now(), service.process.clock.now() + 30)
        service.world.source.put(item(1, "2"))
        await asyncio.sleep(3)
        job = await service.replays.start(await service.flow(), **HORIZON)
        await asyncio.sleep(10)
        assert (await service.replays.found(job.id)).records_read == 0
        assert counts(await service.replayed(job.id)) == (2, 0, 2)
        check_all(service.world)


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


async def test_a_second_replay_is_refused_while_one_runs():
    async with Service(World()) as service:
        await written(service, *range(3))
        await service.adapters.control.set_paused(True)
        service.pipeline.show_paused(True)
        flow = await service.flow()
        job = await service.replays.start(flow, **HORIZON)
        with pytest.raises(ConflictError):
            await service.replays.start(flow, **HORIZON)
        await service.adapters.control.set_paused(False)
        service.pipeline.show_paused(False)
        assert counts(await service.replayed(job.id))[0] == 3
        assert [each.id for each in await service.replays.newest()] == [job.id]
        with pytest.raises(NotFoundError):
            await service.replays.found("none")


async def test_a_paused_pipeline_replays_nothing():
    async with Service(World()) as service:
        await written(service, *range(3))
        service.world.replica.lose(key(1))
        await service.adapters.control.set_paused(True)
        service.pipeline.show_paused(True)
        job = await service.replays.start(await service.flow(), **HORIZON)
        await asyncio.sleep(20)
        assert (await service.replays.found(job.id)).records_read == 0
        await service.adapters.control.set_paused(False)
        service.pipeline.show_paused(False)
        assert counts(await service.replayed(job.id)) == (3, 1, 2)


async def test_a_replay_goes_on_after_a_crash_where_it_was():
    world = World()
    service = await Service(world, queue_max_records=10).open()
    await written(service, *range(200))
    world.replica.lose(key(199))
    world.source.stream.timing.empty_pages = 0.9
    job = await service.replays.start(await service.flow(), **HORIZON)
    await until(lambda: any(name == "save_job" and saved(what) > 50 for name, what in world.control.writes))
    await service.die()
    world.source.stream.timing.empty_pages = 0.0
    async with Service(world) as next_one:
        await next_one.flow()
        await next_one.replays.has_looked.wait()
        resumed = await next_one.replays.found(job.id)
        assert resumed.records_read >= 50
        assert counts(await next_one.replayed(job.id)) == (200, 1, 199)
        check_all(world)


async def test_a_replay_whose_range_somebody_has_deleted_fails_and_the_flow_goes_on():
    world = World()
    service = await Service(world, queue_max_records=10).open()
    await written(service, *range(200))
    world.source.stream.timing.empty_pages = 0.9
    job = await service.replays.start(await service.flow(), **HORIZON)
    await service.die()
    world.control.of("source--replica").fixed.clear()
    async with Service(world) as next_one:
        await next_one.flow()
        await next_one.replays.has_looked.wait()
        failed = await next_one.replays.found(job.id)
        assert failed.state is JobState.FAILED
        assert "begin another replay" in (failed.error or "")
        await next_one.until_caught_up()
        world.source.stream.timing.empty_pages = 0.0
        assert counts(await next_one.replay(**HORIZON))[0] == 200


async def test_one_that_is_asked_for_before_the_unfinished_one_is_found_is_not_a_second_run():
    world = World()
    service = await Service(world, queue_max_records=10).open()
    await written(service, *range(200))
    world.source.stream.timing.empty_pages = 0.9
    job = await service.replays.start(await service.flow(), **HORIZON)
    await service.die()
    world.plan.fail_next("control.read_slot", UnavailableError("away"), times=12)
    async with Service(world, queue_max_records=10) as next_one:
        flow = await next_one.flow()
        assert not next_one.replays.has_looked.is_set()
        with pytest.raises(ConflictError, match=job.id):
            await next_one.replays.start(flow, **HORIZON)


def saved(what: Any) -> int:
    return int(what.document["document"].get("records_read", 0))


@pytest.mark.parametrize("digits", ["1", "123", "9" * 20])
async def test_too_few_digits_are_no_number_of_the_stream_rather_than_a_trimmed_one(digits):
    async with Service(World()) as service:
        await written(service, 1)
        with pytest.raises(InvalidError, match="21 to 40 digits"):
            await service.replays.start(await service.flow(), sequence_number=digits)


async def test_a_replay_whose_records_are_trimmed_meanwhile_fails_and_says_so():
    async with Service(World(), queue_max_records=10) as service:
        numbers = await written(service, *range(100))
        service.world.source.stream.timing.empty_pages = 0.9
        job = await service.replays.start(await service.flow(), sequence_number=str(numbers[5]))
        await asyncio.sleep(3)
        stream = service.world.source.stream
        stream.trim(stream.open_shards[0].shard_id)
        ended = await service.replayed(job.id)
        assert ended.state is JobState.FAILED
        assert ended.error is not None
        assert "verification" in ended.error
        assert service.report.status().state == "running"


async def test_all_that_is_left_may_become_less_meanwhile():
    async with Service(World(), queue_max_records=10) as service:
        numbers = await written(service, *range(100))
        service.world.source.stream.timing.empty_pages = 0.9
        job = await service.replays.start(await service.flow(), **HORIZON)
        await asyncio.sleep(3)
        stream = service.world.source.stream
        stream.trim(stream.open_shards[0].shard_id, numbers[90])
        read, _, _ = counts(await service.replayed(job.id))
        assert 9 <= read < 100


async def test_a_shard_that_vanishes_before_it_is_replayed_ends_a_replay_from_a_number():
    async with Service(World(shards=1), queue_max_records=10) as service:
        numbers = await written(service, *range(50))
        stream = service.world.source.stream
        child = stream.roll()
        await written(service, *range(50), value="2")
        stream.roll()
        await written(service, *range(50), value="3")
        stream.timing.empty_pages = 0.9
        job = await service.replays.start(await service.flow(), sequence_number=str(numbers[0]))
        await asyncio.sleep(2)
        stream.trim(child)
        assert (await service.replayed(job.id)).state is JobState.FAILED


async def test_a_stream_that_was_recreated_ends_a_replay():
    world = World()
    service = await Service(world, on_gap="snapshot", queue_max_records=10).open()
    await written(service, *range(100))
    world.source.stream.timing.empty_pages = 0.9
    job = await service.replays.start(await service.flow(), **HORIZON)
    await asyncio.sleep(2)
    await service.die()
    world.source.recreate_stream()
    async with Service(world, on_gap="snapshot") as next_one:
        ended = await next_one.replayed(job.id)
        assert ended.state is JobState.FAILED
        assert "re-created" in (ended.error or "")


async def test_a_record_that_the_replica_refuses_becomes_one_dead_letter():
    async with Service(World()) as service:
        await written(service, *range(3))
        service.world.replica.lose(key(1))
        service.world.replica.poison = lambda write: ChangeError("refused")
        for _ in range(2):
            assert counts(await service.replay(**HORIZON)) == (3, 0, 2)
            letters, _ = await service.letters.page(10, None)
            assert [letter["keys"] for letter in letters] == [key(1)]
            assert (await service.flow()).dead_letters.count == 1


async def test_the_filters_of_the_stream_are_those_of_a_replay():
    transform = "tests.support.transforms:without_drafts"
    async with Service(World(), transform=transform, skip_ttl_deletes=True) as service:
        await written(service, 1, 2)
        service.world.source.put(item(3, draft={"BOOL": True}))
        service.world.source.delete(key(2), is_ttl=True)
        await caught_up(service)
        before = write_calls(service.world)
        assert counts(await service.replay(**HORIZON)) == (4, 0, 4)
        assert write_calls(service.world) == before
        service.world.replica.lose(key(1))
        assert counts(await service.replay(**HORIZON)) == (4, 1, 3)
        assert service.world.replica.item(key(3)) is None
        assert (service.world.replica.item(key(1)) or {})["copied"] == {"BOOL": True}


async def test_records_that_nobody_understands_stop_no_replay():
    async with Service(World()) as service:
        await written(service, 1)
        service.world.source.add_unreadable(key(1))
        await written(service, 2)
        assert counts(await service.replay(**HORIZON)) == (3, 0, 3)
        assert (await service.flow()).dead_letters.count == 1


async def test_a_busy_table_and_a_bad_network_do_not_bring_an_item_back():
    rates = dict.fromkeys(("streams", "source", "replica", "control"), Rates.wild())
    world = World(seed=5, plan=FaultPlan(5, rates, budget=200), timing=Timing.wild(), shards=2, max_latency=0.1)
    async with Service(world, start_at="trim_horizon") as service:
        await service.flow()

        async def write() -> None:
            for step in range(300):
                number = step * 7 % 20
                if step % 5:
                    world.source.put(item(number, str(step % 3)))
                else:
                    world.source.delete(key(number))
                if step % 60 == 59:
                    world.source.stream.split()
                if step % 40 == 20:
                    world.replica.lose(key(number))
                await asyncio.sleep(0.3)

        async def replayed() -> JobState:
            while True:
                with suppress(ConflictError):  # so many lost answers in a row may cost the lease
                    return (await service.replay(**HORIZON)).state
                await asyncio.sleep(1)

        writing = asyncio.create_task(write())
        ended = []
        while not writing.done():
            ended.append(await replayed())
        await asyncio.sleep(30)
        ended.append(await replayed())
        assert set(ended) == {JobState.DONE}
        await caught_up(service)
        check_never_back(world)
        check_equal(world)


async def test_an_item_that_the_replica_can_not_delete_is_told():
    async with Service(World()) as service:
        await written(service, 1)
        service.world.source.delete(key(1))
        await caught_up(service)
        service.world.replica.preset(item(1))
        service.world.replica.poison = lambda write: ChangeError("no") if isinstance(write, Delete) else None
        assert counts(await service.replay(**HORIZON)) == (2, 0, 1)
        assert (await service.flow()).dead_letters.count == 1


async def test_a_replay_removes_what_the_transform_leaves_out_and_a_dry_run_counts_it():
    async with Service(World(), transform="tests.support.transforms:without_drafts") as service:
        service.world.source.put(item(1))
        service.world.source.put(item(1, draft={"BOOL": True}))
        await caught_up(service)
        service.world.replica.preset(item(1, "9"))
        assert counts(await service.replay(**HORIZON, dry_run=True)) == (2, 1, 1)
        assert service.world.replica.item(key(1)) is not None
        assert counts(await service.replay(**HORIZON)) == (2, 1, 1)
        assert service.world.replica.item(key(1)) is None
