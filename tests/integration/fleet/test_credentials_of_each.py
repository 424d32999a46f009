"""Pipelines with credentials of their own in one process: no table is asked with those of another pipeline."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest

from service.adapters import SystemClock, open_table_list
from service.app import Running, serve
from service.configuration.fleet_file import load_fleet
from service.fleet.file_plans import FilePlans
from tests.servers import CREDENTIALS, Server, create_streamed_table, environment, profiles_file, sdk_client
from tests.servers.functions import until
from tests.servers.recorder import Recorder, recording

OWN = CREDENTIALS["aws_access_key_id"]
SIDES = {
    "both": ("one", "two"),
    "source": ("three", None),
    "replica": (None, "four"),
    "neither": (None, None),
}
"""The profile of each pipeline's source, and of its replica and control table."""


@pytest.fixture
async def recorded(
    server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[tuple[Server, Recorder]]:
    profiles = [profile for pair in SIDES.values() for profile in pair if profile]
    async with recording(server) as (recorded, recorder):
        for name, value in environment().items():
            monkeypatch.setenv(name, value)
        monkeypatch.setenv("AWS_ENDPOINT_URL", recorded.endpoint_url)
        monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", profiles_file(tmp_path, *profiles))
        yield server, recorder


def text_of(name: str, tables: tuple[str, str, str]) -> str:
    words = dict(zip(("source_table", "replica_table", "control_table"), tables, strict=True))
    words |= {
        f"{side}_profile": profile
        for side, profile in zip(("source", "replica"), SIDES[name], strict=True)
        if profile is not None
    }
    return "\n".join([f"[pipelines.{name}]", *(f'{word} = "{value}"' for word, value in words.items()), ""])


# A connection that is cancelled while it is made may leave its socket (asyncio.staggered); a process ends with it.
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
@pytest.mark.needs("open shards have no end")
@pytest.mark.needs("requests may pass through another host")
async def test_each_pipelines_tables_are_asked_with_its_own_credentials_alone(
    recorded: tuple[Server, Recorder], unique_name: Callable[[str], str], tmp_path: Path
) -> None:
    server, recorder = recorded
    tables = {name: (unique_name("s"), unique_name("r"), unique_name("c")) for name in SIDES}
    async with sdk_client(server.endpoint_url) as dynamodb:
        for source, _, _ in tables.values():
            await create_streamed_table(dynamodb, source)
            await dynamodb.put_item(TableName=source, Item={"key": {"S": "a"}})
    file = tmp_path / "fleet.toml"
    defaults = "admin_port = 0\n[defaults]\ncreate_replica = true\n"
    file.write_text(defaults + "".join(text_of(name, tables[name]) for name in SIDES))
    announced: asyncio.Future[Running] = asyncio.get_running_loop().create_future()
    plans = FilePlans(file, load_fleet(file), open_table_list, SystemClock())
    service = asyncio.create_task(serve(plans, announce=announced.set_result), name="service")
    running = await announced

    async def have_caught_up() -> bool:
        return all(running.fleet.of(name).status().lag.caught_up for name in SIDES)

    await until(have_caught_up, "all have caught up")
    running.stop()
    await service

    expected: dict[str, set[str]] = {}
    for name, (reader, writer) in SIDES.items():
        source, *others = tables[name]
        expected[source] = {f"KEY{reader}" if reader else OWN}
        expected |= {table: {f"KEY{writer}" if writer else OWN} for table in others}
    assert recorder.access_keys == expected
