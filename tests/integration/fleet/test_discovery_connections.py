"""Looks for tables go over the connections that the pipelines have: none of them makes an SDK client of its own."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from service.adapters import SystemClock, Worlds, open_table_list
from service.app import serve
from service.configuration.fleet_file import load_fleet
from service.fleet.file_plans import FilePlans
from service.fleet.plans import OpenTables
from tests.servers import environment
from tests.support.patience import PATIENCE_SECONDS

FILE = """admin_port = 0
[defaults]
source_endpoint_url = "http://127.0.0.1:9"
replica_endpoint_url = "http://127.0.0.1:9"
[pipelines.orders]
source_table = "orders"
replica_table = "orders-copy"
[discover]
source_tables = ["prod-*"]
replica_table = "{source_table}-copy"
"""


class _GivenError(Exception):
    pass


@pytest.fixture
def path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for name, value in environment().items():
        monkeypatch.setenv(name, value)
    file = tmp_path / "fleet.toml"
    file.write_text(FILE)
    return file


async def test_tables_are_listed_over_the_connection_that_a_pipeline_reads_its_source_with(path: Path) -> None:
    file, worlds = load_fleet(path), Worlds()
    async with (
        worlds.open(file.pipelines["orders"]) as world,
        worlds.tables(file.any_discovered) as tables,
    ):
        assert tables._wire is world.connections.source.control


async def test_a_process_gives_its_connections_to_whoever_looks_for_tables(path: Path) -> None:
    class Told(FilePlans):
        def look_through(self, open_tables: OpenTables) -> None:
            super().look_through(open_tables)
            assert self._open_tables is open_tables
            assert open_tables is not open_table_list
            raise _GivenError

    plans = Told(path, load_fleet(path), open_table_list, SystemClock())
    with pytest.raises(_GivenError):
        async with asyncio.timeout(PATIENCE_SECONDS):
            await serve(plans)
