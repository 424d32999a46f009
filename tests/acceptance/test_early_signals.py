"""A signal that comes while the command still loads what it needs.

As the first process of a container it would get none that it has no handler for: the stop would be lost.
"""

from __future__ import annotations

import signal
from pathlib import Path

import pytest

from tests.support.installed.command import Command
from tests.support.installed.loaded import INSTALLED

# Loaded with the settings, before anything runs; it keeps the command there.
SLOW = "import sys, time\nprint('it loads', file=sys.stderr, flush=True)\ntime.sleep(100)\n"
SETTINGS = {"source_table": "master-table", "replica_table": "replica-table", "transform": "slow:function"}


def loading(command: str, folder: Path) -> Command:
    (folder / "slow.py").write_text(SLOW)
    return Command(command, program=INSTALLED, more={"PYTHONPATH": str(folder)}, **SETTINGS)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
async def test_a_run_that_has_not_begun_ends_as_one_that_has(number: signal.Signals, tmp_path: Path) -> None:
    async with loading("run", tmp_path) as command:
        await command.said("it loads")
        command.send(number)
        ended = await command.ended()

    assert (ended.code, ended.err) == (0, "it loads\n")


async def test_a_job_that_has_not_begun_is_not_called_done(tmp_path: Path) -> None:
    async with loading("snapshot", tmp_path) as command:
        await command.said("it loads")
        command.send(signal.SIGTERM)
        ended = await command.ended()

    assert ended.code == 1
