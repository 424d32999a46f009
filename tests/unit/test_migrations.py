"""The control table's migrations: what is pending, who does it, and what a crash in the middle leaves."""

import asyncio
import hashlib
import json
from dataclasses import replace

import pytest

from service.errors import HaltError, SchemaError
from service.migrations import (
    FOLDER,
    LOCK_SECONDS,
    Migration,
    Step,
    load_migrations,
    migrate,
    pending,
    plan,
    prepare,
)
from service.model import KeyAttribute
from service.pipeline_state import AppliedMigration
from tests.fakes.clock import ManualClock, settle
from tests.fakes.schema_store import FakeSchemaStore

FIRST = load_migrations()[0]
SECOND = Migration(2, "forget_old_jobs", "c2", (Step("second", {"a": 1}), Step("second", {"a": 2})))
THIRD = Migration(3, "three", "c3", (Step("third", {}),))
KNOWN = (FIRST, SECOND, THIRD)


def applied(migration: Migration, **changed) -> AppliedMigration:
    return AppliedMigration(migration.number, migration.name, migration.checksum, 1.0, "somebody", **changed)


def kinds_done(store: FakeSchemaStore) -> list[str]:
    return [kind for kind, _ in store.steps]


def test_the_checksums_written_by_hand_are_those_of_the_files():
    lines = (FOLDER / "CHECKSUMS").read_text().splitlines()
    written = {name: checksum for checksum, name in map(str.split, lines)}

    found = {file.name: hashlib.sha256(file.read_bytes()).hexdigest() for file in FOLDER.glob("*.json")}

    assert written == found, "a migration that was released is never edited: add a new one, and its line in CHECKSUMS"


def test_every_shipped_migration_says_why_and_has_steps_that_are_known():
    assert all(json.loads(file.read_bytes())["why"] for file in FOLDER.glob("*.json"))
    known = {"create_table", "update_time_to_live"}
    assert {step.kind for migration in load_migrations() for step in migration.steps} <= known
    assert FIRST.steps[0].kind == "create_table"


def test_migrations_are_read_in_the_order_of_their_numbers(tmp_path):
    (tmp_path / "0002_next.json").write_text('{"steps": [{"update_time_to_live": {"Enabled": true}}]}')
    (tmp_path / "0001_first.json").write_text('{"steps": [{"create_table": {}}]}')
    (tmp_path / "README.md").write_text("for people")

    first, second = load_migrations(tmp_path)

    assert (str(first), str(second)) == ("0001_first", "0002_next")
    assert str(second.steps[0]) == 'update_time_to_live {"Enabled":true}'


@pytest.mark.parametrize(
    ("files", "told"),
    [
        ({}, "found: none"),
        ({"0002_b.json": '{"steps": []}'}, "without a gap, found: 0002_b"),
        ({"0001_a.json": '{"steps": []}', "0001_b.json": '{"steps": []}'}, "found: 0001_a, 0001_b"),
        ({"first.json": '{"steps": []}'}, "schemas/first.json is not named"),
        ({"0001_a.json": "{"}, "schemas/0001_a.json can't be read"),
        ({"0001_a.json": "{}"}, "schemas/0001_a.json can't be read"),
        ({"0001_a.json": '{"steps": ["create"]}'}, "schemas/0001_a.json can't be read"),
    ],
)
def test_a_folder_that_can_not_be_right_is_refused(tmp_path, files, told):
    for name, content in files.items():
        (tmp_path / name).write_text(content)

    with pytest.raises(HaltError, match=told):
        load_migrations(tmp_path)


def test_what_was_not_recorded_is_pending():
    assert pending(KNOWN, []) == [FIRST, SECOND, THIRD]
    assert pending(KNOWN, [applied(FIRST)]) == [SECOND, THIRD]
    assert pending(KNOWN, [applied(migration) for migration in KNOWN]) == []


def test_an_edited_migration_is_named():
    with pytest.raises(HaltError, match="0002_forget_old_jobs was edited after it was applied"):
        pending((FIRST, replace(SECOND, checksum="other"), THIRD), [applied(FIRST), applied(SECOND)])


def test_a_newer_schema_is_refused():
    with pytest.raises(SchemaError, match=r"has migration 0003_three.*refuse to run on a newer schema: upgrade"):
        pending((FIRST, SECOND), [applied(migration) for migration in KNOWN])


def test_a_hole_in_what_is_recorded_is_refused():
    with pytest.raises(HaltError, match="0002_forget_old_jobs is not recorded"):
        pending(KNOWN, [applied(FIRST), applied(THIRD)])


async def test_planning_without_a_table_names_every_migration_and_changes_nothing():
    store = FakeSchemaStore()

    assert await plan(store, KNOWN) == [FIRST, SECOND, THIRD]
    assert store.changes == 0
    assert store.present_keys is None


async def test_planning_beside_a_table_changes_nothing():
    store = FakeSchemaStore()
    await migrate(store, clock=ManualClock(), owner="me", known=(FIRST,))
    changes = store.changes

    assert await plan(store, KNOWN) == [SECOND, THIRD]
    assert store.changes == changes


async def test_a_table_of_somebody_else_is_left_alone():
    store = FakeSchemaStore()
    store.present_keys = (KeyAttribute("key", "S"),)

    with pytest.raises(HaltError, match=r"control has the keys key \(S\).*DYNAMIRROR_CONTROL_TABLE"):
        await migrate(store, clock=ManualClock(), owner="me", known=KNOWN)

    assert store.changes == 0


async def test_migrating_does_all_that_is_pending_in_order_and_records_it():
    store, clock = FakeSchemaStore(), ManualClock()

    assert await migrate(store, clock=clock, owner="me", known=KNOWN) == list(KNOWN)

    assert [step for step in store.steps if step[0] != "create_table"] == [
        ("second", {"a": 1}),
        ("second", {"a": 2}),
        ("third", {}),
    ]
    assert list(store.records.values()) == [
        AppliedMigration(each.number, each.name, each.checksum, clock.now(), "me") for each in KNOWN
    ]
    assert store.locked_until == {}


async def test_migrating_again_does_nothing_and_needs_no_lock():
    store = FakeSchemaStore()
    await migrate(store, clock=ManualClock(), owner="me", known=KNOWN)
    changes = store.changes

    assert await migrate(store, clock=ManualClock(), owner="you", known=KNOWN) == []
    assert store.changes == changes


async def test_a_start_prepares_a_table_that_nobody_uses_yet():
    store = FakeSchemaStore()

    await prepare(store, clock=ManualClock(), owner="me", known=KNOWN)

    assert sorted(store.records) == [1, 2, 3]


async def test_a_start_leaves_a_table_of_the_former_version_as_it_is():
    store = FakeSchemaStore()
    await migrate(store, clock=ManualClock(), owner="me", known=(FIRST,))
    changes = store.changes

    await prepare(store, clock=ManualClock(), owner="newer", known=KNOWN)

    assert store.changes == changes


async def test_a_start_on_a_newer_table_is_refused():
    store = FakeSchemaStore()
    await migrate(store, clock=ManualClock(), owner="newer", known=KNOWN)

    with pytest.raises(SchemaError, match="upgrade dynamirror"):
        await prepare(store, clock=ManualClock(), owner="older", known=(FIRST,))


async def test_of_many_that_start_together_one_does_each_migration():
    store, clock = FakeSchemaStore(), ManualClock()

    async with asyncio.TaskGroup() as processes:
        started = [
            processes.create_task(migrate(store, clock=clock, owner=f"process {number}", known=KNOWN))
            for number in range(5)
        ]
        while not all(process.done() for process in started):
            await clock.advance(1)

    assert sorted(each.number for process in started for each in process.result()) == [1, 2, 3]
    assert [kind for kind in kinds_done(store) if kind != "create_table"] == ["second", "second", "third"]


async def test_who_finds_the_lock_taken_waits_and_then_does_the_rest():
    store, clock = FakeSchemaStore(), ManualClock()
    await migrate(store, clock=clock, owner="me", known=(FIRST,))
    await store.lock("a process that died", clock.now(), LOCK_SECONDS)
    waiting = asyncio.create_task(migrate(store, clock=clock, owner="me", known=KNOWN))

    await clock.advance(LOCK_SECONDS - 1)
    assert kinds_done(store).count("second") == 0
    await clock.advance(2)
    await settle()

    assert await waiting == [SECOND, THIRD]


@pytest.mark.parametrize("crash_at", range(1, 6))
async def test_a_migration_that_crashed_is_done_by_the_next_process(crash_at):
    store, clock = FakeSchemaStore(), ManualClock()
    store.crash_at = crash_at
    with pytest.raises(ConnectionResetError):
        await migrate(store, clock=clock, owner="crashes", known=KNOWN)

    await migrate(store, clock=clock, owner="next", known=KNOWN)

    assert await plan(store, KNOWN) == []
    assert sorted(store.records) == [1, 2, 3]
    assert {("second", 1), ("second", 2)} <= {(kind, arguments.get("a")) for kind, arguments in store.steps}


async def test_who_lost_the_lock_in_a_slow_step_leaves_the_rest_to_its_new_owner():
    class SlowStore(FakeSchemaStore):
        async def apply_step(self, kind, arguments):
            await super().apply_step(kind, arguments)
            if kind == "second" and self.locked_until.pop("slow", None):
                self.locked_until = {"other": clock.now() + LOCK_SECONDS}

    store, clock = SlowStore(), ManualClock()
    slow = asyncio.create_task(migrate(store, clock=clock, owner="slow", known=KNOWN))
    await clock.advance(1)
    assert kinds_done(store).count("second") == 1
    for migration in KNOWN[1:]:
        await store.record(applied(migration))
    await store.unlock("other")
    await clock.advance(1)

    assert await slow == [FIRST]
    assert kinds_done(store).count("second") == 1
