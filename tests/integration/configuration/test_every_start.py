"""With every setting set, each start and each command works the first time, the second time, and beside another.

What there is to set is the settings' own list, so that a new one has to take its place here. test_each_setting.py sets
them one by one, test_starts_with_roles.py has the roles.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest

from service import lambda_handler
from service.configuration.settings import Settings
from tests.servers import REGION, Server, create_streamed_table, environment, profiles_file, sdk_client
from tests.support.service_starts import Side, Stage
from tests.support.thoroughness import played

PLACES = {
    "source_table", "replica_table", "control_table", "pipeline", "source_region", "replica_region",
    "source_endpoint_url", "replica_endpoint_url", "streams_endpoint_url",
}  # fmt: skip
"""Set for each test."""
ELSEWHERE = {"source_role_arn", "replica_role_arn"}
EVERYTHING = {
    "source_profile": "reader",
    "replica_profile": "writer",
    "start_at": "trim_horizon",
    "create_replica": "true",
    "writers": "4",
    "queue_max_records": "50",
    "queue_max_bytes": "1000000",
    "write_mode": "strict",
    "max_writes_per_second": "500",
    "poll_interval_seconds": "0.1",
    "checkpoint_interval_seconds": "0.2",
    "lease_seconds": "6",
    "shutdown_timeout_seconds": "5",
    "max_attempts": "3",
    "stamp_attribute": "replicated_at",
    "sequence_attribute": "replicated_as",
    "include_attributes": "n,secret",
    "exclude_attributes": "none-of-them",
    "on_gap": "snapshot",
    "skip_ttl_deletes": "true",
    "transform": "tests.integration.configuration.test_every_start:unchanged",
    "verify_items_per_second": "100",
    "admin_host": "[::1]",
    "admin_port": "0",
    "admin_token": "a-secret",
    "read_token": "another-secret",
    "log_records": "true",
    "log_format": "json",
    "log_level": "debug",
}


def unchanged(item: dict[str, Any]) -> dict[str, Any]:
    return item


def test_every_setting_has_its_place_here() -> None:
    assert PLACES | EVERYTHING.keys() | ELSEWHERE == set(Settings.model_fields)
    at_default = {name for name, value in EVERYTHING.items() if value == str(Settings.model_fields[name].default)}
    assert not at_default, "set to what it is anyway"


FIRST = ["replicate", "snapshot", "verify", "cold_start", "admin_only"]
CASES = [("moto", first) for first in FIRST] + [("ministack", "replicate")]


@pytest.fixture
def server(on: str, server_named: Callable[[str], Server]) -> Server:
    return server_named(on)


@pytest.fixture
async def stage(
    server: Server, unique_name: Callable[[str], str], dynamodb: Any, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> Any:
    names = {word: unique_name(word) for word in ("source", "replica", "control")}
    given = EVERYTHING | {f"{word}_table": name for word, name in names.items()}
    given |= {f"{side}_endpoint_url": server.endpoint_url for side in ("source", "replica", "streams")}
    given |= {"source_region": REGION, "replica_region": REGION, "pipeline": "every-start"}
    variables = {f"DYNAMIRROR_{name.upper()}": value for name, value in given.items()}
    profiles = {"AWS_SHARED_CREDENTIALS_FILE": profiles_file(tmp_path, "reader", "writer")}
    for name, value in (environment() | profiles | variables).items():
        monkeypatch.setenv(name, value)
    async with sdk_client(server.endpoint_url, "dynamodbstreams") as streams:
        stage = Stage(variables, Side(dynamodb, names["source"]), Side(dynamodb, names["replica"]), streams)
        stage.arn = await create_streamed_table(dynamodb, names["source"])
        await stage.write()
        yield stage
    await asyncio.to_thread(lambda_handler.forget)


# A connection that is cancelled while it is made may leave its socket (asyncio.staggered); a process ends with it.
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
@pytest.mark.parametrize(("on", "first"), played(CASES, every=3))
async def test_whatever_comes_first_creates_what_is_missing_and_the_others_find_it(stage: Stage, first: str) -> None:
    every = ["replicate", "pause", "cold_start", "admin_only", "snapshot", "verify", "migrate"]
    for step in ("check", first, *(every if first == "replicate" else [first, "migrate"]), "check"):
        done: Awaitable[None] = getattr(stage, step)()
        await done
        await stage.write()
