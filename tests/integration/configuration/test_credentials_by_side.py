"""With a profile for each side, no request about a table is signed with the other side's credentials."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest

from service import lambda_handler
from tests.servers import REGION, Server, create_streamed_table, environment, profiles_file, sdk_client
from tests.servers.recorder import Recorder, recording
from tests.support.service_starts import Side, Stage

STEPS = ["replicate", "pause", "snapshot", "verify", "migrate", "cold_start"]


@pytest.fixture
def server(on: str, server_named: Callable[[str], Server]) -> Server:
    return server_named(on)


@pytest.fixture
async def staged(
    server: Server, unique_name: Callable[[str], str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[tuple[Stage, Recorder]]:
    """The process finds credentials of its own too: a request without a profile would be signed with these."""
    names = {word: unique_name(word) for word in ("source", "replica", "control")}
    given = {f"{word}_table": name for word, name in names.items()}
    given |= {
        "source_profile": "reader",
        "replica_profile": "writer",
        "source_region": REGION,
        "replica_region": REGION,
    }
    given |= {"create_replica": "true", "lease_seconds": "6", "admin_port": "0"}
    variables = {f"DYNAMIRROR_{name.upper()}": value for name, value in given.items()}
    async with recording(server) as (recorded, recorder), sdk_client(server.endpoint_url) as dynamodb:
        machine = environment() | variables | {"AWS_ENDPOINT_URL": recorded.endpoint_url}
        machine["AWS_SHARED_CREDENTIALS_FILE"] = profiles_file(tmp_path, "reader", "writer")
        for name, value in machine.items():
            monkeypatch.setenv(name, value)
        async with sdk_client(server.endpoint_url, "dynamodbstreams") as streams:
            stage = Stage(variables, Side(dynamodb, names["source"]), Side(dynamodb, names["replica"]), streams)
            stage.arn = await create_streamed_table(dynamodb, names["source"])
            await stage.write()
            yield stage, recorder
    await asyncio.to_thread(lambda_handler.forget)


# A connection that is cancelled while it is made may leave its socket (asyncio.staggered); a process ends with it.
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
@pytest.mark.parametrize("on", ["moto", "ministack"])
async def test_each_table_is_asked_with_the_credentials_of_its_side_alone(staged: tuple[Stage, Recorder]) -> None:
    stage, recorder = staged
    for step in STEPS:
        await getattr(stage, step)()
        await stage.write()

    settings = stage.settings
    assert recorder.access_keys == {
        settings.source_table: {"KEYreader"},
        settings.replica_table: {"KEYwriter"},
        settings.control_table: {"KEYwriter"},
    }
