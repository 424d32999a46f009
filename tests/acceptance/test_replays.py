"""Replays and dead letters of the running command on each server: what is right stays, what is damaged is mended."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from typing import Any

from tests.servers import Server, create_streamed_table, read_stream, scan, sdk_client, stream_arn_of
from tests.support.installed.product import Product
from tests.support.patience import PATIENCE_SECONDS

METADATA = ("timestamp", "dynamirror_sequence")


def item(number: int, value: str) -> dict[str, Any]:
    return {"key": {"S": f"key{number}"}, "value": {"S": value}}


class Replicated:
    """Two tables, their client, and the service between them."""

    def __init__(self, dynamodb: Any, source: str, replica: str, product: Product) -> None:
        self.dynamodb, self.source, self.replica, self.product = dynamodb, source, replica, product

    async def put(self, number: int, value: str) -> None:
        await self.dynamodb.put_item(TableName=self.source, Item=item(number, value))

    async def delete(self, table: str, number: int) -> None:
        await self.dynamodb.delete_item(TableName=table, Key={"key": {"S": f"key{number}"}})

    async def with_history(self) -> None:
        """30 records: items written, changed, deleted."""
        for number in range(20):
            await self.put(number, "1")
        for number in range(5):
            await self.put(number, "2")
            await self.delete(self.source, number + 10)
        await self.product.until(lambda status: status["totals"]["records_applied"] >= 30)
        await self.product.until_caught_up()

    async def replay(self, **body: Any) -> dict[str, Any]:
        answer = await self.product.post("/replay", body)
        assert answer.status_code == 202, answer.text
        return await self.ended(answer.json()["id"])

    async def ended(self, replay_id: str) -> dict[str, Any]:
        async with asyncio.timeout(PATIENCE_SECONDS):
            while True:
                answer = await self.product.get(f"/replays/{replay_id}")
                job: dict[str, Any] = answer.json()
                if answer.status_code == 200 and job["state"] != "running":
                    return job
                await asyncio.sleep(0.1)

    async def whole(self) -> dict[str, dict[str, Any]]:
        """The replica's items with their metadata."""
        return {item["key"]["S"]: item for item in await scan(self.dynamodb, self.replica)}

    async def held(self, table: str) -> list[dict[str, Any]]:
        items = await scan(self.dynamodb, table)
        bare = [{name: value for name, value in found.items() if name not in METADATA} for found in items]
        return sorted(bare, key=lambda found: str(found["key"]))


@asynccontextmanager
async def replicated(
    server: Server, dynamodb: Any, unique_name: Callable[[str], str], **settings: object
) -> AsyncIterator[Replicated]:
    source, replica = unique_name("master-table"), unique_name("replica-table")
    await create_streamed_table(dynamodb, source)
    await create_streamed_table(dynamodb, replica, view_type=None)
    async with Product(server, (source, replica), start_at="latest", **settings) as product:
        await (await product.start()).until_running()
        yield Replicated(dynamodb, source, replica, product)


def counts(job: dict[str, Any]) -> tuple[Any, ...]:
    assert job["state"] == "done", job
    return job["records_read"], job["records_applied"], job["records_unchanged"]


async def test_a_replay_mends_what_is_damaged_and_leaves_alone_what_is_right(
    server: Server, dynamodb: Any, unique_name: Callable[[str], str]
) -> None:
    async with replicated(server, dynamodb, unique_name) as both:
        await both.with_history()
        before = await both.whole()
        assert counts(await both.replay(**{"from": "trim_horizon"})) == (30, 0, 30)
        assert await both.whole() == before

        await both.delete(both.replica, 1)
        await dynamodb.put_item(TableName=both.replica, Item=item(2, "damaged"))
        await dynamodb.put_item(TableName=both.replica, Item=item(12, "back from the dead"))
        assert counts(await both.replay(**{"from": "trim_horizon", "dry_run": True})) == (30, 3, 27)
        assert counts(await both.replay(**{"from": "trim_horizon"})) == (30, 3, 27)
        assert await both.held(both.replica) == await both.held(both.source)


async def test_a_replay_begins_at_a_number_or_a_time_and_refuses_what_is_none(
    server: Server, dynamodb: Any, dynamodb_streams: Any, unique_name: Callable[[str], str]
) -> None:
    async with replicated(server, dynamodb, unique_name) as both:
        await both.with_history()
        records = await read_stream(dynamodb_streams, await stream_arn_of(dynamodb, both.source))
        numbers = [record["dynamodb"]["SequenceNumber"] for record in records]
        assert counts(await both.replay(sequence_number=numbers[25])) == (5, 0, 5)
        hour_ago = (datetime.now(UTC) - timedelta(hours=1)).isoformat()
        assert counts(await both.replay(from_time=hour_ago)) == (30, 0, 30)

        for body, status in [
            ({"sequence_number": "9" * 40}, 422),
            ({"sequence_number": numbers[0], "shard_id": "shardId-00000000000000000001-12345678"}, 422),
            ({"from_time": (datetime.now(UTC) + timedelta(hours=1)).isoformat()}, 422),
            ({"sequence_number": "0" * 21}, 410),
            ({"from_time": (datetime.now(UTC) - timedelta(hours=25)).isoformat()}, 410),
        ]:
            answer = await both.product.post("/replay", body)
            assert answer.status_code == status, (body, answer.text)
            if status == 410:
                assert answer.json()["oldest_sequence_number"] == numbers[0]


async def test_a_replay_goes_on_after_a_kill(moto: Server, unique_name: Callable[[str], str]) -> None:
    settings = {"lease_seconds": 5, "queue_max_records": 5}
    async with sdk_client(moto.endpoint_url) as client, replicated(moto, client, unique_name, **settings) as both:
        await both.with_history()
        await both.delete(both.replica, 1)
        answer = await both.product.post("/replay", {"from": "trim_horizon"})
        assert answer.status_code == 202, answer.text
        await both.product.kill()
        await both.product.start()
        job = await both.ended(answer.json()["id"])
        assert job["state"] == "done", job
        assert await both.held(both.replica) == await both.held(both.source)


async def test_a_dead_letter_is_shown_redriven_and_discarded(
    server: Server, dynamodb: Any, unique_name: Callable[[str], str]
) -> None:
    async with replicated(server, dynamodb, unique_name, transform="json:loads") as both:  # it raises for every item
        for number in (1, 2):
            await both.put(number, "1")
        await both.product.until(lambda status: status["dead_letters"] == 2)
        letters = (await both.product.get("/dead-letters")).json()["items"]
        found = (await both.product.get(f"/dead-letters/{letters[0]['id']}")).json()
        assert found["record"]["dynamodb"]["NewImage"] == item(1, "1")
        answer = await both.product.post("/dead-letters/redrive", {"all": True})
        assert answer.json() == {"redriven": 0, "superseded": 0, "failed": 2}
        assert (await both.product.get(f"/dead-letters/{letters[0]['id']}")).json()["attempts"] == 2
        await both.product.stop()
        async with Product(server, (both.source, both.replica)) as mended:
            await (await mended.start()).until_running()
            answer = await mended.post("/dead-letters/redrive", {"ids": [letters[0]["id"]]})
            assert answer.json() == {"redriven": 1, "superseded": 0, "failed": 0}
            assert await both.held(both.replica) == [item(1, "1")]
            assert (await mended.delete(f"/dead-letters/{letters[1]['id']}")).status_code == 204
            assert (await mended.get(f"/dead-letters/{letters[1]['id']}")).status_code == 404
            assert (await mended.status())["dead_letters"] == 0
