"""A host in brackets or without is the same to everybody: who listens, who asks, who judges whether it is loopback."""

from __future__ import annotations

import socket

import pytest

from api.hardening import is_loopback_host
from api.server import AdminServer
from service.cli.admin_client import AdminClient, default_url
from service.configuration.hosts import bare, is_loopback, reached
from service.configuration.settings import load_settings
from service.health_check import address

TABLES = {"DYNAMIRROR_SOURCE_TABLE": "master-table", "DYNAMIRROR_REPLICA_TABLE": "replica-table"}
HOST = "DYNAMIRROR_ADMIN_HOST"


async def answer(scope: dict[str, object], receive: object, send: object) -> None:
    raise AssertionError("nobody asks")


@pytest.mark.parametrize("host", ["::1", "[::1]", " [::1] "])
async def test_a_bracketed_address_is_understood_everywhere(host: str) -> None:
    settings = load_settings(TABLES | {HOST: host})  # loopback: no token is asked for

    assert settings.admin_host == "::1"
    assert default_url({HOST: host}) == "http://[::1]:8080"
    assert address({HOST: host}) == ("::1", 8080)
    assert is_loopback(host)
    assert is_loopback_host("[::1]:8080")
    AdminClient("http://[::1]:8080", None)


@pytest.mark.parametrize("host", ["::1", "[::1]"])
async def test_the_service_listens_there_and_says_where(host: str) -> None:
    server = await AdminServer(answer, host=host, port=0).listen()  # type: ignore[arg-type]  # nobody asks
    try:
        assert server.url == f"http://[::1]:{server.port}"
        socket.create_connection(("::1", server.port)).close()
    finally:
        server.stop()
        await server.serve()


@pytest.mark.parametrize(
    ("host", "asked"), [("[::]", "::1"), ("::", "::1"), ("0.0.0.0", "127.0.0.1"), ("[::2]", "::2"), ("a.b", "a.b")]
)
def test_a_wildcard_is_reached_on_loopback(host: str, asked: str) -> None:
    assert reached(host) == asked


@pytest.mark.parametrize(
    "host", ["[::2]", "[localhost", "::ffff", "0.0.0.0", "[::]", "evil.example", "localhost.example"]
)
def test_what_is_not_loopback_in_brackets_is_not(host: str) -> None:
    assert not is_loopback(host)


def test_half_a_pair_of_brackets_is_left_for_the_resolver_to_refuse() -> None:
    assert bare("[::1") == "[::1"
