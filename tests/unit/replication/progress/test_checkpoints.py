"""What is saved, when, and that only the owner saves it (I2)."""

from __future__ import annotations

import asyncio

import pytest

from service.errors import LeaseLostError, ThrottledError
from service.model import Position, Shard, ShardId
from service.pipeline_state import Checkpoint, Lease, PipelineRecord
from service.replication.doubts import Doubts
from service.replication.guard_window import GuardWindow
from service.replication.listings import Listings
from service.replication.progress.checkpoints import Checkpoints
from service.replication.progress.progress import Progress
from tests.fakes.clock import EPOCH, FakeClock
from tests.fakes.control_store import FakeControlStore
from tests.support.workbench import SHARD, Log, change


class Desk:
    def __init__(self) -> None:
        self.clock = FakeClock()
        self.store = FakeControlStore()
        self.progress = Progress()
        self.window = GuardWindow(guards_all=False)
        self.doubts = Doubts(self.clock)
        self.forgotten: set[ShardId] = set()
        self.listings = Listings({}, EPOCH)
        self.progress.start(SHARD, None, Position())

    async def open(self, **kept: Checkpoint) -> Checkpoints:
        record = await self.store.acquire_lease("a", None, 10, EPOCH)
        lease = Lease(record.owner, record.generation)
        await self.store.adopt_progress(lease)
        return Checkpoints(
            store=self.store,
            lease=lease,
            record=PipelineRecord("arn", checkpoints={ShardId(name): saved for name, saved in kept.items()}),
            progress=self.progress,
            window=self.window,
            doubts=self.doubts,
            forgotten=lambda: self.forgotten,
            listings=self.listings,
            clock=self.clock,
            observer=Log(),
            interval_seconds=1.0,
        )

    def settle(self, *numbers: int) -> None:
        changes = [change("a", number) for number in numbers]
        self.progress.admit(SHARD, changes)
        self.progress.settle(changes)

    @property
    def saved(self) -> PipelineRecord:
        found = self.store.items.progress
        assert found is not None
        return found

    @property
    def saves(self) -> int:
        return [name for name, _ in self.store.table.writes].count("save_progress")


async def test_what_is_settled_is_saved_and_what_was_only_read_is_not():
    desk = Desk()
    checkpoints = await desk.open()
    desk.settle(1, 2)
    desk.progress.admit(SHARD, [change("a", 3)])
    await checkpoints.save_once()
    assert desk.saved.checkpoints[SHARD].position.after == 2


async def test_nothing_new_is_not_saved_again():
    desk = Desk()
    checkpoints = await desk.open()
    desk.settle(1)
    await checkpoints.save_once()
    await checkpoints.save_once()
    assert desk.saves == 1


async def test_a_shard_that_was_not_begun_keeps_its_checkpoint_until_it_is_forgotten_e23():
    desk = Desk()
    old = Checkpoint(ShardId("old"), Position(), is_closed=True)
    checkpoints = await desk.open(old=old)
    await checkpoints.save_once()
    assert desk.saved.checkpoints[ShardId("old")] == old
    desk.forgotten.add(ShardId("old"))
    await checkpoints.save_once()
    assert ShardId("old") not in desk.saved.checkpoints


async def test_when_a_closed_shard_was_last_listed_is_saved_once_it_is_gone_and_while_it_is_listed_nothing_is():
    desk = Desk()
    shard = ShardId("old")
    checkpoints = await desk.open(old=Checkpoint(shard, Position(), is_closed=True, listed_at=EPOCH - 7200))
    await checkpoints.save_once()
    assert desk.saved.checkpoints[shard].listed_at == EPOCH - 7200, "no list has told anything yet"

    desk.listings.add([Shard(shard)], EPOCH)
    await checkpoints.save_once()
    assert desk.saved.checkpoints[shard].listed_at == 0.0, "who restarts counts from its own start"
    saves = desk.saves
    for hour in range(1, 20):
        desk.listings.add([Shard(shard)], EPOCH + hour * 3600)
        await checkpoints.save_once()
    assert desk.saves == saves

    for seconds in (30, 60, 90, 120, 150):
        desk.listings.add([], EPOCH + 19 * 3600 + seconds)
        await asyncio.sleep(EPOCH + 19 * 3600 + seconds - desk.clock.now())
        await checkpoints.save_once()
    assert desk.saved.checkpoints[shard].listed_at == EPOCH + 19 * 3600
    assert desk.saves == saves + 1

    desk.listings.add([Shard(shard)], EPOCH + 20 * 3600)
    await checkpoints.save_once()
    assert desk.saved.checkpoints[shard].listed_at == 0.0


async def test_a_shard_of_the_running_process_is_remembered_by_the_list_too():
    desk = Desk()
    checkpoints = await desk.open()
    desk.settle(1)
    desk.progress.end(SHARD)
    for seconds in (0, 30, 60, 120):
        desk.listings.add([Shard(SHARD)] if not seconds else [], EPOCH + seconds)
        await asyncio.sleep(EPOCH + seconds - desk.clock.now())
        await checkpoints.save_once()
    assert desk.saved.checkpoints[SHARD].listed_at == EPOCH
    assert desk.saved.checkpoints[SHARD].position.after == 1


async def test_what_has_not_changed_is_the_same_object_in_the_next_record():
    """So that a save of thousands of shards finds what changed at once."""
    desk = Desk()
    others = [ShardId(f"shard-{number}") for number in range(3)]
    for shard_id in others:
        desk.progress.start(shard_id, SHARD, Position(), lambda: desk.clock.now() - EPOCH)
    checkpoints = await desk.open(old=Checkpoint(ShardId("old"), Position(), is_closed=True))
    desk.settle(1)
    before = checkpoints.record.checkpoints
    await asyncio.sleep(5)
    desk.settle(2)
    desk.progress.end(others[0])
    after = checkpoints.record.checkpoints
    assert {shard_id for shard_id in after if after[shard_id] is not before[shard_id]} == {SHARD, others[0]}
    assert after[others[0]].is_closed
    await asyncio.sleep(700)
    latest = checkpoints.record.checkpoints
    assert {shard_id for shard_id in latest if latest[shard_id] is not after[shard_id]} == set(others[1:])


async def test_a_table_that_throttles_delays_the_save_and_its_age_shows_e62():
    desk = Desk()
    checkpoints = await desk.open()
    desk.store.fail_next(ThrottledError("slow down"), on="save_progress", times=5)
    saving = asyncio.create_task(checkpoints.save_periodically())
    desk.settle(1)
    await asyncio.sleep(5.5)
    assert checkpoints.unsaved_since == EPOCH + 1
    desk.settle(2)
    await asyncio.sleep(1)
    assert checkpoints.unsaved_since is None
    assert desk.saved.checkpoints[SHARD].position.after == 2
    saving.cancel()


async def test_who_is_not_the_owner_any_more_saves_nothing_e63():
    desk = Desk()
    checkpoints = await desk.open()
    desk.settle(1)
    await checkpoints.save_once()
    taken = await desk.store.acquire_lease("b", desk.store.items.lease, 10, EPOCH)
    await desk.store.adopt_progress(Lease(taken.owner, taken.generation))
    desk.settle(2)
    with pytest.raises(LeaseLostError):
        await checkpoints.save_once()
    assert desk.saved.checkpoints[SHARD].position.after == 1


async def test_while_a_snapshot_runs_a_successor_is_told_to_guard_up_to_now():
    desk = Desk()
    checkpoints = await desk.open()
    desk.window.hold()
    await checkpoints.save_once()
    assert EPOCH + 60 <= desk.saved.guarded_until <= EPOCH + 80
    saves = desk.saves
    await asyncio.sleep(5)
    await checkpoints.save_once()
    assert desk.saves <= saves + 1  # not one a second
    await asyncio.sleep(100)
    await checkpoints.save_once()
    assert desk.saved.guarded_until >= EPOCH + 165


async def test_a_finished_snapshot_mends_the_gaps():
    desk = Desk()
    checkpoints = await desk.open()
    checkpoints._record = PipelineRecord("arn", needs_snapshot=True)
    checkpoints.snapshot_done()
    await checkpoints.save_once()
    assert not desk.saved.needs_snapshot
