"""Two processes with one file: each pipeline in one of them, taken over after a death, and shared evenly again (I5)."""

from __future__ import annotations

import os
import signal
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any, Self

import httpx
import pytest

from tests.servers import Server, create_streamed_table, environment, scan, sdk_client
from tests.servers.functions import until
from tests.servers.ports import free_port
from tests.support.installed.loaded import LOADED, launched
from tests.support.installed.product import asking

LEASE_SECONDS = 6


class FleetProcess:
    """One `dynamirror run --config FILE`. `async with` it: what still runs at the end is killed, by its process id."""

    def __init__(self, file: Path) -> None:
        self._file = file
        self._port = free_port()
        self.url = f"http://127.0.0.1:{self._port}"
        self._api = asking(self.url)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        if self._process.returncode is None:
            await self.kill()
        await self._api.aclose()

    async def start(self) -> Self:
        variables = environment() | {"DYNAMIRROR_ADMIN_PORT": str(self._port), "DYNAMIRROR_LOG_LEVEL": "ERROR"}
        self._process = await launched(LOADED, ("run", "--config", str(self._file)), variables, os.sep, hears=False)
        return self

    async def kill(self) -> None:
        self._process.kill()
        await self._process.wait()

    async def stop(self) -> int:
        self._process.send_signal(signal.SIGTERM)
        return await self._process.wait()

    async def active(self) -> set[str]:
        """The pipelines that this process replicates."""
        try:
            items = (await self._api.get("/pipelines")).json()["items"]
        except httpx.HTTPError:
            return set()
        return {each["name"] for each in items if each["role"] == "active" and each["state"] == "running"}


class Tables:
    """Four pipelines on one server, and who owns their leases."""

    def __init__(self, client: Any, url: str, unique_name: Callable[[str], str]) -> None:
        self.client = client
        self._url = url
        self.names = [f"p{number}" for number in range(4)]
        self.source = {name: unique_name(f"{name}-source") for name in self.names}
        self.replica = {name: unique_name(f"{name}-replica") for name in self.names}
        self.control = unique_name("control")

    async def create(self, folder: Path) -> Path:
        file = folder / "fleet.toml"
        text = f"""[defaults]
source_endpoint_url = "{self._url}"
replica_endpoint_url = "{self._url}"
control_table = "{self.control}"
create_replica = true
lease_seconds = {LEASE_SECONDS}
"""
        for name in self.names:
            await create_streamed_table(self.client, self.source[name])
            text += (
                f'[pipelines.{name}]\nsource_table = "{self.source[name]}"\nreplica_table = "{self.replica[name]}"\n'
            )
        file.write_text(text)
        return file

    async def put(self, value: int) -> None:
        for name in self.names:
            await self.client.put_item(
                TableName=self.source[name], Item={"key": {"S": f"key{value}"}, "n": {"N": str(value)}}
            )

    async def are_equal(self) -> bool:
        for name in self.names:
            source, replica = await scan(self.client, self.source[name]), await scan(self.client, self.replica[name])
            if {each["key"]["S"] for each in source} != {each["key"]["S"] for each in replica}:
                return False
        return True


@pytest.fixture
async def tables(moto: Server, unique_name: Callable[[str], str]) -> AsyncIterator[Tables]:
    async with sdk_client(moto.endpoint_url) as client:
        yield Tables(client, moto.endpoint_url, unique_name)


async def test_a_second_process_gets_its_share_takes_over_and_hands_back(tables: Tables, tmp_path: Path) -> None:
    file = await tables.create(tmp_path)
    async with AsyncExitStack() as stack:
        first = await (await stack.enter_async_context(FleetProcess(file))).start()
        await tables.put(1)

        async def has_all() -> bool:
            return await first.active() == set(tables.names)

        await until(has_all, "the first process has all")
        second = await (await stack.enter_async_context(FleetProcess(file))).start()

        async def is_even() -> bool:
            mine, theirs = await first.active(), await second.active()
            return len(mine) == len(theirs) == 2 and not mine & theirs

        await until(is_even, "each has two")
        await tables.put(2)
        await until(tables.are_equal, "the replicas are equal after the hand-overs")

        await first.kill()
        await tables.put(3)

        async def second_has_all() -> bool:
            return await second.active() == set(tables.names)

        await until(second_has_all, "the other took over")
        await until(tables.are_equal, "the replicas are equal after the death")

        await first.start()
        await until(is_even, "the one that came back has its share again")
        await tables.put(4)
        await until(tables.are_equal, "the replicas are equal in the end")
        assert [await first.stop(), await second.stop()] == [0, 0]
