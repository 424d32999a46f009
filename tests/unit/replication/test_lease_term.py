"""Where a tenure of the lease begins, and what it has to guard."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import Any

import pytest

from service.configuration.settings import load_settings
from service.errors import GapError, HaltError, UnavailableError
from service.model import Position, SequenceNumber, ShardId, StartAt, StreamStatus
from service.pipeline_state import Checkpoint, Gap, LeaseRecord, PipelineRecord
from service.replication.guard_window import MARGIN_SECONDS
from service.replication.lease import LeaseHolder
from service.replication.lease_term import Beginning, LeaseTerm
from service.replication.writing.fingerprint import shape_fingerprint
from tests.fakes.clock import EPOCH
from tests.fakes.world import World
from tests.support.histories.player import Stage
from tests.support.histories.random_histories import Setting
from tests.support.workbench import Log, item

FORMER = LeaseRecord(owner="old", generation=1, renewed_at=EPOCH - 30, lease_seconds=10, renewals=9)


class Office:
    def __init__(self, start_at: str = "trim_horizon", world: World | None = None) -> None:
        self.world = world or World(shards=2)
        self.process = self.world.process()
        self.control: Any = self.process.control
        self.settings = load_settings(
            {
                "DYNAMIRROR_SOURCE_TABLE": "master-table",
                "DYNAMIRROR_REPLICA_TABLE": "replica-table",
                "DYNAMIRROR_START_AT": start_at,
            }
        )

    async def begin(self, former: LeaseRecord | None = None, *, heal: bool = False) -> Beginning:
        ports = self.process
        holder = LeaseHolder(store=ports.control, owner="new", lease_seconds=10, clock=ports.clock, observer=Log())
        await holder.stand_by()
        tenure = LeaseTerm(
            settings=self.settings,
            adapters=ports.adapters,
            source=await self.world.source.describe(),
            lease=holder,
            former=former,
            observer=Log(),
        )
        return await tenure.begin(heal=heal)

    @property
    def saved(self) -> PipelineRecord:
        found = self.world.control.of("source--replica").progress
        assert found is not None
        return found

    def remember(self, **more: Any) -> PipelineRecord:
        """What a former process saved."""
        record = PipelineRecord(self.world.source.stream.arn, **more)
        self.world.control.of("source--replica").progress = record
        return record


async def test_a_first_start_saves_its_positions_before_anything_is_scanned_e65():
    office = Office("snapshot")
    beginning = await office.begin()
    assert office.saved.needs_snapshot
    assert {saved.position.start for saved in office.saved.checkpoints.values()} == {StartAt.LATEST}
    assert office.world.source.calls["scan"] == 0
    assert beginning.at_tip.keys() == office.saved.checkpoints.keys()


async def test_the_tip_of_a_first_start_is_fixed_before_the_start_is_over_e65():
    office = Office("latest")
    office.world.source.put(item("a", "0"))
    beginning = await office.begin()
    office.world.source.put(item("a", "1"))
    found = [await reader.read_once() for reader in beginning.at_tip.values()]
    assert sum(len(page.changes) for page in found if page) == 1


async def test_a_first_start_at_the_trim_horizon_reads_everything():
    beginning = await Office().begin()
    assert beginning.record.checkpoints == {}
    assert beginning.guarded_until == 0.0


async def test_a_first_start_onto_a_replica_that_has_items_is_guarded():
    office = Office()
    office.world.replica.preset(item("a", "1"))
    assert (await office.begin()).guarded_until >= EPOCH + MARGIN_SECONDS


async def test_a_later_start_goes_on_from_what_was_saved():
    office = Office("latest")
    saved = Checkpoint(ShardId("s"), Position(after=SequenceNumber(5)))
    record = office.remember(checkpoints={ShardId("s"): saved})
    beginning = await office.begin(FORMER)
    shape = shape_fingerprint(office.settings)
    assert beginning.record == replace(record, replica_id="replica-table-1", shape_fingerprint=shape)
    assert beginning.at_tip == {}


async def test_after_a_crash_what_was_made_before_the_former_process_surely_stopped_is_guarded_e63():
    office = Office()
    office.remember()
    beginning = await office.begin(FORMER)
    assert beginning.guarded_until == FORMER.renewed_at + FORMER.lease_seconds + MARGIN_SECONDS
    assert beginning.distrusted_until == 0.0


async def test_after_a_clean_stop_nothing_needs_the_guard():
    office = Office()
    office.remember()
    beginning = await office.begin(replace(FORMER, is_released=True, is_clean=True))
    assert (beginning.guarded_until, beginning.distrusted_until) == (0.0, 0.0)


async def test_after_a_stop_that_was_not_clean_the_guard_is_needed():
    office = Office()
    office.remember()
    beginning = await office.begin(replace(FORMER, is_released=True, is_clean=False))
    assert beginning.guarded_until > 0.0


@pytest.mark.parametrize(
    "saved", [{"guarded_until": EPOCH}, {"needs_snapshot": True}], ids=["in its window", "in its snapshot"]
)
async def test_a_process_that_died_in_its_window_leaves_numbers_that_nobody_trusts(saved):
    office = Office()
    office.remember(**saved)
    beginning = await office.begin(FORMER)
    assert beginning.distrusted_until == beginning.guarded_until > 0.0


async def test_a_clean_stop_in_a_window_leaves_the_window():
    office = Office()
    office.remember(guarded_until=EPOCH + 50)
    beginning = await office.begin(replace(FORMER, is_released=True, is_clean=True))
    assert (beginning.guarded_until, beginning.distrusted_until) == (EPOCH + 50, EPOCH + 50)


async def test_a_lease_that_somebody_removed_by_hand_makes_everything_guarded():
    office = Office()
    office.remember()
    beginning = await office.begin(None)
    assert beginning.distrusted_until == beginning.guarded_until >= EPOCH + MARGIN_SECONDS


async def test_a_stream_that_was_created_anew_is_a_gap_e25():
    office = Office()
    office.remember()
    office.world.source.recreate_stream()
    with pytest.raises(GapError, match="re-created"):
        await office.begin(FORMER)


async def test_another_table_that_the_settings_name_is_no_gap_so_that_nothing_replaces_the_replica_by_itself():
    office = Office()
    saved = office.remember(gaps=(Gap(ShardId("s"), None, EPOCH, "the shard s vanished"),))
    orders = "arn:aws:dynamodb:us-west-2:123456789012:table/orders"
    office.world.control.of("source--replica").progress = replace(saved, stream_arn=f"{orders}/stream/2026")
    with pytest.raises(HaltError, match=f"has replicated {orders} so far") as caught:
        await office.begin(FORMER)
    assert not isinstance(caught.value, GapError)
    assert (await office.begin(FORMER, heal=True)).record.needs_snapshot, "a person may ask for it"


async def test_a_gap_that_is_open_outlives_a_restart_although_nothing_shows_it_any_more():
    office = Office()
    office.remember(gaps=(Gap(ShardId("s"), None, EPOCH, "the shard s vanished"),))
    with pytest.raises(GapError, match="the shard s vanished"):
        await office.begin(FORMER)


async def test_a_mending_start_needs_a_snapshot_and_keeps_the_gaps():
    office = Office()
    office.remember()
    office.world.source.recreate_stream()
    office.process = office.world.process()
    beginning = await office.begin(FORMER, heal=True)
    assert beginning.record.needs_snapshot
    assert beginning.record.stream_arn == office.world.source.stream.arn


async def test_a_stream_without_shards_yet_is_waited_for_e24():
    office = Office()
    office.world.source.stream.status = StreamStatus.ENABLING
    for shard in office.world.source.stream.open_shards:
        shard.listed_at += 20
    asyncio.get_running_loop().call_later(30, setattr, office.world.source.stream, "status", StreamStatus.ENABLED)
    await office.begin()
    assert office.world.clock.now() >= EPOCH + 30


async def test_every_request_of_a_start_is_made_again_until_it_is_answered():
    office = Office("snapshot")
    for call in ("control.adopt_progress", "control.save_progress", "streams.iterator", "replica.scan"):
        office.world.plan.fail_next(call, UnavailableError("no connection"), times=3)
    assert (await office.begin()).record == office.saved


async def test_a_pause_outlives_a_restart_e73():
    stage = Stage(Setting(1, is_late=False))
    first = await stage.open()
    await asyncio.sleep(2)
    await stage.operator.set_paused(True)
    await asyncio.sleep(5)
    await first.stop()
    second = stage.enter()
    stage.world.source.put(item("a", "1"))
    await asyncio.sleep(30)
    assert second.pipeline.state == "paused"
    assert stage.world.replica.items == {}
    await stage.close()
    stage.judge().check_all()
