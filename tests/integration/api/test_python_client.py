"""A Python client that is generated from the served OpenAPI document asks the API."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from tests.fakes.api import ADMIN, FakeApi
from tests.fakes.served_api import Serve
from tests.support.generated_clients import documented, ran, tools

CALLS = """
import sys
from client import AuthenticatedClient
from client.api.dead_letters import list_dead_letters, redrive_dead_letters
from client.api.flow import get_status, pause, replicate_item
from client.api.pipeline_flow import get_pipeline_status
from client.api.replays import get_replay, start_replay
from client.models import Nothing, RedriveAll, ReplayFromHorizon, ReplicateRequest

client = AuthenticatedClient(base_url=sys.argv[1], token=sys.argv[2], raise_on_unexpected_status=True)
print(get_status.sync(client=client).state, get_pipeline_status.sync("master-table--replica-table", client=client).role)
print(pause.sync(client=client, body=Nothing()).state)
begun = start_replay.sync(client=client, body=ReplayFromHorizon.from_dict({"from": "trim_horizon"}))
print(get_replay.sync(begun.id, client=client).state)
print(replicate_item.sync(client=client, body=ReplicateRequest.from_dict({"keys": {"pk": {"S": "a"}}})).outcome)
print([each.id for each in list_dead_letters.sync(client=client).items])
print(redrive_dead_letters.sync(client=client, body=RedriveAll(all_=True)).redriven)
print(get_replay.sync("none", client=client).detail)
"""


@pytest.mark.timeout(600)
@pytest.mark.thorough("its tools are installed first")
async def test_a_generated_python_client_asks_the_served_api(serve: Serve, tmp_path: Path) -> None:
    installed = tools("python-client-tools", "openapi-python-client>=0.29")
    api = FakeApi(admin_token=ADMIN)
    api.console.add_letter("a")
    server = await serve(api)
    generator = (sys.executable, "-m", "openapi_python_client", *documented("openapi-python-client", server.url))
    path = {"PYTHONPATH": f"{tmp_path}:{installed}"}
    await ran(*generator, "--meta", "none", "--fail-on-warning", folder=tmp_path, environment=path)

    told = await ran(sys.executable, "-c", CALLS, server.url, ADMIN, folder=tmp_path, environment=path)
    assert told.splitlines() == [
        "running active",
        "paused",
        "running",
        "written",
        "['a']",
        "1",
        "There is no replay 'none'.",
    ]
