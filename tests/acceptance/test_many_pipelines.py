"""docs/many-pipelines.md as a new user follows it: its file, its commands, a table more, and one that fails."""

from __future__ import annotations

import os
import signal
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import httpx
import pytest

from service.configuration.fleet_file import load_fleet
from tests.acceptance.test_readme import terminal_environment
from tests.servers import Server, create_streamed_table, scan, sdk_client
from tests.servers.functions import until
from tests.servers.ports import free_port
from tests.support.installed.loaded import COMMAND
from tests.support.installed.product import asking
from tests.support.installed.terminal import Terminal
from tests.support.markdown import docs
from tests.support.thoroughness import played

BLOCKS = docs("many-pipelines").blocks()
FIVE, DISCOVER = (block.text for block in BLOCKS if block.language == "toml")
DRY_RUN, RUN, STATUS, RELOAD = (command for block in BLOCKS if block.language == "sh" for command in block.commands)
TABLES = ["orders", "customers", "invoices", "sessions", "audit"]
MORE = '[pipelines.more]\nsource_table = "more"\nreplica_table = "more-replica"\n'
NO_STREAM = '[pipelines.silent]\nsource_table = "silent"\nreplica_table = "silent-replica"\n'


class User:
    """A folder, terminals in it, and both regions of a server that keeps them apart."""

    def __init__(self, folder: Path, server: Server, stack: AsyncExitStack) -> None:
        self.file = folder / "fleet.toml"
        self.port = free_port()
        self._folder = folder
        self._stack = stack
        self._url = server.endpoint_url
        self._environment = terminal_environment(folder) | {
            "AWS_ENDPOINT_URL": server.endpoint_url,
            "AWS_ACCESS_KEY_ID": "dynamirror",
            "AWS_SECRET_ACCESS_KEY": "dynamirror",
            "DYNAMIRROR_ADMIN_PORT": str(self.port),
            "COLUMNS": "200",
        }
        self._environment["PATH"] = f"{Path(COMMAND).parent}:{self._environment['PATH']}"

    async def open(self) -> None:
        enter = self._stack.enter_async_context
        self.source = await enter(sdk_client(self._url, region="us-west-2"))
        self.replica = await enter(sdk_client(self._url, region="eu-central-1"))
        self.api = await enter(asking(f"http://127.0.0.1:{self.port}"))

    async def terminal(self) -> Terminal:
        return await self._stack.enter_async_context(Terminal(self._folder, self._environment))

    async def table(self, name: str, **more: Any) -> None:
        await create_streamed_table(self.source, name, **more)
        await self.source.put_item(TableName=name, Item={"key": {"S": "key1"}})

    async def pipelines(self) -> dict[str, dict[str, Any]]:
        try:
            return {each["name"]: each for each in (await self.api.get("/pipelines")).json()["items"]}
        except httpx.HTTPError:
            return {}

    async def until_caught_up(self, *names: str) -> None:
        async def are_there() -> bool:
            found = await self.pipelines()
            return all(name in found and found[name]["caught_up"] for name in names)

        await until(are_there, f"{names} have caught up")

    def here(self, command: str) -> str:
        return command.partition("  #")[0].replace(":8080", f":{self.port}").strip()


@pytest.fixture
async def user(on: str, server_named: Any, tmp_path: Path) -> AsyncIterator[User]:
    async with AsyncExitStack() as stack:
        user = User(tmp_path, server_named(on), stack)
        await user.open()
        yield user


def test_what_the_page_discovers_is_a_file_that_can_be_read(tmp_path: Path) -> None:
    (tmp_path / "fleet.toml").write_text(FIVE + DISCOVER)
    file = load_fleet(tmp_path / "fleet.toml", {})

    assert list(file.pipelines) == TABLES
    assert file.discover is not None
    assert file.discover.source_tags == {"replicate": "yes"}


@pytest.mark.parametrize("on", played(["ministack", "moto"], every=2))
async def test_five_tables_one_more_by_a_reload_and_one_that_fails(user: User) -> None:
    for name in (*TABLES, "more"):
        await user.table(name)
    await user.table("silent", view_type=None)
    user.file.write_text(FIVE)
    shell, service = await user.terminal(), await user.terminal()

    shown = await shell.run(user.here(DRY_RUN))
    assert "pipelines that would run: 5" in shown
    assert "orders-replica" not in (await user.replica.list_tables())["TableNames"]

    service.type(f"(echo process $BASHPID; exec {user.here(RUN)})")
    process = int((await service.says(r"^process (\d+)$"))[1])
    await user.until_caught_up(*TABLES)
    assert await scan(user.replica, "sessions-archive")
    assert "running" in await shell.run(user.here(STATUS))

    user.file.write_text(FIVE + MORE + NO_STREAM)
    reloaded = await shell.run(user.here(RELOAD.split(" # ")[0]))
    assert '"started":["more","silent"],"stopped":[],"restarted":[]' in reloaded
    await user.until_caught_up(*TABLES, "more")
    assert await scan(user.replica, "more-replica")

    async def has_failed() -> bool:
        silent = (await user.pipelines())["silent"]
        return silent["state"] == "failed" and "stream" in silent["reason"]

    await until(has_failed, "the pipeline that can't start says why")
    not_ready = await user.api.get("/readyz")
    assert (not_ready.status_code, "silent" in not_ready.text) == (503, True)

    user.file.write_text(FIVE + "writers = 0\n")
    assert (await user.api.post("/reload")).status_code == 422
    assert set(await user.pipelines()) == {*TABLES, "more", "silent"}

    user.file.write_text(FIVE)
    os.kill(process, signal.SIGHUP)
    await service.says("the file was read again.*more.*silent")

    async def are_the_five() -> bool:
        return set(await user.pipelines()) == set(TABLES)

    await until(are_the_five, "the pipelines of the file")
    service.press_control_c()
    await service.finished()
