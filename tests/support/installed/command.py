"""One run of the command to its end, or to a signal."""

from __future__ import annotations

import asyncio
import os
import re
import signal
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Self

from tests.servers import environment
from tests.support.installed.loaded import INSTALLED, LOADED, launched
from tests.support.patience import PATIENCE_SECONDS


@dataclass(frozen=True)
class Ended:
    code: int
    out: str
    err: str


async def ran(*arguments: str, **settings: object) -> Ended:
    """`settings` as the contract names them, in lower case."""
    async with Command(*arguments, **settings) as command:
        return await command.ended()


async def ran_as_installed(*arguments: str, **settings: object) -> Ended:
    async with Command(*arguments, program=INSTALLED, **settings) as command:
        return await command.ended()


class Command:
    """`async with` it: what still runs at the end is killed, by its process id."""

    def __init__(
        self,
        *arguments: str,
        program: Sequence[str] = LOADED,
        folder: str = os.sep,
        more: Mapping[str, str] | None = None,
        **settings: object,
    ):
        """`folder` is its working directory; in the default one no `.env` can be. `program` is what is run."""
        self._program, self._arguments = program, arguments
        self._folder = folder
        given = {f"DYNAMIRROR_{name.upper()}": str(value) for name, value in settings.items()}
        self._environment = environment() | given | dict(more or {})
        self.out = ""
        self.err = ""

    async def __aenter__(self) -> Self:
        self._process = await launched(self._program, self._arguments, self._environment, self._folder)
        self._has_more = asyncio.Event()
        self._open_pipes = 2
        self._reading = asyncio.gather(self._keep_out(), self._keep_err())
        return self

    async def __aexit__(self, *_: object) -> None:
        if self._process.returncode is None:
            self._process.kill()
        await self._process.wait()
        await self._reading

    async def _keep_out(self) -> None:
        assert self._process.stdout is not None
        while line := await self._process.stdout.readline():
            self.out += line.decode()
            self._has_more.set()
        self._closed()

    async def _keep_err(self) -> None:
        assert self._process.stderr is not None
        while line := await self._process.stderr.readline():
            self.err += line.decode()
            self._has_more.set()
        self._closed()

    def _closed(self) -> None:
        self._open_pipes -= 1
        self._has_more.set()

    async def said(self, pattern: str, seconds: float = PATIENCE_SECONDS) -> re.Match[str]:
        """The first match in what it has printed, or else in what it has complained; waits for it."""
        try:
            async with asyncio.timeout(seconds):
                while True:
                    self._has_more.clear()
                    for text in (self.out, self.err):
                        if found := re.search(pattern, text, re.MULTILINE):
                            return found
                    assert self._open_pipes, f"it ended without {pattern!r}: {self.out}{self.err}"
                    await self._has_more.wait()
        except TimeoutError:
            raise AssertionError(f"it did not say {pattern!r}: {self.out}{self.err}") from None

    def send(self, number: signal.Signals) -> None:
        self._process.send_signal(number)

    async def ended(self, seconds: float = PATIENCE_SECONDS) -> Ended:
        async with asyncio.timeout(seconds):
            code = await self._process.wait()
            await asyncio.wait([self._reading])
        return Ended(code, self.out, self.err)
