"""Every command in the blocks of the README and of `docs/` is run as it is there."""

from __future__ import annotations

import asyncio
import os
import re
import signal
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Any

import httpx

from service.app import VERSION
from tests.servers import Server, create_streamed_table, scan, sdk_client
from tests.servers.ports import free_port
from tests.support.commands_in_documents import BLOCKS, TOKEN, blocks
from tests.support.installed.command import Command
from tests.support.installed.loaded import COMMAND
from tests.support.installed.product import asking
from tests.support.installed.terminal import Terminal, put_stand_ins
from tests.support.markdown import ROOT, Block
from tests.support.patience import PATIENCE_SECONDS

# --- the pipeline without AWS


class Walk:
    """The three terminals, in a folder that stands for the clone."""

    def __init__(self, folder: Path, stack: AsyncExitStack) -> None:
        self._folder = folder
        self._stack = stack
        self._terminals: dict[str, Terminal] = {}
        self.emulator_port, self.port = free_port(), free_port()
        (folder / ".venv").symlink_to(Path(COMMAND).parents[1])
        self._environment = terminal_environment(folder) | {"DYNAMIRROR_ADMIN_PORT": str(self.port)}

    async def terminal(self, name: str) -> Terminal:
        if name not in self._terminals:
            self._terminals[name] = await self._stack.enter_async_context(Terminal(self._folder, self._environment))
        return self._terminals[name]

    def here(self, text: str) -> str:
        """As it is in the document, but for the ports, and for what make would install."""
        text = text.replace(":8000", f":{self.emulator_port}").replace(":8080", f":{self.port}")
        known = f'make -C "{ROOT}" -o .venv/.installed-test PORT={self.emulator_port} '
        return re.sub(r"^make ", known, text, flags=re.MULTILINE)

    async def status(self) -> dict[str, Any]:
        async with asking() as client:
            answer = await client.get(
                f"http://127.0.0.1:{self.port}/status", headers={"authorization": f"Bearer {TOKEN}"}
            )
            found: dict[str, Any] = answer.raise_for_status().json()
            return found

    async def until_running(self) -> None:
        await until(lambda: self._is(lambda status: status["state"] == "running"))

    async def until_dead_letter(self) -> None:
        await until(lambda: self._is(lambda status: status["dead_letters"] == 1))

    async def until_no_index(self) -> None:
        async def is_gone() -> bool:
            async with sdk_client(f"http://127.0.0.1:{self.emulator_port}") as client:
                table = (await client.describe_table(TableName="replica-table"))["Table"]
            return not table.get("GlobalSecondaryIndexes")

        await until(is_gone)

    async def _is(self, is_so: Callable[[dict[str, Any]], bool]) -> bool:
        try:
            return is_so(await self.status())
        except httpx.HTTPError:
            return False

    async def run(self, block: Block) -> str:
        """A block of the shell's. Where it tells to sleep, this waits for what the reader waits for."""
        shell = await self.terminal("shell")
        first, *rest = re.split(r"^sleep \d+\n", self.here(block.text), flags=re.MULTILINE)
        shown = await shell.run(first)
        for part in rest:
            awaited = part.split("  ")[0].split(" #")[0].strip()
            await {
                "dynamirror dead-letters": self.until_dead_letter,
                "dynamirror dead-letters redrive --all": self.until_no_index,
            }[awaited]()
            shown += await shell.run(part)
        return shown


async def until(is_so: Callable[[], Awaitable[bool]]) -> None:
    async with asyncio.timeout(PATIENCE_SECONDS):
        while not await is_so():  # noqa: ASYNC110  neither server has an event to wait for
            await asyncio.sleep(0.1)


def terminal_environment(folder: Path) -> dict[str, str]:
    """Nothing of this machine's own AWS settings; the stand-ins before what it may have."""
    kept = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(("AWS_", "DYNAMIRROR_", "MAKE", "MFLAGS")) and not name.lower().endswith("_proxy")
    }
    return kept | {
        "PATH": f"{put_stand_ins(folder / 'bin')}:{kept['PATH']}",
        "AWS_CONFIG_FILE": os.devnull,
        "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
        "AWS_EC2_METADATA_DISABLED": "true",
    }


async def test_the_pipeline_without_aws_does_what_the_documents_say(tmp_path: Path) -> None:
    shown = []
    async with AsyncExitStack() as stack:
        walk = Walk(tmp_path, stack)
        for block in BLOCKS:
            if block.tag == "emulator":
                emulator = await walk.terminal("emulator")
                emulator.type(walk.here(block.text))
                await emulator.says(f"answers at http://127.0.0.1:{walk.emulator_port}")
            elif block.tag == "service":
                (await walk.terminal("service")).type(walk.here(block.text))
                await walk.until_running()
            elif block.tag == "shell":
                shown.append(await walk.run(block))
        service = await walk.terminal("service")
        await check_version(walk)
        service.press_control_c()
        await service.finished()

    _, replayed, mended, verified, operated = shown
    assert re.search(r"^state +running", replayed, re.MULTILINE)
    assert '"key1"' in replayed
    assert len(re.findall(r"^records unchanged +[12] *$", replayed, re.MULTILINE)) == 2
    assert "2 items compared: equal" in replayed
    assert re.search(r'"key3"[\s\S]*Valid', mended)  # the table folds its columns
    assert re.search(r"^redriven +1", mended, re.MULTILINE)
    assert "3 items compared: equal" in mended
    assert verified.count("3 items compared: equal") == 2
    assert '"ready":true' in operated
    assert '"outcome":"unchanged"' in operated
    assert "# TYPE dynamirror_lag_seconds gauge" in operated


async def check_version(walk: Walk) -> None:
    """One version, wherever it is told."""
    told = (await walk.terminal("shell")).run("dynamirror --version\n")
    assert f"dynamirror {VERSION}\n" in await told
    assert (await walk.status())["version"] == VERSION
    async with asking(f"http://127.0.0.1:{walk.port}") as client:
        assert (await client.get("/openapi.json")).json()["info"]["version"] == VERSION
        metrics = await client.get("/metrics", headers={"authorization": f"Bearer {TOKEN}"})
        assert re.search(rf'^dynamirror_pipeline_info{{.*version="{VERSION}"}} 1', metrics.text, re.MULTILINE)


async def test_what_to_try_beside_the_demo_is_answered(tmp_path: Path) -> None:
    (block,) = blocks("curl")
    async with Command("demo") as demo, Terminal(tmp_path, terminal_environment(tmp_path)) as shell:
        url = (await demo.said(r"^admin API: http://(\S+)$"))[1]
        await demo.said(r"^running: .* equal, ")
        shown = await shell.run(block.text.replace("localhost:8080", url))
        demo.send(signal.SIGINT)
        ended = await demo.ended()

    assert ended.code == 0
    assert shown.count('"state":"paused"') == 1
    assert '"dry_run":false' in shown
    assert shown.count('"repair":false') == 2


@asynccontextmanager
async def in_region(server: Server, region: str) -> AsyncIterator[Any]:
    async with sdk_client(server.endpoint_url, region=region) as client:
        yield client


async def test_a_start_on_tables_of_one_s_own_copies_them_into_another_region(
    server_named: Any, tmp_path: Path
) -> None:
    """moto keeps regions apart. The table's name is the README's, and no other test has it."""
    (block,) = blocks("settings")
    moto, port = server_named("moto"), free_port()
    environment = terminal_environment(tmp_path) | {
        "PATH": f"{Path(COMMAND).parent}:{os.environ['PATH']}",
        "AWS_ENDPOINT_URL": moto.endpoint_url,
        "AWS_ACCESS_KEY_ID": "dynamirror",
        "AWS_SECRET_ACCESS_KEY": "dynamirror",
        "DYNAMIRROR_ADMIN_PORT": str(port),
    }
    async with (
        in_region(moto, "us-west-2") as source,
        in_region(moto, "eu-central-1") as replica,
        Terminal(tmp_path, environment) as service,
    ):
        await create_streamed_table(source, "master-table")
        await source.put_item(TableName="master-table", Item={"key": {"S": "key1"}})
        service.type(block.text)
        async with asking(f"http://127.0.0.1:{port}") as client:

            async def is_there() -> bool:
                try:
                    answer = await client.get("/status", headers={"authorization": f"Bearer {TOKEN}"})
                except httpx.HTTPError:
                    return False
                return (
                    answer.is_success
                    and answer.json()["lag"]["caught_up"]
                    and bool(await scan(replica, "replica-table"))
                )

            await until(is_there)
            assert (await client.get("/status")).status_code == 401
        service.press_control_c()
        await service.finished()
