"""The commands that work by themselves take a file of many pipelines, and one of its names."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.unit.cli.conftest import Shell

FILE = """
[pipelines.orders]
source_table = "orders"
replica_table = "orders-replica"

[pipelines.customers]
source_table = "customers"
replica_table = "customers-replica"
"""


@pytest.fixture(autouse=True)
def file(shell: Shell) -> Path:
    """In the shell's folder."""
    path = Path("fleet.toml")
    path.write_text(FILE)
    return path


@pytest.mark.parametrize("command", ["snapshot", "verify"])
def test_what_is_done_for_one_pipeline_needs_its_name(shell: Shell, command: str) -> None:
    assert shell.run(command, "--config", "fleet.toml") == 2
    assert "name one of the file's pipelines with --pipeline: orders, customers" in shell.err
    assert shell.run(command, "--config", "fleet.toml", "--url", "http://127.0.0.1:9") == 2
    assert "--config is for the work of this process" in shell.err


@pytest.mark.parametrize("command", ["check", "migrate", "snapshot", "verify"])
def test_a_name_that_is_none_and_one_without_a_file_are_exit_code_2(shell: Shell, command: str) -> None:
    assert shell.run(command, "--config", "fleet.toml", "--pipeline", "order") == 2
    assert shell.err == "dynamirror: fleet.toml has no pipeline 'order'; there are: orders, customers\n"
    assert shell.run(command, "--pipeline", "orders") == 2
    assert "--pipeline goes with --config" in shell.err
    assert shell.run(command, "--config", "nowhere.toml") == 2
    assert shell.err == "dynamirror: nowhere.toml: there is no such file\n"
