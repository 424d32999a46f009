"""Every command in the blocks of the README and of `docs/` is run as it is there, or is named here with the reason.

A block says behind its fence where it belongs: `emulator`, `service` and `shell` are the three terminals of the
pipeline without AWS, `settings` is a start on tables of one's own, `demo` is tested by test_demo, `curl` is what to try
beside the demo, and `elsewhere` needs what is not here.
"""

from __future__ import annotations

import asyncio
import os
import re
import shlex
import signal
import subprocess
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest
from botocore.session import Session

from service.app import VERSION
from service.configuration.settings import load_settings
from tests.servers import Server, create_streamed_table, scan, sdk_client
from tests.support.installed.aws_cli import parsed
from tests.support.installed.command import Command
from tests.support.installed.product import COMMAND, free_port
from tests.support.installed.terminal import Terminal, put_stand_ins
from tests.support.markdown import README, ROOT, Block, Document, docs, documents

TAGS = {"demo", "curl", "emulator", "service", "shell", "settings", "elsewhere"}
ELSEWHERE = {
    "make lambda": "takes minutes; test_lambda_zip builds the zip",
    "dynamirror migrate": "here for a control table in AWS; test_migrations_on_servers runs it",
    "aws s3 cp": "needs an AWS account",
    "aws cloudformation deploy": "needs an AWS account; its parameters are compared with the template's",
    "aws dynamodb update-table": "needs an AWS account; what it asks for is checked against AWS's own service model",
    "docker build": "needs a Docker engine",
    "docker run": "needs a Docker engine; its settings are checked as the service would",
}
TOKEN = "a-secret-of-yours"
SECONDS = 60.0
PAGES = [README, *map(docs, ("walk-through", "commands", "admin-api", "lambda-or-container"))]
"""In the order in which their blocks are run."""
ABOUT_TESTS = {"testing.md"}
"""Its blocks run tests; that their targets exist is a test below."""
OF_THEIR_OWN = {"many-pipelines.md"}
"""test_many_pipelines.py runs its blocks."""
BLOCKS = [block for page in PAGES for block in page.blocks() if block.language not in ("", "json")]


def blocks(tag: str) -> list[Block]:
    return [block for block in BLOCKS if block.tag == tag]


def elsewhere() -> list[str]:
    return [command for block in blocks("elsewhere") for command in block.commands]


def test_every_block_is_a_shell_s_and_says_where_it_runs() -> None:
    assert {block.language for block in BLOCKS} == {"sh"}
    assert {block.tag for block in BLOCKS} == TAGS


def test_no_page_with_commands_is_left_out() -> None:
    """JSON is compared with the API by a test of its own; a block without a language is a picture or an output."""
    pages = [README, *(Document(path) for path in sorted((ROOT / "docs").glob("*.md")))]
    blocks = [(page.path.name, block) for page in pages for block in page.blocks()]
    run = {page.path.name for page in PAGES}
    assert {name for name, block in blocks if block.language == "sh"} - ABOUT_TESTS - OF_THEIR_OWN == run
    bare = [command for _, block in blocks if not block.language for command in block.commands]
    assert not [command for command in bare if re.match(r"(make|dynamirror|aws|curl|docker|export) ", command)]


def test_what_is_not_run_is_named_with_its_reason_and_nothing_else_is() -> None:
    for command in elsewhere():
        assert any(command.startswith(known) for known in ELSEWHERE), command
    assert all(any(command.startswith(known) for command in elsewhere()) for known in ELSEWHERE)


def test_what_aws_is_asked_for_exists_in_aws() -> None:
    session = Session()
    asked = [shlex.split(command)[1:] for command in elsewhere() if command.startswith("aws dynamodb ")]
    assert [parsed(arguments, session).operation for arguments in asked] == ["UpdateTable"]


def test_what_the_page_of_the_control_table_asks_aws_for_exists_in_aws(tmp_path: Path) -> None:
    """Its blocks are run by a real shell, in which `aws` only notes what it was given."""
    noting, asked = tmp_path / "aws", tmp_path / "asked"
    noting.write_text(f"#!/bin/sh\nprintf '%s\\036' \"$@\" >> '{asked}'; printf '\\035' >> '{asked}'\n")
    noting.chmod(0o755)
    text = "".join(block.text for block in Document(ROOT / "schemas" / "README.md").blocks() if block.language == "sh")
    environment = os.environ | {"PATH": f"{tmp_path}:{os.environ['PATH']}"}
    subprocess.run(["bash", "-c", text], env=environment, cwd=tmp_path, capture_output=True, timeout=30, check=False)
    session = Session()
    calls = [call.removesuffix("\036").split("\036") for call in asked.read_text().split("\035") if call]
    assert len(calls) == len(re.findall(r"^ *(?:.*&& )?aws ", text, re.MULTILINE))
    assert {parsed(call, session).service for call in calls} == {"dynamodb"}


def test_the_settings_of_the_container_are_settings() -> None:
    (command,) = [command for command in elsewhere() if command.startswith("docker run")]
    words = shlex.split(command)
    given = [word for option, word in zip(words, words[1:], strict=False) if option == "-e"]
    assert words[-1] == "dynamirror"
    values = dict(word.partition("=")[::2] for word in given if word.startswith("DYNAMIRROR_"))
    settings = load_settings({name: value or TOKEN for name, value in values.items()})
    assert settings.admin_token is not None
    assert (settings.admin_host, f"-p {settings.admin_port}:{settings.admin_port}") == ("0.0.0.0", "-p 8080:8080")
    credentials = {word for word in given if not word.startswith("DYNAMIRROR_")}
    assert credentials == {"AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN"}


def test_every_make_target_that_a_document_names_exists() -> None:
    named = {
        line.strip()
        for document in documents()
        for line in [
            *re.findall(r"`(make(?: [^`]+)?)`", document.prose()),
            *(command for block in document.blocks() for command in block.commands),
        ]
        if re.match(r"make\b", line.strip())
    }
    assert "make demo" in named
    for line in sorted(named):
        words = shlex.split(re.split(r" (?:&&|#)", " ".join(line.split()))[0])
        done = subprocess.run([*words, "-n"], cwd=ROOT, capture_output=True, text=True, timeout=30)
        assert done.returncode == 0, f"{line}: {done.stderr}"


def test_make_help_prints_every_target_with_what_it_does() -> None:
    shown = subprocess.run(["make", "help"], cwd=ROOT, capture_output=True, text=True, timeout=30, check=True).stdout
    told = re.findall(r"^make (\S+) +\S.*\S$", shown, re.MULTILINE)
    (phony,) = re.findall(r"^\.PHONY: (.*)$", (ROOT / "Makefile").read_text(), re.MULTILINE)
    assert told == phony.split()


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
        async with httpx.AsyncClient(trust_env=False) as client:
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
    async with asyncio.timeout(SECONDS):
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


@pytest.mark.timeout(300)
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
    async with httpx.AsyncClient(trust_env=False, base_url=f"http://127.0.0.1:{walk.port}") as client:
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
        async with httpx.AsyncClient(trust_env=False, base_url=f"http://127.0.0.1:{port}") as client:

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
