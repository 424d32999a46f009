"""A terminal as a person has it open: what was typed stays in force, a command may run on, Ctrl-C ends it."""

from __future__ import annotations

import asyncio
import os
import re
import signal
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Self

from tests.support.patience import PATIENCE_SECONDS

END = "=== the prompt is back:"
HERE = Path(__file__).parent
STAND_INS = ("aws", "curl")
"""Programs that the documents use and that a machine may lack: see `aws_cli` and `curl_cli`."""


def put_stand_ins(folder: Path) -> str:
    """Make scripts with the names of the stand-ins; returns what PATH must begin with."""
    folder.mkdir(exist_ok=True)
    for name in STAND_INS:
        script = folder / name
        script.write_text(f'#!/bin/sh\nexec "{sys.executable}" "{HERE / name}_cli.py" "$@"\n')
        script.chmod(0o755)
    return str(folder)


class Terminal:
    """`async with` it: at its end the shell and all that it started are killed, by their process group."""

    def __init__(self, folder: Path, environment: Mapping[str, str]) -> None:
        self._folder = folder
        self._environment = dict(environment)
        self._typed = 0
        self.shown = ""

    async def __aenter__(self) -> Self:
        self._process = await asyncio.create_subprocess_exec(
            "bash",
            "--noprofile",
            "--norc",
            "-e",
            env=self._environment,
            cwd=self._folder,
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
            start_new_session=True,
        )
        self._has_more = asyncio.Event()
        self._is_open = True
        self._reading = asyncio.create_task(self._keep_reading(), name="terminal")
        return self

    async def __aexit__(self, *_: object) -> None:
        if self._process.returncode is None:
            os.killpg(self._process.pid, signal.SIGKILL)
        await self._process.wait()
        self._reading.cancel()
        await asyncio.wait([self._reading])

    async def _keep_reading(self) -> None:
        assert self._process.stdout is not None
        while line := await self._process.stdout.readline():
            self.shown += line.decode()
            self._has_more.set()
        self._is_open = False
        self._has_more.set()

    def type(self, text: str) -> None:
        """Begin with these commands, as a script that stops at the first one that fails; `finished` waits for them."""
        self._typed += 1
        script = self._folder / f".typed-{os.getpid()}-{id(self):x}-{self._typed}"
        script.write_text(text)
        assert self._process.stdin is not None
        self._process.stdin.write(f'. "{script}" < /dev/null; echo "{END} {self._typed}"\n'.encode())

    async def says(self, pattern: str, seconds: float = PATIENCE_SECONDS) -> re.Match[str]:
        """The first match in all that it has shown; waits for it, and fails when a command has failed."""
        try:
            async with asyncio.timeout(seconds):
                while True:
                    self._has_more.clear()
                    if found := re.search(pattern, self.shown, re.MULTILINE):
                        return found
                    assert self._is_open, f"it ended without {pattern!r}: {self.shown}"
                    await self._has_more.wait()
        except TimeoutError:
            raise AssertionError(f"it did not say {pattern!r}: {self.shown}") from None

    async def finished(self, seconds: float = PATIENCE_SECONDS) -> None:
        """All that was typed has ended well."""
        await self.says(f"^{re.escape(END)} {self._typed}$", seconds)

    async def run(self, text: str, seconds: float = PATIENCE_SECONDS) -> str:
        """These commands to their end; returns what they showed."""
        before = len(self.shown)
        self.type(text)
        await self.finished(seconds)
        return self.shown[before:]

    def press_control_c(self) -> None:
        os.killpg(self._process.pid, signal.SIGINT)
