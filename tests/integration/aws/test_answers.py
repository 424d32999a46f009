"""What the SDK's clients make of an answer that is none of the service's, as a middlebox gives it."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
from aiohttp import web

from service.aws.connection_pool import open_connections
from service.aws.control.schema import DynamoSchemaStore
from service.aws.control.store import DynamoControlStore
from service.aws.lambda_mappings import open_lambda_mappings
from service.aws.streams import DynamoStreams
from service.aws.table_creation import create_table_like
from service.aws.tables import describe_table
from service.configuration.settings import load_settings
from service.errors import AmbiguousError, DynamirrorError, RetryableError, UnavailableError
from service.model import KeyAttribute, Position, ShardId, TableDescription
from tests.fakes.clock import ManualClock
from tests.servers import REGION, environment
from tests.support.patience import PATIENCE_SECONDS

KEYS = (KeyAttribute("k", "S"),)
SOURCE = TableDescription("orders", "arn:aws:dynamodb:us-west-2:123456789012:table/orders", REGION, KEYS)
STREAM = "arn:aws:dynamodb:us-west-2:123456789012:table/orders/stream/2026-01-01T00:00:00.000"
HTML = b"<!doctype html><html><body>Sign in, caf\xe9</body></html>"
FOREIGN = [
    (200, b""),
    (200, HTML),
    (200, b"[1, 2]"),
    (200, b"null"),
    (200, b'{"Table": {"TableName": "or'),
    (200, b'{"message": "Sign in"}'),
    (200, b'{"Table": [], "StreamDescription": [], "Items": 3, "Count": [], "Item": "x", "Attributes": 7}'),
    (204, b""),
    (302, HTML),
    (500, HTML),
    (503, b"[]"),
]


@asynccontextmanager
async def answering(status: int, body: bytes, headers: dict[str, str] | None = None) -> AsyncIterator[str]:
    """A URL that answers everything alike."""

    async def answer(request: web.Request) -> web.Response:
        return web.Response(status=status, body=body, headers=headers)

    app = web.Application()
    app.router.add_route("*", "/{path:.*}", answer)
    runner = web.AppRunner(app)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    try:
        yield "http://{}:{}".format(*runner.addresses[0][:2])
    finally:
        await runner.cleanup()


@pytest.fixture(autouse=True)
def machine(monkeypatch):
    for name, value in environment().items():
        monkeypatch.setenv(name, value)


def settings_for(url: str, **more: str):
    return load_settings(
        {
            "DYNAMIRROR_SOURCE_TABLE": "orders",
            "DYNAMIRROR_REPLICA_TABLE": "copies",
            "DYNAMIRROR_SOURCE_REGION": REGION,
            "DYNAMIRROR_REPLICA_REGION": REGION,
            "DYNAMIRROR_SOURCE_ENDPOINT_URL": url,
            "DYNAMIRROR_REPLICA_ENDPOINT_URL": url,
        }
        | more
    )


async def errors_of_every_call(url: str) -> list[tuple[str, DynamirrorError | None]]:
    """Each kind of call with a decoded answer, and what it raised. Whatever is no DynamirrorError is raised here."""
    async with (
        open_connections(settings_for(url), PATIENCE_SECONDS) as connections,
        open_lambda_mappings(settings_for(url)) as mappings,
    ):
        wire = connections.replica.control
        control = DynamoControlStore(wire, "control", "p")
        schema = DynamoSchemaStore(wire, "control", ManualClock())
        streams = DynamoStreams(connections.streams.wire, STREAM, KEYS, None)
        calls = {
            "describe table": lambda: describe_table(connections.source.wire, "orders", "source"),
            "create table": lambda: create_table_like(wire, "copies", SOURCE),
            "describe stream": streams.describe,
            "iterator": lambda: streams.iterator(ShardId("shardId-00000001541626099285-f35f62ef"), Position()),
            "keys": schema.keys,
            "migrations": schema.applied,
            "lock": lambda: schema.lock("me", 1.0, 60.0),
            "time to live": lambda: schema.apply_step("update_time_to_live", {"Enabled": True, "AttributeName": "t"}),
            "lease": control.read_lease,
            "acquire": lambda: control.acquire_lease("me", None, 10.0, 1.0),
            "count": control.count_dead_letters,
            "jobs": lambda: control.list_jobs("snapshot", 10),
            "mappings": lambda: mappings.of_stream(STREAM),
            "switch": lambda: mappings.switch("id", is_on=True),
        }
        found: list[tuple[str, DynamirrorError | None]] = []
        for name, call in calls.items():
            error = None
            try:
                await call()
            except DynamirrorError as raised:
                error = raised
            found.append((name, error))
        return found


@pytest.mark.parametrize(("status", "body"), FOREIGN)
async def test_every_call_takes_a_foreign_answer_for_a_lost_one(status, body):
    async with answering(status, body) as url:
        for name, error in await errors_of_every_call(url):
            assert isinstance(error, RetryableError), (name, error)


async def test_every_call_checks_the_checksum():
    for checksum in ("1", "no number"):
        async with (
            answering(200, b"{}", {"x-amz-crc32": checksum}) as url,
            open_connections(settings_for(url), PATIENCE_SECONDS) as found,
        ):
            with pytest.raises(UnavailableError, match="checksum"):
                await DynamoControlStore(found.replica.control, "control", "p").read_lease()


@pytest.mark.parametrize("body", [HTML, b"[]", b'{"__type": 5}', b"", b'{"message": "no"}'])
async def test_a_refusal_that_is_not_dynamodbs_is_no_verdict_about_a_table(body):
    """It may pass by itself, and is asked again: neither a missing table nor an item's condition."""
    async with answering(403, body) as url:
        for name, error in await errors_of_every_call(url):
            assert isinstance(error, UnavailableError | AmbiguousError), (name, error)


@pytest.mark.parametrize(
    ("status", "body"),
    [
        (200, HTML),
        (200, b"<html><body>Sign in</body></html>"),
        (200, b""),
        (200, b"{}"),
        (200, b"<AssumeRoleResponse><AssumeRoleResult></AssumeRoleResult></AssumeRoleResponse>"),
        (403, HTML),
        (503, HTML),
    ],
)
async def test_a_garbled_answer_about_credentials_is_no_unexpected_error(status, body, monkeypatch):
    """STS speaks XML: what is none, or lacks the credentials, may be right at the next try."""
    role = {"DYNAMIRROR_SOURCE_ROLE_ARN": "arn:aws:iam::123456789012:role/r"}
    async with answering(status, body) as sts, answering(200, b"{}") as url:
        monkeypatch.setenv("AWS_ENDPOINT_URL_STS", sts)
        async with open_connections(settings_for(url, **role)) as connections:
            source, streams = connections.source, connections.streams
            for ask in (
                lambda: describe_table(source.wire, "orders", "source"),
                lambda: DynamoStreams(streams.wire, STREAM, KEYS, None).read(ShardId("s"), "i", 1),
            ):
                with contextlib.suppress(DynamirrorError):
                    await ask()
