"""Copy, prove, repair, replay: with the installed command beside a live writer.

The number of items is small here; TEST_ITEMS=100000 makes it the real thing.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable
from contextlib import AsyncExitStack
from typing import Any

import pytest

from service.model import Delete, Put
from tests.servers import CREDENTIALS, Server, create_streamed_table, sdk_client, set_stream
from tests.support.installed.product import Product
from tests.support.installed.random_writer import Load
from tests.support.installed.replica_history import check_equal, check_never_back, histories, until_equal
from tests.support.installed.steady_writer import SteadyWriter
from tests.support.installed.table_filling import KEYS, fill, item, item_key, opened
from tests.support.patience import PATIENCE_SECONDS

ITEMS = int(os.environ.get("TEST_ITEMS", "2000"))
DAMAGED = ITEMS // 100
"""So many items are damaged in four ways, a quarter each."""
WRITES = 400
JOB_SECONDS = PATIENCE_SECONDS + ITEMS / 60
LEASE_SECONDS = 300
PAD = b'"n":{"S":"1"},"pad":{"S":"' + b"x" * 500 + b'"}'
CHANGED = PAD.replace(b"xx", b"yy", 1)
RETYPED = PAD.replace(b'{"S":"1"}', b'{"N":"1"}')


def put(number: int, rest: bytes = PAD) -> Put:
    key = item_key(number)
    return Put(key, item(key, rest))


async def done(product: Product, path: str) -> dict[str, Any]:
    """The job, once it has ended well."""
    async with asyncio.timeout(JOB_SECONDS):
        while True:
            answer = await product.get(path)
            job: dict[str, Any] = answer.json()
            # 503: an emulator that is filled by others may be too slow for the control table; one asks again.
            if answer.status_code != 503 and job["state"] != "running":
                assert job["state"] == "done", job
                return job
            await asyncio.sleep(0.2)


async def verified(product: Product, *, repair: bool = False) -> dict[str, Any]:
    answer = await product.post("/verify", {"repair": repair})
    assert answer.status_code == 202, answer.text
    assert answer.headers["location"].startswith("/verifications/")
    return await done(product, answer.headers["location"])


def counts(job: dict[str, Any]) -> tuple[int, int, int]:
    return job["missing"], job["extra"], job["different"]


@pytest.mark.timeout(600 + ITEMS / 30)
@pytest.mark.needs("open shards have no end")
async def test_a_table_is_copied_proved_damaged_found_and_mended_beside_a_live_writer(
    strict_server: Server, unique_name: Callable[[str], str], monkeypatch: pytest.MonkeyPatch
) -> None:
    for variable, value in CREDENTIALS.items():
        monkeypatch.setenv(variable.upper(), value)
    names = unique_name("source"), unique_name("replica")
    # A long lease, since requests time out within a part of it: a page of a scan keeps an emulator busy for seconds.
    settings = {"start_at": "snapshot", "lease_seconds": LEASE_SECONDS}
    async with AsyncExitStack() as stack:
        enter = stack.enter_async_context
        dynamodb = await enter(sdk_client(strict_server.endpoint_url, attempts=3))
        for table in names:
            await create_streamed_table(dynamodb, table, view_type=None, keys=KEYS)
        source, replica = await enter(opened(strict_server, names[0])), await enter(opened(strict_server, names[1]))
        await fill(source, range(ITEMS), put)
        await set_stream(dynamodb, names[0], "NEW_AND_OLD_IMAGES")  # the table is older than its stream
        product = await enter(Product(strict_server, names, **settings))
        async with SteadyWriter(source, seed=4, per_second=200) as writer:
            await (await product.start()).until_running(JOB_SECONDS)
            (snapshot,) = (await product.get("/snapshots")).json()["items"]
            # Its end is written down a moment after the pipeline has gone on.
            assert (await done(product, f"/snapshots/{snapshot['id']}"))["items_scanned"] >= ITEMS
            job = await verified(product)
            assert counts(job) == (0, 0, 0), job
            assert job["items_compared"] >= ITEMS

            quarter = DAMAGED // 4
            await fill(replica, range(quarter), lambda number: Delete(item_key(number)))
            await fill(replica, range(ITEMS, ITEMS + quarter), put)
            await fill(replica, range(quarter, 2 * quarter), lambda number: put(number, CHANGED))
            await fill(replica, range(2 * quarter, 3 * quarter), lambda number: put(number, RETYPED))
            expected = (quarter, quarter, 2 * quarter)
            assert counts(await verified(product)) == expected
            job = await verified(product, repair=True)
            assert counts(job) == expected
            assert len(job["differing_keys"]) == min(100, 4 * quarter)
            assert job["repaired"] == 4 * quarter
            assert counts(await verified(product)) == (0, 0, 0)
            print(f"{ITEMS} items beside {writer.writes} writes, {writer.per_second:.0f} a second")
        await until_equal(
            dynamodb, *names, JOB_SECONDS
        )  # "caught up" may be a look at the tip from before the last write
        await product.until_caught_up(JOB_SECONDS)
        await check_equal(dynamodb, *names)
        assert await product.stop() == 0


@pytest.mark.needs("open shards have no end")
async def test_a_replay_of_all_history_on_an_undamaged_replica_writes_nothing(
    strict_server: Server, unique_name: Callable[[str], str]
) -> None:
    """E70: judged from the replica's own stream, which shows no write since the replay began."""
    source, replica = unique_name("source"), unique_name("replica")
    async with (
        sdk_client(strict_server.endpoint_url, attempts=3) as dynamodb,
        sdk_client(strict_server.endpoint_url, "dynamodbstreams", attempts=3) as streams,
    ):
        await create_streamed_table(dynamodb, source)
        await create_streamed_table(dynamodb, replica)
        async with Product(strict_server, (source, replica), start_at="trim_horizon") as product:
            await product.start()
            async with Load(dynamodb, source, seed=5, per_second=300) as load:
                await load.until_written(WRITES)
            await until_equal(dynamodb, source, replica)
            await product.until_caught_up()
            before = await histories(dynamodb, streams, replica)

            answer = await product.post("/replay", {"from": "trim_horizon", "dry_run": True})
            assert answer.status_code == 202, answer.text
            rehearsed = await done(product, answer.headers["location"])
            answer = await product.post("/replay", {"from": "trim_horizon"})
            replayed = await done(product, answer.headers["location"])
            for job in (rehearsed, replayed):
                assert job["records_read"] > WRITES / 2  # deletions of what is not there make no record
                assert job["records_unchanged"] == job["records_read"]
                assert job["records_applied"] == 0
            assert await histories(dynamodb, streams, replica) == before
            check_never_back(await histories(dynamodb, streams, source), before)
            await check_equal(dynamodb, source, replica)
            assert await product.stop() == 0
