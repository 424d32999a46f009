"""Processes of the service as tasks of the test's own, and one pipeline's tables, which they are started on.

A task that is cancelled leaves its lease behind, as `kill -9` does.
"""

from __future__ import annotations

import asyncio
import gc
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from service import lambda_handler
from service.adapters import open_inspection
from service.app import Running, serve
from service.check.check import check
from service.cli.admin_client import AdminClient
from service.cli.standalone import pending_migrations, take_look, take_migrations, take_repair, take_snapshot
from service.configuration.settings import Settings, load_settings
from service.fleet.plans import EnvironmentPlan
from service.observability.log_setup import configure_log
from service.operations.documents.jobs import JobState
from tests.servers import sdk_client
from tests.servers.functions import contents
from tests.support.lambda_mode.invocation import event_of, invoke
from tests.support.patience import PATIENCE_SECONDS


class Process:
    """`dynamirror run`, from the settings to the end."""

    def __init__(self, settings: Settings, *, is_admin_only: bool = False) -> None:
        configure_log(settings)
        self._settings = settings
        self._announced: asyncio.Future[Running] = asyncio.get_running_loop().create_future()
        work = serve(EnvironmentPlan(settings), announce=self._announced.set_result, is_admin_only=is_admin_only)
        self._task = asyncio.create_task(work, name="service")

    async def answers(self) -> None:
        await asyncio.wait([self._task, self._announced], return_when=asyncio.FIRST_COMPLETED)
        if self._task.done():
            await self._task  # raises why

    def status(self) -> dict[str, Any]:
        return self._announced.result().console.status().model_dump()

    async def until(self, is_so: Callable[[dict[str, Any]], bool]) -> None:
        async with asyncio.timeout(PATIENCE_SECONDS):
            while not is_so(self.status()):  # noqa: ASYNC110 the status is asked for
                assert not self._task.done(), "it has ended"
                await asyncio.sleep(0.02)

    async def until_running(self) -> None:
        await self.until(lambda status: status["role"] == "active" and status["state"] == "running")

    async def asked(self) -> dict[str, Any]:
        """Its status, as the command `status` gets it: over HTTP, with the token that reads."""
        settings = self._settings
        secret = settings.read_token or settings.admin_token
        token = secret.get_secret_value() if secret else None
        with AdminClient(self._announced.result().url, token) as client:
            return await asyncio.to_thread(client.overview)

    async def pause(self) -> None:
        await self._announced.result().console.pause()

    async def resume(self) -> None:
        await self._announced.result().console.resume()

    async def die(self) -> None:
        self._task.cancel()
        await asyncio.wait([self._task])

    async def stop(self) -> None:
        self._announced.result().stop()
        await self._task


def thaw() -> None:
    """What the service has frozen (gc.freeze) would last as long as the tests do, its open sockets with it.

    For the end of a file of tests: all that they have loaded is walked, which takes half a second.
    """
    gc.unfreeze()
    gc.collect()
    gc.freeze()  # what is left is the tests' own


async def client_of_role(endpoint_url: str, role_arn: str, service: str = "dynamodb") -> Any:
    """An SDK client, to be entered, for what is seen in the role's account."""
    async with sdk_client(endpoint_url, "sts") as sts:
        answer = await sts.assume_role(RoleArn=role_arn, RoleSessionName="the-test")
    words = {"AccessKeyId": "access_key_id", "SecretAccessKey": "secret_access_key", "SessionToken": "session_token"}
    credentials = {f"aws_{name}": answer["Credentials"][word] for word, name in words.items()}
    return sdk_client(endpoint_url, service, credentials=credentials)


@dataclass(frozen=True)
class Side:
    """A table, and an SDK client that sees it."""

    client: Any
    table: str


class Stage:
    """One pipeline. The source is there; whether the replica and the control table are is the test's choice."""

    def __init__(self, given: dict[str, str], source: Side, replica: Side, streams: Any = None) -> None:
        """`given` is the environment; `streams` an SDK client for the source's stream, which a cold start needs."""
        self.settings = load_settings(given)
        self.arn: str | None = None
        self._source = source
        self._replica = replica
        self._streams = streams
        self._count = 0

    async def write(self) -> None:
        """Another item in the source."""
        self._count += 1
        item = {"key": {"S": f"key{self._count}"}, "n": {"N": str(self._count)}, "secret": {"S": "x"}}
        await self._source.client.put_item(TableName=self._source.table, Item=item)

    async def until_equal(self) -> None:
        source = await contents(self._source.client, self._source.table)
        async with asyncio.timeout(PATIENCE_SECONDS):
            while await self.replica() != source:  # noqa: ASYNC110 the table is asked
                await asyncio.sleep(0.1)

    async def replica(self) -> dict[str, dict[str, Any]] | None:
        """Its items by their key; None where there is no such table."""
        with suppress(self._replica.client.exceptions.ResourceNotFoundException):
            return await contents(self._replica.client, self._replica.table, *self.settings.metadata_attributes)
        return None

    async def snapshot(self) -> None:
        assert (await take_snapshot(self.settings, lambda job: None)).state is JobState.DONE
        await self.until_equal()

    async def verify(self) -> None:
        job = await take_repair(self.settings, lambda job: None, sample=None)
        assert job.missing + job.different + job.extra == job.repaired
        job = await take_look(self.settings, lambda job: None, sample=None, settle_seconds=0.0)
        assert job.missing + job.different + job.extra == 0

    async def check(self) -> None:
        """Right before anything is there, and beside whatever is."""
        before = await self.replica()
        async with open_inspection(self.settings) as (inspection, clock):
            findings = await check(self.settings, inspection, clock)
        assert findings.is_right, findings.document()
        assert await self.replica() == before

    async def migrate(self) -> None:
        await take_migrations(self.settings)
        assert await pending_migrations(self.settings) == []

    async def cold_start(self) -> None:
        await asyncio.to_thread(lambda_handler.forget)
        assert self.arn is not None
        assert await invoke(await event_of(self._streams, self.arn, self._count)) == {"batchItemFailures": []}
        await self.until_equal()

    async def admin_only(self) -> None:
        """Beside nothing, and without a function that it could look after."""
        process = Process(self.settings, is_admin_only=True)
        await process.answers()
        await process.until(
            lambda status: status["role"] == "active" and "no event source mapping" in (status["reason"] or "")
        )
        await process.stop()

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
        assert (await left.asked())["pipeline"] == self.settings.pipeline_name
        await left.stop()

    async def pause(self) -> None:
        """Paused, it dies; the next one is paused as well, until it is told to go on; the one after that runs."""
        first = Process(self.settings)
        await first.answers()
        await first.until_running()
        await first.pause()
        await first.die()
        before = await self.replica()
        await self.write()
        second = Process(self.settings)
        await second.answers()
        await second.until(lambda status: status["role"] == "active" and status["state"] == "paused")
        assert await self.replica() == before
        await second.resume()
        await self.until_equal()
        await second.stop()
