"""DYNAMIRROR_SKIP_TTL_DELETES is an archive: only a REMOVE that is not TTL's, or an operator by name, takes away."""

from __future__ import annotations

import asyncio

import pytest

from service.events import JobChanged, Warned
from service.model import ViewType
from service.operations.documents.jobs import JobState
from service.operations.documents.status import PipelineState
from service.operations.pipeline.outside import Outside
from service.operations.pipeline.pipeline import Pipeline
from service.operations.snapshot.snapshots import Snapshots
from service.ports import Adapters
from service.replication.guard_window import GuardWindow
from service.replication.writing.guard import Outcome
from tests.fakes.clock import EPOCH
from tests.fakes.service import Service, settings_of, until
from tests.fakes.world import World
from tests.support import workbench as benches
from tests.support.numbered_items import item, key
from tests.support.workbench import Bench, Log
from tests.unit.operations.test_refresh_item import replicated

WINDOWS = [{}, {"until": EPOCH + 1000}, {"is_shared": True}]
LOOK_UPS = [ViewType.KEYS_ONLY, ViewType.OLD_IMAGE]


def archive(view_type: ViewType, **window) -> Bench:
    window = GuardWindow(**({"guards_all": False} | window))
    return Bench(World(view_type=view_type), window, skip_ttl_deletes="true")


@pytest.mark.parametrize("window", WINDOWS)
@pytest.mark.parametrize("view_type", list(ViewType))
async def test_of_an_item_that_is_gone_only_a_remove_record_takes_it_away(view_type, window):
    bench = archive(view_type, **window)
    path = await bench.open()
    await path.sink.apply([[bench.put("a", "1")]])
    late = bench.put("a", "2")
    gone = bench.delete("a", is_ttl=True)
    await path.sink.apply([[late]])
    assert bench.held("a") is not None, "who has removed it is not known yet"
    await path.sink.apply([[gone]])
    assert bench.held("a") is not None
    await path.sink.apply([[bench.put("b", "1")]])
    await path.sink.apply([[bench.delete("b")]])
    assert bench.held("b") is None
    assert len(bench.settled) == 5


@pytest.mark.parametrize("view_type", LOOK_UPS)
async def test_a_record_whose_item_is_gone_deletes_at_once_where_there_is_no_archive(view_type):
    bench = Bench(World(view_type=view_type))
    path = await bench.open()
    await path.sink.apply([[bench.put("a", "1")]])
    late = bench.put("a", "2")
    bench.delete("a")
    await path.sink.apply([[late]])
    assert bench.held("a") is None


async def test_a_refresh_removes_nothing_that_the_source_lacks():
    bench = archive(ViewType.NEW_IMAGE)
    guard = (await bench.open()).guard
    bench.world.replica.preset(benches.item("a", "1"))
    assert await guard.refresh(benches.key("a")) is Outcome.STALE
    assert await guard.refresh(benches.key("a"), deletes=True) is Outcome.DELETED


async def test_a_scanned_item_that_differs_and_is_gone_by_now_stays():
    bench = archive(ViewType.NEW_IMAGE, until=EPOCH + 1000)
    path = await bench.open()
    scanned = bench.put("a", "2").image
    bench.delete("a", is_ttl=True)
    bench.world.replica.preset(benches.item("a", "1"))
    assert scanned is not None
    await path.copier.copy(benches.key("a"), scanned, path.guard.brought.open_page())
    assert bench.held("a") == benches.item("a", "1")


async def test_an_operator_removes_by_name_what_the_archive_keeps():
    async with Service(World(), skip_ttl_deletes=True) as service:
        await service.until_caught_up()
        service.world.replica.preset(item(1))
        assert await replicated(service, key(1)) == "deleted"


@pytest.mark.parametrize("lost", ["removed", "left out"])
async def test_the_snapshot_that_mends_a_gap_removes_only_what_is_left_out_and_tells_what_it_kept(lost):
    world = World()
    process = world.process()
    log = Log()

    async def look() -> Outside:
        streams = process.connection.to(world.source.stream, "streams")
        adapters = Adapters(streams, process.source, process.replica, process.control, process.schema, process.clock)
        return Outside(adapters, await world.source.describe(), await world.replica.describe())

    outside = await look()
    pipeline = Pipeline(
        settings=settings_of(
            on_gap="snapshot",
            skip_ttl_deletes=True,
            transform="tests.support.transforms:without_drafts",
        ),
        outside=outside,
        look_again=look,
        owner="the-only-one",
        observer=log,
    )
    Snapshots(pipeline)
    running = asyncio.create_task(process.live(pipeline.run()))
    await until(lambda: pipeline.state is PipelineState.RUNNING)
    for number in range(5):
        world.source.put(item(number))
    await until(lambda: len(world.replica.items) == 5)

    world.source.stream.disable()
    if lost == "removed":
        world.source.delete(key(0))
    else:
        world.source.put(item(0, draft={"BOOL": True}))
    world.source.put(item(1, "2"))
    world.source.recreate_stream()
    await until(lambda: any(event.state is JobState.DONE for event in log.of(JobChanged)))

    assert (world.replica.item(key(0)) is not None) == (lost == "removed")
    texts = [event.text for event in log.of(Warned) if event.topic == "archive"]
    assert [text.split(" that")[0] for text in texts] == ["the snapshot kept 1 items"] * (lost == "removed")
    pipeline.stop()
    await running


async def test_a_late_write_that_brings_a_removed_item_back_is_mended_in_an_archive_too():
    async with Service(World(), skip_ttl_deletes=True) as service:
        await service.until_caught_up()
        service.world.source.put(item(1))
        service.world.source.put(item(2))
        await until(lambda: len(service.world.replica.items) == 2)
        flow = await service.flow()
        flow.doubts.note(list(service.world.replica.items))
        service.world.source.delete(key(1))
        service.world.source.delete(key(2), is_ttl=True)
        await until(lambda: service.world.replica.item(key(1)) is None)
        service.world.replica.preset(item(1))  # a copy's request that was given up: it carries no number
        await service.until_caught_up()
        assert service.world.replica.item(key(1)) is None
        assert service.world.replica.item(key(2)) is not None
