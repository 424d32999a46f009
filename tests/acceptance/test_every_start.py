"""What the README and deploy/ tell people to set, with the installed command: every start, `kill -9` included.

The settings are read from those documents. tests/integration has each setting by itself, and all of them at once.
"""

from __future__ import annotations

import json
import shlex
import sys
from collections.abc import Callable
from contextlib import AsyncExitStack
from typing import Any

import pytest

from service.configuration.environment import PREFIX
from tests.deploy.test_templates import resources
from tests.servers import REGION, Server, create_streamed_table, environment, sdk_client
from tests.servers.functions import contents, until
from tests.support.commands_in_documents import blocks
from tests.support.deploy_files import environments
from tests.support.deployed_pipelines import INVOKE, output_of
from tests.support.installed.command import Command
from tests.support.installed.product import Product
from tests.support.lambda_mode.invocation import event_of
from tests.support.thoroughness import IS_THOROUGH, played

OF_THE_TEST = {"SOURCE_TABLE", "REPLICA_TABLE", "CONTROL_TABLE", "ADMIN_PORT"} | {
    f"{side}_ENDPOINT_URL" for side in ("SOURCE", "REPLICA")
}
METADATA = ("timestamp", "dynamirror_sequence")
SHORT_LEASE = {} if IS_THOROUGH else {"lease_seconds": "6"}
"""Added to what a document sets, so that a change's run waits less after a kill."""


def settings_of(variables: dict[str, str]) -> dict[str, str]:
    """As Product takes them."""
    given = {name.removeprefix(PREFIX): value for name, value in variables.items() if name.startswith(PREFIX)}
    return {name.lower(): value for name, value in given.items() if name not in OF_THE_TEST}


def of_the_readme() -> dict[str, str]:
    (block,) = blocks("settings")
    lines = [shlex.split(command) for command in block.commands if command.startswith("export ")]
    return settings_of(dict(word.split("=", 1) for words in lines for word in words[1:]))


def of_the_template() -> dict[str, str]:
    """What is a parameter there is a place, which the test has its own of."""
    variables = resources()["Function"]["Properties"]["Environment"]["Variables"]
    return settings_of({name: value for name, value in variables.items() if isinstance(value, str)})


DEPLOYED = {name: settings_of(variables) for name, variables in environments()}


def test_the_documents_set_what_is_tested_here() -> None:
    assert of_the_readme().keys() == {"source_region", "replica_region", "create_replica", "admin_token"}
    assert of_the_template().keys() == {"writers", "log_format"}
    assert {"admin_host", "admin_token", "read_token"} <= set.intersection(*map(set, DEPLOYED.values()))


class Pipeline:
    """A source with an item, and processes with the settings of one document."""

    def __init__(self, server: Server, settings: dict[str, str], unique_name: Callable[[str], str]) -> None:
        self._server = server
        self._settings = settings
        self._source, self._replica = (unique_name(side) for side in ("source", "replica"))
        self._count = 0

    async def open(self, stack: AsyncExitStack) -> None:
        """The replica is created too, unless the settings say that the product does that."""
        url = self._server.endpoint_url
        self._at_source, self._at_replica = [
            await stack.enter_async_context(sdk_client(url, region=self._settings.get(f"{side}_region", REGION)))
            for side in ("source", "replica")
        ]
        self._arn = await create_streamed_table(self._at_source, self._source)
        if "create_replica" not in self._settings:
            await create_streamed_table(self._at_replica, self._replica, view_type=None)
        await self.put()

    def process(self) -> Product:
        return Product(self._server, (self._source, self._replica), **self._settings)

    async def put(self) -> None:
        self._count += 1
        item = {"key": {"S": f"key{self._count}"}, "n": {"N": str(self._count)}}
        await self._at_source.put_item(TableName=self._source, Item=item)

    async def until_equal(self) -> None:
        async def are_equal() -> bool:
            return await self.replica() == await contents(self._at_source, self._source)

        await until(are_equal, "both tables are equal")

    async def replica(self) -> dict[str, Any]:
        return await contents(self._at_replica, self._replica, *METADATA)

    async def event(self) -> dict[str, Any]:
        async with sdk_client(self._server.endpoint_url, "dynamodbstreams") as streams:
            return await event_of(streams, self._arn, self._count)


async def said(process: Product, *arguments: str) -> str:
    """What a command prints that has the settings of this process, and ends as it should."""
    async with Command(*arguments, more=process.variables) as command:
        ended = await command.ended()
    assert ended.code == 0, ended.err
    return ended.out


async def check_started(process: Product, pipeline: Pipeline) -> None:
    """Something that was written while nobody was there, and something that is written now, arrive."""
    await process.start()
    await process.until_running()
    await pipeline.until_equal()
    await pipeline.put()
    await pipeline.until_equal()
    assert (await process.get("/readyz")).status_code == 200


async def check_admin_only(admin: Product, active: Product) -> None:
    """It answers, says that it is no part of this pipeline, and changes nothing."""
    await admin.start("--admin-only")
    status = await admin.until(
        lambda status: status["state"] == "standby" and "no event source mapping" in (status["reason"] or "")
    )
    assert status["role"] == "standby"
    assert (await admin.get("/readyz")).status_code == 503
    assert (await active.status())["role"] == "active"
    assert await admin.stop() == 0


@pytest.mark.parametrize("on", played(["moto", "ministack"], every=2))
async def test_the_readmes_settings_work_at_every_start_and_with_every_command(
    server_named: Callable[[str], Server], unique_name: Callable[[str], str], on: str
) -> None:
    async with AsyncExitStack() as stack:
        pipeline = Pipeline(server_named(on), of_the_readme() | SHORT_LEASE, unique_name)
        await pipeline.open(stack)
        first, second, admin = [await stack.enter_async_context(pipeline.process()) for _ in range(3)]

        await check_started(first, pipeline)
        await first.kill()
        await pipeline.put()
        await check_started(first, pipeline)

        await second.start()
        await second.until(lambda status: status["state"] == "standby")
        await check_admin_only(admin, first)
        await first.kill()
        await pipeline.put()
        await second.until_running()
        await pipeline.until_equal()

        await said(second, "pause")
        before = await pipeline.replica()
        await second.kill()
        await pipeline.put()
        await first.start()
        await first.until(lambda status: status["role"] == "active" and status["state"] == "paused")
        await second.start()
        assert "paused" in await said(first, "status")
        assert await pipeline.replica() == before
        await said(first, "resume")
        await pipeline.until_equal()
        assert await second.stop() == 0

        await check_commands(first)
        assert await first.stop() == 0
        await check_commands(first)
        await pipeline.put()
        await check_started(first, pipeline)
        assert await first.stop() == 0


async def check_commands(process: Product) -> None:
    """With the service, where it runs, and by themselves, where it does not."""
    has_service = process.is_running
    where = ["--url", process.url] if has_service else []
    assert "items scanned" in await said(process, "snapshot", *where)
    settle = [] if has_service else ["--settle-seconds", "0"]
    assert "equal" in await said(process, "verify", *settle, *where)
    assert await said(process, "migrate") == "nothing to do\n"
    assert "ready to start" in await said(process, "check")


@pytest.mark.parametrize("document", played(list(DEPLOYED), every=len(DEPLOYED)))
async def test_the_settings_of_deploy_work_at_every_start(
    moto: Server, unique_name: Callable[[str], str], document: str
) -> None:
    async with AsyncExitStack() as stack:
        pipeline = Pipeline(moto, DEPLOYED[document] | SHORT_LEASE, unique_name)
        await pipeline.open(stack)
        process = await stack.enter_async_context(pipeline.process())
        await check_started(process, pipeline)
        assert await process.stop() == 0
        await pipeline.put()
        await check_started(process, pipeline)
        await process.kill()
        await pipeline.put()
        await check_started(process, pipeline)
        assert await process.stop() == 0


async def test_the_settings_of_the_lambda_template_work_at_every_cold_start(
    moto: Server, unique_name: Callable[[str], str]
) -> None:
    async with AsyncExitStack() as stack:
        pipeline = Pipeline(moto, of_the_template(), unique_name)
        await pipeline.open(stack)
        variables = environment() | (await stack.enter_async_context(pipeline.process())).variables
        for _ in range(2):
            said = await output_of([sys.executable, "-c", INVOKE], variables, await pipeline.event())
            assert json.loads(said) == {"batchItemFailures": []}
            await pipeline.until_equal()
            await pipeline.put()
