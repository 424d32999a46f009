"""`dynamirror demo`, as somebody sees it who has just installed it."""

from __future__ import annotations

import asyncio
import contextlib
import shlex
import signal
import socket
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from tests.support.installed.command import Command, ran, ran_as_installed
from tests.support.installed.product import asking
from tests.support.patience import PATIENCE_SECONDS

ADMIN_API = r"^admin API: (http://127\.0\.0\.1:\d+)$"
CONVERGED = r"^running: .* equal, lag \d+\.\d s, [1-9]\d* records read, [1-9]\d* applied"
END = r"both tables hold the same (\d+) items\n$"


async def test_it_ends_by_itself_with_two_equal_tables() -> None:
    ended = await ran_as_installed("demo", "--seconds", "5")

    assert ended.code == 0
    assert ended.err == ""
    assert ended.out.endswith("items\n")
    assert "both tables hold the same" in ended.out


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
async def test_both_tables_converge_and_a_signal_ends_it_cleanly(number: signal.Signals) -> None:
    async with Command("demo") as demo:
        await demo.said(ADMIN_API)
        await demo.said(CONVERGED)
        demo.send(number)
        ended = await demo.ended()

    assert (ended.code, ended.err) == (0, "")
    assert "both tables hold the same" in ended.out.splitlines()[-1]


async def test_the_admin_api_and_the_emulator_answer_as_it_says() -> None:
    async with Command("demo") as demo, asking() as client:
        url = (await demo.said(ADMIN_API))[1]
        await demo.said(CONVERGED)
        status = (await client.get(f"{url}/status")).json()
        assert status["pipeline"] == "master-table--replica-table"
        assert status["totals"]["records_applied"] > 0
        assert (await client.post(f"{url}/pause")).json()["state"] == "paused"
        assert (await client.post(f"{url}/resume")).json()["state"] == "running"

        url, headers, body = as_curl_would((await demo.said(r"^put an item: (curl .*)$"))[1])
        put = await client.post(url, headers=headers, content=body)
        assert (put.status_code, put.text) == (200, "{}")
        headers["X-Amz-Target"] = "DynamoDB_20120810.GetItem"
        question = {"TableName": "replica-table", "Key": {"key": {"S": "mine"}}}
        copied: dict[str, Any] = {}
        async with asyncio.timeout(PATIENCE_SECONDS):
            while "Item" not in copied:
                await asyncio.sleep(0.05)
                copied = (await client.post(url, headers=headers, json=question)).json()
        assert copied["Item"]["value"] == {"S": "1"}
        demo.send(signal.SIGINT)
        assert (await demo.ended()).code == 0


def as_curl_would(command: str) -> tuple[str, dict[str, str], str]:
    """URL, headers and body: not every machine has a curl."""
    name, url, *options = shlex.split(command)
    assert name == "curl"
    given = list(zip(options[::2], options[1::2], strict=True))
    headers = dict(value.split(": ", 1) for option, value in given if option == "-H")
    (body,) = [value for option, value in given if option == "-d"]
    return url, {"Content-Type": "application/x-www-form-urlencoded"} | headers, body


@contextlib.asynccontextmanager
async def taken(port: int) -> AsyncIterator[None]:
    """By this test, once the demos of others have ended; what has it for longer than one may keep it: just as well."""
    with contextlib.ExitStack() as stack:
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(PATIENCE_SECONDS):
                while True:
                    with contextlib.suppress(OSError):
                        stack.enter_context(socket.create_server(("127.0.0.1", port)))
                        break
                    await asyncio.sleep(0.1)
        yield


async def test_a_taken_port_is_said_and_another_one_used() -> None:
    async with taken(8080):
        ended = await ran("demo", "--seconds", "1")

    assert ended.code == 0
    assert "port 8080 is taken: the admin API listens on" in ended.out


async def test_the_admin_api_listens_where_the_environment_says() -> None:
    with socket.create_server(("127.0.0.1", 0)) as found:
        port = found.getsockname()[1]
    async with Command("demo", admin_port=port) as demo:
        await demo.said(f"admin API: http://127.0.0.1:{port}")
        demo.send(signal.SIGTERM)
        assert (await demo.ended()).code == 0
    ended = await ran("demo", admin_port="none")
    assert ended.code == 2
    assert "DYNAMIRROR_ADMIN_PORT" in ended.err


async def test_neither_an_env_file_nor_the_environment_changes_the_demo(tmp_path: Path) -> None:
    (tmp_path / ".env").write_text("DYNAMIRROR_SOURCE_TABLE=mine\nDYNAMIRROR_NONSENSE=1\n")
    proxy = {"HTTP_PROXY": "http://127.0.0.1:9", "http_proxy": "http://127.0.0.1:9", "AWS_PROFILE": "none-such"}
    async with Command("demo", "--seconds", "2", folder=str(tmp_path), more=proxy, source_table="mine") as demo:
        ended = await demo.ended()

    assert ended.code == 0
    assert "master-table" in ended.out
    assert "mine " not in ended.out
