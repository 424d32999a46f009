"""`dynamirror` in a process that need not load it: forked from one that has, for tests whose subject is no start.

To load takes two thirds of a start's CPU. What is forked runs what the installed command runs, with arguments,
environment, working directory and standard streams of its own, and gets real signals. TEST_THOROUGHLY=1 starts the
installed command instead.
"""

from __future__ import annotations

import asyncio
import multiprocessing
import os
import signal
import sys
from collections.abc import Mapping, Sequence
from multiprocessing.connection import Connection
from pathlib import Path
from typing import IO

from tests.support.thoroughness import IS_THOROUGH

COMMAND = str(Path(sys.executable).with_name("dynamirror"))
INSTALLED: tuple[str, ...] = (COMMAND,)
LOADED: tuple[str, ...] = INSTALLED if IS_THOROUGH else ()
"""Programs, as `launched` takes them."""

_FORKING = multiprocessing.get_context("forkserver")
_OURS = ["service.app", "service.cli.commands", "service.cli.standalone", "service.fleet.file_plans"]
# httpcore: httpx loads it with its first client
_FORKING.set_forkserver_preload([*_OURS, "httpcore", "tests.support.installed.sdk_descriptions", __name__])


class Loaded:
    """One such process; as much of an `asyncio.subprocess.Process` as the tests use. Made by `launched`."""

    def __init__(self, process: multiprocessing.process.BaseProcess) -> None:
        assert process.pid is not None
        self.pid = process.pid
        self.returncode: int | None = None
        self.stdout: asyncio.StreamReader | None = None
        self.stderr: asyncio.StreamReader | None = None
        self._process = process
        self._is_over = asyncio.Event()
        asyncio.get_running_loop().add_reader(process.sentinel, self._note_end)

    def _note_end(self) -> None:
        asyncio.get_running_loop().remove_reader(self._process.sentinel)
        self._process.join()
        self.returncode = self._process.exitcode
        self._process.close()
        self._is_over.set()

    async def wait(self) -> int:
        await self._is_over.wait()
        assert self.returncode is not None
        return self.returncode

    async def communicate(self) -> tuple[bytes, bytes]:
        assert self.stdout is not None
        assert self.stderr is not None
        out, err, _ = await asyncio.gather(self.stdout.read(), self.stderr.read(), self.wait())
        return out, err

    def send_signal(self, number: int) -> None:
        if self.returncode is None:
            os.kill(self.pid, number)

    def kill(self) -> None:
        self.send_signal(signal.SIGKILL)


Process = asyncio.subprocess.Process | Loaded


async def launched(
    program: Sequence[str], arguments: Sequence[str], environment: Mapping[str, str], folder: str, *, hears: bool = True
) -> Process:
    """The program with these arguments; LOADED is no program. Unless it `hears`, standard output goes nowhere."""
    if not program:
        return await _forked(arguments, environment, folder, hears=hears)
    return await asyncio.create_subprocess_exec(
        *program,
        *arguments,
        env=environment,
        cwd=folder,
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE if hears else asyncio.subprocess.DEVNULL,
        stderr=asyncio.subprocess.PIPE,
    )


async def _forked(arguments: Sequence[str], environment: Mapping[str, str], folder: str, *, hears: bool) -> Loaded:
    out, its_out = _FORKING.Pipe(duplex=False)
    err, its_err = _FORKING.Pipe(duplex=False)
    given = (tuple(arguments), dict(environment), folder, its_out if hears else None, its_err)
    process = _FORKING.Process(target=_run, args=given, daemon=True)
    await asyncio.to_thread(process.start)  # the first one waits until all is loaded
    its_out.close()
    its_err.close()
    made = Loaded(process)
    made.stdout, made.stderr = await _read(out), await _read(err)
    return made


async def _read(pipe: Connection) -> asyncio.StreamReader:
    reader = asyncio.StreamReader()
    file: IO[bytes] = os.fdopen(os.dup(pipe.fileno()), "rb")
    pipe.close()
    await asyncio.get_running_loop().connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), file)
    return reader


def _run(
    arguments: tuple[str, ...], environment: dict[str, str], folder: str, out: Connection | None, err: Connection
) -> None:
    """In the new process."""
    os.environ.clear()
    os.environ.update(environment)
    os.chdir(folder)
    sys.path[:0] = [path for path in environment.get("PYTHONPATH", "").split(os.pathsep) if path]
    nowhere = os.open(os.devnull, os.O_RDWR)
    for number, end in enumerate((nowhere, out.fileno() if out is not None else nowhere, err.fileno())):
        os.dup2(end, number)
    signal.signal(signal.SIGINT, signal.default_int_handler)  # which tests in the background of a shell ignore
    sys.argv = ["dynamirror", *arguments]
    from service.__main__ import main

    main()
