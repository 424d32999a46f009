"""Least privilege, derived: what the code asks of each table is what deploy/iam allows, no less and no more."""

from __future__ import annotations

import asyncio
import json
from contextlib import AsyncExitStack
from pathlib import Path

import pytest

from tests.servers import sdk_client
from tests.support.deployed_pipelines import Pipeline
from tests.support.patience import PATIENCE_SECONDS

POLICIES = Path(__file__).resolve().parents[3] / "deploy" / "iam"


def allowed(*names: str) -> dict[str, set[str]]:
    """The actions of some policies, by the table that they are for."""
    found: dict[str, set[str]] = {"source": set(), "replica": set(), "control": set()}
    for name in names:
        for statement in json.loads((POLICIES / f"{name}.json").read_text())["Statement"]:
            resource = statement["Resource"]
            if statement["Sid"] == "StreamForLambdasPollers" or not resource.startswith("arn:aws:dynamodb:"):
                continue  # not this code, but Lambda itself
            role = next(role for role in found if f"{role.upper()}_TABLE" in resource)
            found[role].update(statement["Action"])
    return found


@pytest.fixture
async def stack():
    async with AsyncExitStack() as stack:
        yield stack


@pytest.fixture
async def pipeline_of(stack, ministack, unique_name):
    dynamodb = await stack.enter_async_context(sdk_client(ministack.endpoint_url))
    streams = await stack.enter_async_context(sdk_client(ministack.endpoint_url, "dynamodbstreams"))

    async def made(view_type="NEW_AND_OLD_IMAGES", *, makes_replica=True):
        pipeline = Pipeline(dynamodb, streams, unique_name, view_type)
        await pipeline.open(stack, ministack, makes_replica=makes_replica)
        return pipeline

    return made


async def done(run, path):
    """The newest job of a kind, when it is over."""
    async with asyncio.timeout(PATIENCE_SECONDS):
        while (answer := await run.get(path)).status_code == 503 or answer.json()["items"][0]["state"] == "running":  # noqa: ASYNC110 the API is asked
            await asyncio.sleep(0.2)
    assert answer.json()["items"][0]["state"] == "done", answer.text


async def replicate(pipeline, run):
    """Batched and guarded writes of every kind, a pause, a replay, a single item, the dead letters."""
    for number in range(30):
        await pipeline.put(f"k{number}", "1")
    await run.start()
    await pipeline.until_equal()
    await run.kill()
    for number in range(10):
        await pipeline.put(f"k{number}", "2")
    await pipeline.delete("k9")
    await run.start()  # what was changed meanwhile is guarded
    await pipeline.until_equal()
    for path in ("/pause", "/resume"):
        assert (await run.post(path)).status_code == 200
    assert (await run.post("/replay", {"from": "trim_horizon"})).status_code == 202
    await done(run, "/replays")
    found = (await run.get("/replays")).json()["items"][0]["id"]
    assert (await run.get(f"/replays/{found}")).status_code == 200
    assert (await run.post("/replicate", {"keys": {"key": {"S": "k1"}}})).json() == {"outcome": "unchanged"}
    assert (await run.post("/dead-letters/redrive", {"all": True})).status_code == 200


async def test_the_container_needs_what_its_policies_allow_and_no_more(pipeline_of):
    pipeline = await pipeline_of()
    await pipeline.command("migrate")
    created = pipeline.actions()["control"] & allowed("optional-create-control")["control"]
    assert created == allowed("optional-create-control")["control"]
    async with pipeline.product(start_at="trim_horizon") as run:
        await replicate(pipeline, run)
        asked = pipeline.actions()
        asked["control"] -= created
        assert asked == allowed("container-source", "container-replica")

        pipeline.forget()
        for path, body in (("/snapshot", None), ("/verify", {"repair": True})):
            assert (await run.post(path, body)).status_code == 202
            await done(run, {"/snapshot": "/snapshots", "/verify": "/verifications"}[path])
        asked, base = pipeline.actions(), allowed("container-source", "container-replica")
        more = {role: actions - base[role] for role, actions in asked.items()}
        assert more == allowed("optional-snapshot-verify-source")
        assert await run.stop() == 0
    pipeline.forget()
    await pipeline.command("verify", "--settle-seconds", "0")
    may = allowed("container-source", "container-replica", "optional-snapshot-verify-source")
    assert all(actions <= may[role] for role, actions in pipeline.actions().items())


async def test_creating_the_replica_needs_one_action_more(pipeline_of):
    pipeline = await pipeline_of(makes_replica=False)
    await pipeline.command("migrate")
    pipeline.forget()
    async with pipeline.product(start_at="trim_horizon", create_replica="true") as run:
        await pipeline.put("k", "1")
        await run.start()
        await pipeline.until_equal()
        await run.stop()
    base = allowed("container-source", "container-replica")
    more = {role: actions - base[role] for role, actions in pipeline.actions().items()}
    assert more == allowed("optional-create-replica")


async def test_discovering_tables_needs_what_its_policy_allows(ministack, pipeline_of, tmp_path):
    pipeline = await pipeline_of()
    text = f'[discover]\nsource_tables = ["{pipeline.source}"]\nsource_tags = {{replicate = "yes"}}\n'
    (tmp_path / "fleet.toml").write_text(text + 'replica_table = "{source_table}-copy"\n')
    asked = await pipeline.of_file(tmp_path / "fleet.toml")
    statements = json.loads((POLICIES / "optional-discover-source.json").read_text())["Statement"]
    assert asked == {action for statement in statements for action in statement["Action"]}


async def test_a_stream_without_images_needs_no_more(pipeline_of):
    pipeline = await pipeline_of("KEYS_ONLY")
    await pipeline.command("migrate")
    pipeline.forget()
    async with pipeline.product(start_at="trim_horizon") as run:
        await pipeline.put("k", "1")
        await run.start()
        await pipeline.until_equal()
        await run.stop()
    may = allowed("container-source", "container-replica")
    assert all(actions <= may[role] for role, actions in pipeline.actions().items())


@pytest.mark.parametrize(
    ("view_type", "is_overtaken"),
    [("NEW_AND_OLD_IMAGES", True), ("KEYS_ONLY", False)],  # what is looked up at once is hardly ever overtaken
)
async def test_the_function_needs_what_its_policy_allows_and_no_more(pipeline_of, view_type, is_overtaken):
    pipeline = await pipeline_of(view_type)
    for number in range(5):
        await pipeline.put(f"k{number}", "1")
    event = await pipeline.event()
    await pipeline.put("k1", "2")  # whose record comes later: the guard looks again
    assert '"batchItemFailures": []' in await pipeline.invoke(event)
    await pipeline.delete("k2")
    assert '"batchItemFailures": []' in await pipeline.invoke()
    await pipeline.until_equal()
    event["Records"] = [{**event["Records"][0], "eventName": "EXPLODE"}]
    assert '"batchItemFailures": []' in await pipeline.invoke(event)  # it is a dead letter
    may, asked = allowed("lambda", "optional-create-control"), pipeline.actions()
    more = {role: actions - asked[role] for role, actions in may.items()}
    assert all(actions <= may[role] for role, actions in asked.items())
    if is_overtaken:
        assert not any(more.values()), more
    else:
        assert set().union(*more.values()) <= {"dynamodb:GetItem"}
