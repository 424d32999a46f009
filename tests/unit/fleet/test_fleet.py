"""service.fleet: many pipelines in one process, of which each starts, fails, restarts and stops on its own."""

from __future__ import annotations

import asyncio

import pytest

from service.errors import ConfigurationError, HaltError
from service.fleet.plans import Apply
from service.operations.console import ConflictError, InvalidError, NotFoundError
from service.replication.allowance import SCANS_AT_ONCE
from tests.fakes.control_store import FakeControlStore
from tests.fakes.fleet import Worlds, entries_of
from tests.fakes.service import until
from tests.support.invariants import check_all, check_equal
from tests.support.numbered_items import item


def put(worlds: Worlds, *tables: str, number: int = 1) -> None:
    for table in tables:
        worlds.world(table).source.put(item(number))


async def check(worlds: Worlds, *tables: str) -> None:
    for table in tables:
        world = worlds.world(table)
        assert world.source.items
        await until(lambda world=world: world.replica.items.keys() == world.source.items.keys())
        check_equal(worlds.world(table))
        check_all(worlds.world(table))


async def test_each_pipeline_replicates_its_own_table():
    worlds = Worlds()
    async with worlds.process(entries_of("orders", "users", "stock")) as process:
        await process.until_caught_up()
        put(worlds, "orders", "users", "stock")
        await process.until_caught_up()

        await check(worlds, "orders", "users", "stock")
        assert {process.status(name).pipeline for name in process.fleet.names()} == {"orders", "users", "stock"}


async def test_a_start_that_is_refused_is_told_by_its_console_and_concerns_no_other():
    worlds = Worlds()
    worlds.refusals["users"] = HaltError("the table users does not exist")
    async with worlds.process(entries_of("orders", "users")) as process:
        await process.until("users", "failed")
        await process.until_caught_up("orders")
        put(worlds, "orders")
        await process.until_caught_up("orders")
        await check(worlds, "orders")

        console = process.fleet.of("users")
        assert console.status().reason == console.not_ready_reason() == "the table users does not exist"
        assert console.status().lag.seconds is None
        with pytest.raises(ConflictError, match="the table users does not exist"):
            await console.pause()

        del worlds.refusals["users"]
        await process.until_caught_up("users")
        put(worlds, "users")
        await process.until_caught_up("users")
        await check(worlds, "users")
        assert process.fleet.of("users").not_ready_reason() is None


async def test_an_error_that_nobody_foresaw_is_one_pipelines_alone_and_its_text_is_not_told():
    worlds = Worlds()
    worlds.refusals["users"] = ValueError("a secret")
    async with worlds.process(entries_of("orders", "users")) as process:
        await process.until("users", "failed")
        await process.until_caught_up("orders")

        assert "ValueError at " in str(process.status("users").reason)
        assert "secret" not in str(process.status("users").reason)


async def test_what_a_start_refuses_is_tried_again_less_and_less_often():
    worlds = Worlds()
    tries: list[float] = []

    class Refusal(dict):
        def get(self, table):
            tries.append(process.fleet._around.clock.monotonic())
            return HaltError("no such table")

    worlds.refusals = Refusal()
    async with worlds.process(entries_of("users")) as process:
        while len(tries) < 7:
            await process.fleet._around.clock.sleep(1)

    waits = [later - earlier for earlier, later in zip(tries, tries[1:], strict=False)]
    assert all(30 <= wait <= 300 for wait in waits)
    assert waits[-1] >= 150


async def test_a_console_is_there_from_the_first_moment():
    worlds = Worlds()
    process = worlds.process(entries_of("orders"))
    async with process:
        status = process.status("orders")
        assert status.state == "starting"
        assert (status.source.table, status.replica.table) == ("orders", "orders-replica")
        with pytest.raises(ConflictError, match="starting"):
            await process.fleet.of("orders").jobs("snapshot")


async def test_a_reload_touches_only_what_has_changed():
    worlds = Worlds()
    async with worlds.process(entries_of("kept", "gone", "changed")) as process:
        await process.until_caught_up()
        process.plans.entries = entries_of("kept", "new") | entries_of("changed", writers=3)

        reloaded = await process.fleet.reload()
        await process.until_caught_up()

        assert (reloaded.started, reloaded.stopped, reloaded.restarted) == (["new"], ["gone"], ["changed"])
        leases = {name: worlds.control.of(name).lease for name in ("kept", "gone", "changed", "new")}
        assert {name: lease.generation for name, lease in leases.items()} == {
            "kept": 1, "gone": 1, "changed": 2, "new": 1,
        }  # fmt: skip
        assert leases["gone"].is_released
        assert leases["gone"].is_clean
        with pytest.raises(NotFoundError, match="'changed', 'kept', 'new'"):
            process.fleet.of("gone")
        put(worlds, "kept", "changed", "new")
        await process.until_caught_up()
        await check(worlds, "kept", "changed", "new")


async def test_a_file_with_an_error_changes_nothing_and_every_problem_is_told():
    worlds = Worlds()
    async with worlds.process(entries_of("orders")) as process:
        await process.until_caught_up()
        process.plans.error = ConfigurationError("line 1: one\nline 2: two")

        with pytest.raises(InvalidError) as raised:
            await process.fleet.reload()

        assert raised.value.problems == ("line 1: one", "line 2: two")
        assert process.status("orders").lag.caught_up


async def test_a_reload_also_restarts_one_whose_start_was_refused():
    worlds = Worlds()
    worlds.refusals["users"] = HaltError("no such table")
    async with worlds.process(entries_of("users")) as process:
        await process.until("users", "failed")
        del worlds.refusals["users"]
        process.plans.entries = entries_of("users", writers=3)

        assert (await process.fleet.reload()).restarted == ["users"]
        await process.until_caught_up("users")


async def test_the_queues_share_the_bound_evenly_and_shares_follow_the_number_of_pipelines():
    worlds = Worlds()
    whole = 8 * 1024 * 1024
    async with worlds.process(entries_of("aaa", "bbb", queue_max_bytes=whole)) as process:
        await process.until_caught_up()
        assert process.status("aaa").queue.max_bytes == whole // 2

        process.plans.entries = entries_of("aaa", "bbb", "ccc", "ddd", queue_max_bytes=whole)
        await process.fleet.reload()
        await process.until_caught_up()

        assert {process.status(name).queue.max_bytes for name in process.fleet.names()} == {whole // 4}


async def test_a_stop_releases_every_lease():
    worlds = Worlds()
    process = await worlds.process(entries_of("aaa", "bbb", "ccc")).start()
    await process.until_caught_up()

    await process.stop()

    assert all(worlds.control.of(name).lease.is_released for name in ("aaa", "bbb", "ccc"))


async def test_a_killed_process_leaves_its_leases_and_the_next_one_takes_each_of_them():
    worlds = Worlds()
    process = await worlds.process(entries_of("aaa", "bbb"), "first").start()
    await process.until_caught_up()
    put(worlds, "aaa")
    await process.die()
    put(worlds, "aaa", "bbb", number=2)

    async with worlds.process(entries_of("aaa", "bbb"), "second") as second:
        await second.until_caught_up()
        await check(worlds, "aaa", "bbb")


async def test_each_pipeline_keeps_its_history_through_a_refused_start():
    worlds = Worlds()
    worlds.refusals["users"] = HaltError("the table users does not exist")
    async with worlds.process(entries_of("orders", "users")) as process:
        await process.until_caught_up("orders")
        put(worlds, "orders")
        await process.until_caught_up("orders")
        await asyncio.sleep(30)
        del worlds.refusals["users"]
        await process.until_caught_up("users")
        await asyncio.sleep(10)

        orders, users = (process.fleet.of(name).history().items for name in ("orders", "users"))
        assert sum(step.records_applied_per_second * step.seconds for step in orders) == pytest.approx(1)
        assert orders[-1].lag_seconds is not None
        assert users[0].lag_seconds is None
        assert users[-1].lag_seconds is not None
        assert abs(len(orders) - len(users)) <= 1, "each closes its step after the other"


async def test_snapshots_that_get_nowhere_keep_no_other_pipeline_waiting():
    worlds = Worlds()
    stuck = [f"stuck-{number}" for number in range(SCANS_AT_ONCE)]
    for name in (*stuck, "zzz"):
        put(worlds, name, number=1)
    for name in stuck:
        await FakeControlStore(worlds.control, name).set_paused(True)
    entries = entries_of(*stuck, "zzz", start_at="snapshot")
    async with worlds.process({name: entries[name] for name in stuck}) as process:
        for name in stuck:
            await process.until(name, "paused")
        await asyncio.sleep(10)
        process.plans.entries = entries
        await process.fleet.reload()
        async with asyncio.timeout(600):
            await process.until_caught_up("zzz")
        await check(worlds, "zzz")
        assert all(process.status(name).state == "paused" for name in stuck)


async def test_an_error_that_nobody_foresaw_in_what_runs_beside_ends_no_pipeline():
    worlds = Worlds()
    process = worlds.process(entries_of("orders", "users"))
    looks = 0

    async def fail(apply: Apply) -> None:
        nonlocal looks
        looks += 1
        raise KeyError("a secret")

    process.plans.keep_looking = fail
    async with process:
        await process.until_caught_up()
        await asyncio.sleep(300)
        put(worlds, "orders", "users")
        await process.until_caught_up()
        await check(worlds, "orders", "users")
        assert looks > 5


async def test_the_ceiling_on_writes_is_for_all_pipelines_together():
    worlds = Worlds()
    async with worlds.process(entries_of("orders", "users", max_writes_per_second=10)) as process:
        await process.until_caught_up()
        began = asyncio.get_running_loop().time()
        for number in range(60):
            put(worlds, "orders", "users", number=number)
        await process.until_caught_up()
        await check(worlds, "orders", "users")
        assert asyncio.get_running_loop().time() - began >= 11
