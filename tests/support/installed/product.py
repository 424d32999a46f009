"""The command as a process: started, asked through its admin API, stopped or killed with real signals."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Self

import httpx

from tests.servers import Server, environment
from tests.servers.ports import free_port
from tests.support.installed.loaded import INSTALLED, LOADED, Process, launched
from tests.support.patience import PATIENCE_SECONDS

POLL_SECONDS = 0.1


def asking(url: str = "") -> httpx.AsyncClient:
    """A client that waits for the answers of a busy machine, and asks no proxy of the environment."""
    return httpx.AsyncClient(base_url=url, timeout=PATIENCE_SECONDS, trust_env=False)


class Product:
    """One `dynamirror run`. `async with` it: whatever is left running is killed at the end, by its process id."""

    program: tuple[str, ...] = LOADED
    folder = os.sep
    """The working directory: where no `.env` can be."""

    def __init__(
        self,
        source: Server,
        tables: tuple[str, str],
        *,
        replica: Server | None = None,
        more: Mapping[str, str] | None = None,
        **settings: object,
    ):
        """`tables` are the source's and the replica's names; `settings` as the contract names them, in lower case.

        `more` are further environment variables.
        """
        self._more = dict(more or {})
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self._settings = {
            "SOURCE_TABLE": tables[0],
            "REPLICA_TABLE": tables[1],
            "SOURCE_ENDPOINT_URL": source.endpoint_url,
            "REPLICA_ENDPOINT_URL": (replica or source).endpoint_url,
            "CONTROL_TABLE": f"control-{tables[1]}"[:200],
            "ADMIN_PORT": self.port,
            "LOG_FORMAT": "json",
        } | {name.upper(): value for name, value in settings.items()}
        self._process: Process | None = None
        token = self._settings.get("ADMIN_TOKEN")
        headers = {"Authorization": f"Bearer {token}"} if token else {}
        self._client = httpx.AsyncClient(base_url=self.url, timeout=PATIENCE_SECONDS, headers=headers, verify=False)
        self.errors = b""

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        if self.is_running:
            await self.kill()
        await self._client.aclose()

    @property
    def process_id(self) -> int:
        assert self._process is not None
        return self._process.pid

    @property
    def variables(self) -> dict[str, str]:
        """Its settings, as its environment has them: for a command beside it."""
        return {f"DYNAMIRROR_{name}": str(value) for name, value in self._settings.items()}

    @property
    def is_running(self) -> bool:
        return self._process is not None and self._process.returncode is None

    async def start(self, *options: str) -> Self:
        """`dynamirror run`, with options. Returns when the admin API answers. Fails if the process ends before."""
        process = await self.launch(*options)
        async with asyncio.timeout(PATIENCE_SECONDS):
            while not await self._is_alive():
                assert process.returncode is None, f"it ended with {process.returncode}: {self.errors!r}"
                await asyncio.sleep(POLL_SECONDS)
        return self

    async def launch(self, *options: str) -> Process:
        """The same, but does not wait for anything."""
        variables = environment() | self.variables | self._more
        self._process = await launched(self.program, ("run", *options), variables, self.folder, hears=False)
        self._reading = asyncio.create_task(self._keep_errors(), name="stderr")
        return self._process

    async def _keep_errors(self) -> None:
        assert self._process is not None
        assert self._process.stderr is not None
        while line := await self._process.stderr.readline():
            self.errors += line

    async def _is_alive(self) -> bool:
        try:
            return (await self._client.get("/healthz")).status_code == 200
        except httpx.TransportError:
            return False

    async def status(self) -> dict[str, Any]:
        answer = await self._client.get("/status")
        answer.raise_for_status()
        status: dict[str, Any] = answer.json()
        return status

    async def get(self, path: str) -> httpx.Response:
        return await self._client.get(path)

    async def post(self, path: str, body: object = None) -> httpx.Response:
        return await self._client.post(path, json=body)

    async def delete(self, path: str) -> httpx.Response:
        return await self._client.delete(path)

    async def until(self, is_so: Any, seconds: float = PATIENCE_SECONDS) -> dict[str, Any]:
        """The first status of which `is_so` is true."""
        status: dict[str, Any] = {}
        try:
            async with asyncio.timeout(seconds):
                while True:
                    status = await self.status()
                    if is_so(status):
                        return status
                    await asyncio.sleep(POLL_SECONDS)
        except TimeoutError:
            raise AssertionError(
                f"not within {seconds} s; the last status: {status}; log: {self.errors[-2000:]!r}"
            ) from None

    async def until_running(self, seconds: float = PATIENCE_SECONDS) -> dict[str, Any]:
        return await self.until(lambda status: status["state"] == "running", seconds)

    async def until_caught_up(self, seconds: float = PATIENCE_SECONDS) -> dict[str, Any]:
        return await self.until(lambda status: status["state"] == "running" and status["lag"]["caught_up"], seconds)

    async def stop(self, number: signal.Signals = signal.SIGTERM, seconds: float = PATIENCE_SECONDS) -> int:
        """Its exit code."""
        assert self._process is not None
        self._process.send_signal(number)
        return await self.ended(seconds)

    async def ended(self, seconds: float = PATIENCE_SECONDS) -> int:
        assert self._process is not None
        async with asyncio.timeout(seconds):
            code = await self._process.wait()
            await self._reading
        return code

    def freeze(self) -> None:
        """SIGSTOP."""
        os.kill(self.process_id, signal.SIGSTOP)

    def wake(self) -> None:
        """SIGCONT."""
        os.kill(self.process_id, signal.SIGCONT)

    async def kill(self) -> None:
        """SIGKILL: nothing is saved, nothing released."""
        await self.stop(signal.SIGKILL)

    def peak_memory_bytes(self) -> int:
        """The most that the process has ever held in memory (VmHWM)."""
        for line in Path(f"/proc/{self.process_id}/status").read_text().splitlines():
            if line.startswith("VmHWM:"):
                return int(line.split()[1]) * 1024
        raise AssertionError("the kernel does not tell VmHWM")


class Installed(Product):
    """The installed command itself, where its start, its memory or its end is the subject."""

    program = INSTALLED
