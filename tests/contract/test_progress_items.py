"""What service.ports.ControlStore promises of the progress: on the fake, and on the real servers."""

import random
from dataclasses import replace

import pytest

from service.errors import LeaseLostError
from service.model import ItemKey, Position, SequenceNumber, ShardId, StartAt
from service.pipeline_state import Checkpoint, Gap, KeysInDoubt, PipelineRecord
from tests.support.stored_records import DOCUMENT, NOW, lease_of, letter


async def test_a_new_pipeline_has_no_progress(store):
    assert await store.read_progress() is None
    assert await store.adopt_progress(lease_of()) is None
    assert await store.read_progress() is None
    assert await store.adopt_progress(lease_of("second", 2)) is None


def shard(name: str, position: Position, parent: str | None = None, is_closed: bool = False) -> Checkpoint:
    known = (NOW - 600.5, NOW - 3600) if is_closed else (0.0, 0.0)
    return Checkpoint(ShardId(name), position, None if parent is None else ShardId(parent), is_closed, *known)


EVERYTHING = PipelineRecord(
    stream_arn="arn:aws:dynamodb:us-west-2:123456789012:table/orders/stream/2026-11-23T10:15:00.123",
    checkpoints={
        checkpoint.shard_id: checkpoint
        for checkpoint in (
            shard("shardId-1", Position(after=SequenceNumber(7)), is_closed=True),
            shard("shardId-2", Position(after=SequenceNumber("9" * 40)), parent="shardId-1"),
            shard("shardId-3", Position(start=StartAt.LATEST, since=NOW), parent="shardId-1"),
            shard("shardId-4", Position(after=SequenceNumber(1), start=StartAt.LATEST, since=0.1)),
            shard("shardId-5", Position()),
        )
    },
    guarded_until=NOW + 1 / 3,
    snapshot_id="20261123T101500-3f9c",
    replica_id="0a1b2c3d-0000-4000-8000-000000000001",
    shape_fingerprint="0f1e2d3c4b5a69788796a5b4c3d2e1f0",
    gaps=(
        Gap(ShardId("shardId-0"), SequenceNumber("1" * 21), NOW, "24 hours went by: \N{SNOWMAN}"),
        Gap(None, None, NOW + 1, ""),
    ),
    in_doubt=KeysInDoubt((ItemKey(b'{"key":{"S":"a"}}'), ItemKey(b'{"key":{"B":"AA=="}}')), NOW + 60, left_out=3),
    needs_snapshot=True,
)


@pytest.mark.parametrize("record", [EVERYTHING, PipelineRecord("arn")], ids=["everything", "almost nothing"])
async def test_the_next_owner_finds_exactly_what_was_saved(store, record):
    await store.adopt_progress(lease_of())
    await store.save_progress(lease_of(), record)

    assert await store.read_progress() == record
    assert await store.adopt_progress(lease_of("second", 2)) == record


async def test_the_gaps_alone_are_told_too(store):
    assert await store.read_gaps() == ()
    await store.adopt_progress(lease_of())
    assert await store.read_gaps() == ()
    await store.save_progress(lease_of(), EVERYTHING)
    assert await store.read_gaps() == EVERYTHING.gaps


async def test_saving_replaces_all_that_was_saved(store):
    await store.adopt_progress(lease_of())
    await store.save_progress(lease_of(), EVERYTHING)

    await store.save_progress(lease_of(), PipelineRecord("another arn"))

    assert await store.read_progress() == PipelineRecord("another arn")


async def test_what_is_done_to_a_record_after_saving_it_is_not_saved(store):
    record = replace(EVERYTHING, checkpoints=dict(EVERYTHING.checkpoints))
    await store.adopt_progress(lease_of())
    await store.save_progress(lease_of(), record)

    record.checkpoints.clear()
    (await store.read_progress()).checkpoints.clear()

    assert await store.read_progress() == EVERYTHING


async def test_shards_come_move_on_close_and_go_between_saves(store):
    """Three hundred of them, so that most of them lie beside those that changed lately."""
    dice = random.Random(5)
    saved: dict[ShardId, Checkpoint] = {}
    await store.adopt_progress(lease_of())
    for number in range(12):
        names = [f"shardId-{index:020d}-abcdef01" for index in range(25 * number, 300 + 25 * number)]
        busy = names if number == 0 else dice.sample(names, 12) + names[-25:]
        saved |= {
            ShardId(name): shard(name, Position(after=SequenceNumber(10**24 + number)), names[0], dice.random() < 0.3)
            for name in busy
        }
        saved = {shard_id: found for shard_id, found in saved.items() if shard_id in names}
        await store.save_progress(lease_of(), PipelineRecord("arn", dict(saved)))

    assert await store.read_progress() == PipelineRecord("arn", saved)
    assert await store.adopt_progress(lease_of()) == PipelineRecord("arn", saved)
    assert await store.adopt_progress(lease_of("second", 2)) == PipelineRecord("arn", saved)


async def test_another_process_finds_what_many_shards_were_saved_as(store_for):
    names = [f"shardId-{number:020d}-abcdef01" for number in range(700)]
    position = Position(after=SequenceNumber("4" * 30))
    saved = {ShardId(name): shard(name, position, parent=names[0], is_closed=True) for name in names}
    first, second = store_for("orders"), store_for("orders")
    await first.adopt_progress(lease_of())
    await first.save_progress(lease_of(), PipelineRecord("arn", saved))

    assert await second.adopt_progress(lease_of("second", 2)) == PipelineRecord("arn", saved)
    newer = saved | {ShardId(names[0]): shard(names[0], Position())}
    await second.save_progress(lease_of("second", 2), PipelineRecord("arn", newer))
    with pytest.raises(LeaseLostError):
        await first.save_progress(lease_of(), PipelineRecord("arn", {}))

    assert await first.read_progress() == PipelineRecord("arn", newer)


async def test_a_former_owner_saves_nothing(store):
    await store.adopt_progress(lease_of())
    await store.save_progress(lease_of(), EVERYTHING)
    await store.adopt_progress(lease_of("second", 2))

    with pytest.raises(LeaseLostError):
        await store.save_progress(lease_of(), PipelineRecord("stale"))

    assert await store.read_progress() == EVERYTHING


async def test_progress_that_a_later_owner_adopted_is_not_adopted_again(store):
    await store.adopt_progress(lease_of("second", 2))

    with pytest.raises(LeaseLostError):
        await store.adopt_progress(lease_of())


async def test_adopting_twice_is_adopting_once(store):
    await store.adopt_progress(lease_of())
    await store.save_progress(lease_of(), EVERYTHING)

    assert await store.adopt_progress(lease_of()) == EVERYTHING
    await store.save_progress(lease_of(), PipelineRecord("next"))


async def test_nothing_is_saved_before_it_was_adopted(store):
    with pytest.raises(LeaseLostError):
        await store.save_progress(lease_of(), EVERYTHING)

    assert await store.read_progress() is None


async def test_a_time_that_is_no_number_is_refused(store):
    await store.adopt_progress(lease_of())

    with pytest.raises(ValueError, match="no number inf"):
        await store.save_progress(lease_of(), PipelineRecord("arn", guarded_until=float("inf")))


async def test_pipelines_do_not_see_each_other(store_for):
    mine, other = store_for("mine"), store_for("other")
    await mine.acquire_lease("first", None, 10, NOW)
    await mine.set_paused(True)
    await mine.adopt_progress(lease_of())
    await mine.save_progress(lease_of(), EVERYTHING)
    await mine.put_dead_letters([letter()])
    await mine.put_job("replay", "1", DOCUMENT)

    assert await other.read_lease() is None
    assert await other.read_progress() is None
    assert await other.count_dead_letters() is None
    assert await other.get_dead_letter("1") is None
    assert await other.list_jobs("replay", 10) == []
    assert not (await other.acquire_lease("first", None, 10, NOW)).is_paused
