"""The control table's migrations on real servers."""

import asyncio
import time

import pytest

from service.aws.control.schema import DynamoSchemaStore
from service.errors import HaltError
from service.migrations import Migration, Step, load_migrations, migrate, plan
from service.model import KeyAttribute
from tests.servers import create_streamed_table, scan
from tests.support.wires import open_wire

FIRST = load_migrations()[0]
TIME_TO_LIVE = Step("update_time_to_live", {"AttributeName": "expires_at", "Enabled": True})
SECOND = Migration(2, "forget_old_jobs", "the second's checksum", (TIME_TO_LIVE, TIME_TO_LIVE))


class ImpatientClock:
    """Time as it is, but no sleep is longer than a moment."""

    def now(self) -> float:
        return time.time()

    def monotonic(self) -> float:
        return time.monotonic()

    async def sleep(self, seconds: float) -> None:
        await asyncio.sleep(0.01)


@pytest.fixture
async def store(server, dynamodb, unique_name):
    async with open_wire(server.endpoint_url) as wire:
        yield DynamoSchemaStore(wire, unique_name("control"), ImpatientClock())


async def run(store: DynamoSchemaStore, owner: str = "me", known=(FIRST, SECOND)):
    return await migrate(store, clock=ImpatientClock(), owner=owner, known=known)


async def test_the_control_table_is_created_and_waited_for(store, dynamodb):
    assert await migrate(store, clock=ImpatientClock(), owner="me") == list(load_migrations())

    table = (await dynamodb.describe_table(TableName=store.table))["Table"]
    assert (table["TableStatus"], table["BillingModeSummary"]["BillingMode"]) == ("ACTIVE", "PAY_PER_REQUEST")
    assert await store.keys() == (KeyAttribute("pipeline", "S"), KeyAttribute("item", "S"))


async def test_each_migration_is_recorded_and_the_lock_is_given_back(store, dynamodb):
    await run(store)

    items = {(item["pipeline"]["S"], item["item"]["S"]): item for item in await scan(dynamodb, store.table)}
    assert list(items) == [("#schema", "migration#0001"), ("#schema", "migration#0002")]
    first = items["#schema", "migration#0001"]
    assert first["name"] == {"S": "create_control_table"}
    assert first["checksum"] == {"S": FIRST.checksum}
    assert first["applied_by"] == {"S": "me"}
    assert float(first["applied_at"]["N"]) <= time.time()


async def test_every_step_may_be_done_again(store, dynamodb):
    for _ in range(2):
        for step in (*FIRST.steps, *SECOND.steps):
            await store.apply_step(step.kind, step.arguments)

    described = (await dynamodb.describe_time_to_live(TableName=store.table))["TimeToLiveDescription"]
    assert described["TimeToLiveStatus"] in ("ENABLING", "ENABLED")
    assert described["AttributeName"] == "expires_at"


async def test_a_migration_that_was_done_halfway_is_finished(store):
    await run(store, known=(FIRST,))
    await store.apply_step(TIME_TO_LIVE.kind, TIME_TO_LIVE.arguments)

    assert await run(store) == [SECOND]
    assert await plan(store, (FIRST, SECOND)) == []


async def test_processes_that_start_together_all_find_a_migrated_table(store):
    done = await asyncio.gather(*(run(store, owner=f"process {number}") for number in range(4)))

    assert {migration.number for applied in done for migration in applied} == {1, 2}
    assert await plan(store, (FIRST, SECOND)) == []


@pytest.mark.needs("conditions hold among many at once")
async def test_one_process_at_a_time_holds_the_lock(store):
    await run(store, known=(FIRST,))
    taken = await asyncio.gather(*(store.lock(f"process {number}", 100.0, 60.0) for number in range(8)))

    assert sum(taken) == 1


async def test_the_lock_is_prolonged_by_its_owner_and_taken_by_another_when_it_ran_out(store):
    await run(store, known=(FIRST,))

    assert await store.lock("first", 100.0, 60.0)
    assert not await store.lock("second", 130.0, 60.0)
    assert await store.lock("first", 150.0, 60.0)
    assert not await store.lock("second", 200.0, 60.0)
    await store.unlock("second")
    assert not await store.lock("second", 200.0, 60.0)
    assert await store.lock("second", 211.0, 60.0)
    assert not await store.lock("first", 212.0, 60.0)
    await store.unlock("second")
    assert await store.lock("first", 212.0, 60.0)


async def test_planning_without_a_table_creates_none(store, dynamodb):
    assert await plan(store) == list(load_migrations())

    assert await store.keys() is None
    assert store.table not in (await dynamodb.list_tables())["TableNames"]


async def test_a_table_that_was_made_by_other_tools_is_taken_as_it_is(store, dynamodb):
    await create_streamed_table(dynamodb, store.table, view_type=None, keys={"pipeline": "S", "item": "S"})

    assert await run(store, known=(FIRST,)) == [FIRST]


async def test_a_table_with_other_keys_is_left_alone(store, dynamodb):
    await create_streamed_table(dynamodb, store.table, view_type=None, keys={"key": "S"})

    with pytest.raises(HaltError, match=r"has the keys key \(S\), a control table has pipeline \(S\), item \(S\)"):
        await run(store)

    assert await scan(dynamodb, store.table) == []


async def test_an_edited_and_a_newer_migration_stop_the_start(store):
    await run(store)

    with pytest.raises(HaltError, match="0002_forget_old_jobs was edited"):
        await run(store, known=(FIRST, Migration(2, "forget_old_jobs", "another checksum", ())))
    with pytest.raises(HaltError, match="upgrade dynamirror"):
        await run(store, known=(FIRST,))


async def test_a_step_that_is_not_known_stops_the_start(store):
    with pytest.raises(HaltError, match="'drop_table'"):
        await store.apply_step("drop_table", {})
