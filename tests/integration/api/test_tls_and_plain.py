"""The commands of the shell at an address with the wrong scheme, or with a certificate that nobody trusts."""

from __future__ import annotations

import asyncio
import ssl
from pathlib import Path

import pytest

from service.cli.admin_client import AdminClient, AdminError
from tests.fakes.api import FakeApi
from tests.fakes.served_api import Serve
from tests.support.own_certificate import write_own_certificate


async def told(url: str) -> str:
    def ask() -> str:
        with AdminClient(url, None) as client, pytest.raises(AdminError) as refused:
            client.overview()
        return str(refused.value)

    return await asyncio.to_thread(ask)


async def test_a_service_that_speaks_no_tls_is_asked_for_it(serve: Serve) -> None:
    server = await serve(FakeApi())
    url = server.url.replace("http://", "https://")
    assert await told(url) == f"What answers at {url} speaks no TLS: try the address with http://."


async def test_a_server_that_speaks_tls_is_asked_without_it_or_is_not_trusted(tmp_path: Path) -> None:
    write_own_certificate(tmp_path / "server.pem")
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(tmp_path / "server.pem")

    async def close(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.close()

    async with await asyncio.start_server(close, "127.0.0.1", 0, ssl=context) as server:
        place = f"127.0.0.1:{server.sockets[0].getsockname()[1]}"
        assert "if it speaks TLS, its address begins with https://" in await told(f"http://{place}")
        assert f"The certificate of https://{place} is not one that this machine trusts" in await told(
            f"https://{place}"
        )
