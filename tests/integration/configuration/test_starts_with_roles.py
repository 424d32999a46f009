"""With a role for each side, in two accounts, each start and each command works the first time and the second time."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack

import pytest

from service import lambda_handler
from tests.servers import Server, create_streamed_table, environment
from tests.support.service_starts import Side, Stage, client_of_role
from tests.support.thoroughness import played

ROLES = {"source": "arn:aws:iam::111111111111:role/reader", "replica": "arn:aws:iam::222222222222:role/writer"}
SETTINGS = {"create_replica": "true", "lease_seconds": "6", "admin_port": "0"}
FIRST = ["replicate", "snapshot", "verify", "cold_start", "admin_only"]
CASES = [("moto", first) for first in FIRST] + [("ministack", "replicate")]


@pytest.fixture
def server(on: str, server_named: Callable[[str], Server]) -> Server:
    return server_named(on)


@pytest.fixture
async def stage(
    server: Server, unique_name: Callable[[str], str], monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[Stage]:
    """moto keeps the tables of accounts apart: neither side's role, nor our own account, sees the other's."""
    names = {word: unique_name(word) for word in ("source", "replica", "control")}
    given = SETTINGS | {f"{word}_table": name for word, name in names.items()}
    given |= {f"{side}_role_arn": role for side, role in ROLES.items()}
    variables = {f"DYNAMIRROR_{name.upper()}": value for name, value in given.items()}
    for name, value in (environment() | variables | {"AWS_ENDPOINT_URL": server.endpoint_url}).items():
        monkeypatch.setenv(name, value)
    async with AsyncExitStack() as stack:
        clients = [
            await stack.enter_async_context(await client_of_role(server.endpoint_url, ROLES[side], service))
            for side, service in (("source", "dynamodb"), ("replica", "dynamodb"), ("source", "dynamodbstreams"))
        ]
        sides = [Side(client, names[side]) for client, side in zip(clients, ("source", "replica"), strict=False)]
        stage = Stage(variables, *sides, streams=clients[-1])
        stage.arn = await create_streamed_table(sides[0].client, names["source"])
        await stage.write()
        yield stage
    await asyncio.to_thread(lambda_handler.forget)


# A connection that is cancelled while it is made may leave its socket (asyncio.staggered); a process ends with it.
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
@pytest.mark.parametrize(("on", "first"), played(CASES, every=3))
async def test_with_roles_whatever_comes_first_works_and_comes_again(stage: Stage, first: str) -> None:
    every = ["replicate", "pause", "cold_start", "admin_only", "snapshot", "verify", "migrate"]
    for step in (first, *(every if first == "replicate" else [first, "migrate"])):
        done: Awaitable[None] = getattr(stage, step)()
        await done
        await stage.write()
