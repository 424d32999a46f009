"""What the transform leaves out does not belong in the replica, and leaves it (I6)."""

from __future__ import annotations

import pytest

from service.model import ViewType
from service.replication.guard_window import GuardWindow
from service.replication.writing.guard import Outcome
from tests.fakes.clock import EPOCH
from tests.fakes.world import World
from tests.support.workbench import Bench, item, key

TRANSFORM = "tests.unit.replication.writing.test_membership:without_secrets"
WINDOWS = [
    {"guards_all": False},
    {"guards_all": False, "until": EPOCH + 1000},
    {"guards_all": True},
    {"guards_all": True, "is_shared": True},
]


def without_secrets(found):
    return None if found["value"] == {"S": "secret"} else found


def bench_with(world: World | None = None, **window) -> Bench:
    return Bench(world, GuardWindow(**({"guards_all": False} | window)), transform=TRANSFORM)


@pytest.mark.parametrize("window", WINDOWS)
async def test_a_change_that_is_left_out_removes_the_item(window):
    bench = bench_with(**window)
    path = await bench.open()
    await path.sink.apply([[bench.put("a", "1")]])
    assert bench.held("a") == item("a", "1")
    await path.sink.apply([[bench.put("a", "secret")]])
    assert bench.held("a") is None
    assert len(bench.settled) == 2
    assert bench.log.settled("applied") == 2
    await path.sink.apply([[bench.put("a", "3")]])
    assert bench.held("a") == item("a", "3")


@pytest.mark.parametrize("window", WINDOWS)
async def test_of_a_group_whose_newest_is_left_out_no_older_state_is_written(window):
    bench = bench_with(**window)
    path = await bench.open()
    await path.sink.apply([[bench.put("a", "1"), bench.put("a", "secret")]])
    assert bench.held("a") is None
    assert not [state for state in bench.world.replica.history.get(key("a"), []) if state.image is not None]
    assert len(bench.settled) == 2


async def test_a_guarded_change_that_is_left_out_of_a_replica_without_the_item_is_skipped():
    bench = bench_with(until=EPOCH + 1000)
    path = await bench.open()
    await path.sink.apply([[bench.put("a", "secret")]])
    assert bench.log.settled("skipped") == 1
    assert bench.log.settled("unchanged") == 0


async def test_a_left_out_change_of_before_does_not_remove_what_belongs_there_now():
    bench = bench_with(until=EPOCH + 1000)
    path = await bench.open()
    old = bench.put("a", "secret")
    bench.put("a", "2")
    bench.world.replica.preset(item("a", "2"))  # a snapshot's: no number tells
    await path.sink.apply([[old]])
    assert bench.held("a") == item("a", "2")


@pytest.mark.parametrize("view_type", [ViewType.KEYS_ONLY, ViewType.OLD_IMAGE])
async def test_a_record_without_an_image_removes_an_item_that_is_left_out_now(view_type):
    bench = bench_with(World(view_type=view_type))
    path = await bench.open()
    await path.sink.apply([[bench.put("a", "1")]])
    await path.sink.apply([[bench.put("a", "secret")]])
    assert bench.held("a") is None


async def test_a_refresh_removes_what_is_left_out():
    bench = bench_with()
    path = await bench.open()
    bench.world.source.preset(item("a", "secret"))
    bench.world.replica.preset(item("a", "secret"))
    assert await path.guard.refresh(key("a")) is Outcome.DELETED
    assert await path.guard.refresh(key("a")) is Outcome.UNCHANGED
    assert bench.held("a") is None


async def test_a_scanned_item_that_is_left_out_is_removed_where_the_replica_holds_it():
    bench = bench_with(until=EPOCH + 1000)
    path = await bench.open()
    bench.world.source.preset(item("held", "secret"), item("absent", "secret"))
    bench.world.replica.preset(item("held", "old"))
    page = path.guard.brought.open_page()
    some = [(key(name), bench.world.source.items[key(name)]) for name in ("held", "absent")]
    assert await path.copier.copy_together(some, page) == {key("absent"): Outcome.UNCHANGED}
    assert await path.copier.copy(key("held"), some[0][1], page) is Outcome.DELETED
    assert bench.held("held") is None
    assert not bench.world.replica.writes[key("absent")]
