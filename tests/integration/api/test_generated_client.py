"""Others' tools read the OpenAPI document: a validator finds nothing, and a Python client that is generated works.

There is no generator for TypeScript outside of npm. What it would read is what the validator and this one read.
"""

from __future__ import annotations

import asyncio
import json
import os
import sys
from pathlib import Path

import pytest

from tests.fakes.api import ADMIN, FakeApi
from tests.fakes.served_api import Serve
from tests.support.markdown import ROOT

TOOLS = ROOT / ".cache" / "openapi-tools"
CALLS = """
import sys
from mirror_client import AuthenticatedClient
from mirror_client.api.dead_letters import list_dead_letters, redrive_dead_letters
from mirror_client.api.flow import get_status, pause, replicate_item
from mirror_client.api.flow_by_the_pipelines_name import get_pipeline_status
from mirror_client.api.replays import get_replay, start_replay
from mirror_client.models import Nothing, RedriveAll, ReplayFromHorizon, ReplicateRequest

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


async def ran(*arguments: str, path: str = str(TOOLS)) -> str:
    """What it prints. Fails with what it says."""
    environment = os.environ | {"PYTHONPATH": path, "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}"}
    pipe = asyncio.subprocess.PIPE
    process = await asyncio.create_subprocess_exec(
        sys.executable, *arguments, stdout=pipe, stderr=pipe, env=environment
    )
    out, err = await process.communicate()
    assert process.returncode == 0, err.decode() + out.decode()
    return out.decode()


@pytest.mark.timeout(300)
@pytest.mark.thorough("its tools are installed first")
async def test_a_generated_client_asks_the_served_api(serve: Serve, tmp_path: Path) -> None:
    if not TOOLS.exists():
        tools = ("openapi-python-client>=0.29", "openapi-spec-validator>=0.9")
        await ran("-m", "pip", "install", "--quiet", "--target", str(TOOLS), *tools)
    api = FakeApi(admin_token=ADMIN)
    api.console.add_letter("a")
    server = await serve(api)
    document = tmp_path / "openapi.json"
    document.write_text(json.dumps(api.app.openapi()))
    await ran("-m", "openapi_spec_validator", str(document))
    output = tmp_path / "mirror_client"
    generated = ("-m", "openapi_python_client", "generate", "--fail-on-warning", "--meta", "none")
    await ran(*generated, "--path", str(document), "--output-path", str(output))

    told = await ran("-c", CALLS, server.url, ADMIN, path=f"{tmp_path}:{TOOLS}")
    assert told.splitlines() == [
        "running active",
        "paused",
        "running",
        "written",
        "['a']",
        "1",
        "There is no replay 'none'.",
    ]
