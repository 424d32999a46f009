"""With every setting set, each start and each command works the first time, the second time, and beside another.

What there is to set is the settings' own list, so that a new one has to take its place here. The processes of the
service are tasks of this one; a task that is cancelled leaves its lease behind, as `kill -9` does.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import Any

import pytest

from service import lambda_handler
from service.app import Running, serve
from service.cli.admin_client import AdminClient
from service.cli.standalone import pending_migrations, take_migrations, take_snapshot, take_verification
from service.configuration.settings import Settings, load_settings
from service.operations.documents.jobs import JobState
from tests.integration.functions.test_lambda_handler import event_of, invoke
from tests.servers import REGION, Server, create_streamed_table, environment, sdk_client
from tests.servers.functions import contents

PLACES = {
    "source_table", "replica_table", "control_table", "pipeline", "source_region", "replica_region",
    "source_endpoint_url", "replica_endpoint_url", "streams_endpoint_url",
}  # fmt: skip
"""Set for each test; roles and profiles are what a server without accounts can't have."""
ELSEWHERE = {"source_role_arn", "replica_role_arn", "source_profile", "replica_profile"}
EVERYTHING = {
    "start_at": "trim_horizon",
    "create_replica": "true",
    "writers": "4",
    "queue_max_records": "50",
    "queue_max_bytes": "1000000",
    "write_mode": "strict",
    "max_writes_per_second": "500",
    "poll_interval_seconds": "0.1",
    "checkpoint_interval_seconds": "0.2",
    "lease_seconds": "3",
    "shutdown_timeout_seconds": "5",
    "max_attempts": "3",
    "stamp_attribute": "replicated_at",
    "sequence_attribute": "replicated_as",
    "include_attributes": "n,secret",
    "exclude_attributes": "none-of-them",
    "on_gap": "snapshot",
    "skip_ttl_deletes": "true",
    "transform": "tests.integration.test_every_start:unchanged",
    "verify_items_per_second": "100",
    "admin_host": "[::1]",
    "admin_port": "0",
    "admin_token": "a-secret",
    "read_token": "another-secret",
    "log_records": "true",
    "log_format": "json",
    "log_level": "debug",
}
METADATA = ("replicated_at", "replicated_as")


def unchanged(item: dict[str, Any]) -> dict[str, Any]:
    return item


def test_every_setting_has_its_place_here() -> None:
    assert PLACES | EVERYTHING.keys() | ELSEWHERE >= set(Settings.model_fields)
    at_default = {name for name, value in EVERYTHING.items() if value == str(Settings.model_fields[name].default)}
    assert not at_default, "set to what it is anyway"


class Stage:
    """One pipeline's tables on a server, and what is done with them. The source is there, the others are not."""

    def __init__(self, server: Server, unique_name: Callable[[str], str], dynamodb: Any) -> None:
        self.names = {word: unique_name(word) for word in ("source", "replica", "control")}
        given = EVERYTHING | {f"{word}_table": name for word, name in self.names.items()}
        given |= {f"{side}_endpoint_url": server.endpoint_url for side in ("source", "replica", "streams")}
        given |= {"source_region": REGION, "replica_region": REGION, "pipeline": "every-start"}
        self.given = {f"DYNAMIRROR_{name.upper()}": value for name, value in given.items()}
        self.settings = load_settings(self.given)
        self.arn: str | None = None
        self._server = server
        self._dynamodb = dynamodb
        self._count = 0

    async def write(self) -> None:
        """Another item in the source."""
        self._count += 1
        item = {"key": {"S": f"key{self._count}"}, "n": {"N": str(self._count)}, "secret": {"S": "x"}}
        await self._dynamodb.put_item(TableName=self.names["source"], Item=item)

    async def until_equal(self) -> None:
        source = await contents(self._dynamodb, self.names["source"])
        async with asyncio.timeout(60):
            while await self._replica() != source:  # noqa: ASYNC110 the table is asked
                await asyncio.sleep(0.1)

    async def _replica(self) -> object:
        with suppress(self._dynamodb.exceptions.ResourceNotFoundException):
            return await contents(self._dynamodb, self.names["replica"], *METADATA)
        return None

    async def snapshot(self) -> None:
        assert (await take_snapshot(self.settings, lambda job: None)).state is JobState.DONE
        await self.until_equal()

    async def verify(self) -> None:
        more: Any = {"sample": None, "settle_seconds": 0.0}
        job = await take_verification(self.settings, lambda job: None, repair=True, **more)
        assert job.missing + job.different + job.extra == job.repaired
        job = await take_verification(self.settings, lambda job: None, repair=False, **more)
        assert job.missing + job.different + job.extra == 0

    async def migrate(self) -> None:
        await take_migrations(self.settings)
        assert await pending_migrations(self.settings) == []

    async def cold_start(self) -> None:
        await asyncio.to_thread(lambda_handler.forget)
        async with sdk_client(self._server.endpoint_url, "dynamodbstreams") as streams:
            assert self.arn is not None
            assert await invoke(await event_of(streams, self.arn)) == {"batchItemFailures": []}
        await self.until_equal()

    async def replicate(self) -> None:
        """A first process and a standby that start together; the active one dies; the other one goes on, and stops."""
        processes = [Process(self.settings), Process(self.settings)]
        await asyncio.gather(*[process.answers() for process in processes])
        await self.until_equal()
        while not (active := [each for each in processes if each.status()["role"] == "active"]):  # noqa: ASYNC110
            await asyncio.sleep(0.1)
        await active[0].die()
        await self.write()
        await self.until_equal()
        (left,) = [process for process in processes if process is not active[0]]
        assert (await asyncio.to_thread(left.asked))["pipeline"] == "every-start"
        await left.stop()


class Process:
    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._announced: asyncio.Future[Running] = asyncio.get_running_loop().create_future()
        self._task = asyncio.create_task(serve(settings, announce=self._announced.set_result), name="service")

    async def answers(self) -> None:
        await asyncio.wait([self._task, self._announced], return_when=asyncio.FIRST_COMPLETED)
        if self._task.done():
            await self._task  # raises why

    def status(self) -> dict[str, Any]:
        return self._announced.result().console.status().model_dump()

    def asked(self) -> dict[str, Any]:
        """As the command `status` does."""
        with AdminClient(self._announced.result().url, "another-secret") as client:
            return client.status()

    async def die(self) -> None:
        self._task.cancel()
        await asyncio.wait([self._task])

    async def stop(self) -> None:
        self._announced.result().stop()
        await self._task


FIRST = ["replicate", "snapshot", "verify", "cold_start"]
CASES = [("moto", first) for first in FIRST] + [("ministack", "replicate")]


@pytest.fixture
def server(on: str, server_named: Callable[[str], Server]) -> Server:
    return server_named(on)


@pytest.fixture
async def stage(
    server: Server, unique_name: Callable[[str], str], dynamodb: Any, monkeypatch: pytest.MonkeyPatch
) -> Any:
    for name, value in environment().items():
        monkeypatch.setenv(name, value)
    stage = Stage(server, unique_name, dynamodb)
    for name, value in stage.given.items():
        monkeypatch.setenv(name, value)
    stage.arn = await create_streamed_table(dynamodb, stage.names["source"])
    await stage.write()
    yield stage
    await asyncio.to_thread(lambda_handler.forget)


# A task that is cancelled for a process that died leaves its sockets to the system, as the process would.
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
@pytest.mark.parametrize(("on", "first"), CASES)
async def test_whatever_comes_first_creates_what_is_missing_and_the_others_find_it(stage: Stage, first: str) -> None:
    rest = ["replicate", "cold_start", "snapshot", "verify", "migrate"] if first == "replicate" else [first, "migrate"]
    for step in (first, *rest):
        done: Awaitable[None] = getattr(stage, step)()
        await done
        await stage.write()
