"""What is saved, when, and that only the owner saves it (I2)."""

from __future__ import annotations

import asyncio

import pytest

from service.control import Checkpoint, Lease, PipelineRecord
from service.errors import LeaseLostError, ThrottledError
from service.model import Position, ShardId
from service.replication.checkpoints import Checkpoints
from service.replication.doubts import Doubts
from service.replication.guard_window import GuardWindow
from service.replication.progress import Progress
from tests.fakes.clock import EPOCH, FakeClock
from tests.fakes.control_store import FakeControlStore
from tests.unit.replication.bench import SHARD, Log, change


class Desk:
    def __init__(self) -> None:
        self.clock = FakeClock()
        self.store = FakeControlStore()
        self.progress = Progress()
        self.window = GuardWindow(guards_all=False)
        self.doubts = Doubts(self.clock)
        self.forgotten: set[ShardId] = set()
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
