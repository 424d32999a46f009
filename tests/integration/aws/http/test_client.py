"""service.aws.http.client: what it does with its connections, against servers that treat them badly, and over TLS."""

import asyncio
import gc
import socket

import pytest

from service.aws.http.client import DirectEndpoint
from service.aws.http.transport import AnswerLostError, NotSentError, tls_context
from tests.support.patience import PATIENCE_SECONDS

OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}"


@pytest.fixture
async def endpoint(peer):
    made = DirectEndpoint(peer.url, tls_context(None), PATIENCE_SECONDS)
    yield made
    await made.close()


async def test_requests_at_the_same_time_have_a_connection_each_and_later_ones_share_them(peer, endpoint):
    await asyncio.gather(*[endpoint.post(b"a", {}, is_write=True) for _ in range(5)])
    await asyncio.gather(*[endpoint.post(b"b", {}, is_write=True) for _ in range(5)])

    assert (peer.connections, peer.requests) == (5, 10)


async def test_an_idle_connection_that_the_server_closed_is_not_used_again(peer, endpoint):
    async def once(reader, writer):
        await peer.request(reader)
        writer.write(OK)

    peer.script = once
    for _ in range(3):
        peer.closed.clear()
        assert (await endpoint.post(b"a", {}, is_write=True)).body == b"{}"
        await peer.closed.wait()

    assert (peer.connections, peer.requests) == (3, 3)


async def test_a_close_that_the_event_loop_has_not_seen_yet_is_seen_before_sending(peer, endpoint):
    writers = []

    async def keep_writer(reader, writer):
        writers.append(writer)
        while await peer.request(reader):
            writer.write(OK)

    peer.script = keep_writer
    await endpoint.post(b"a", {}, is_write=True)
    writers[0].transport.get_extra_info("socket")._sock.shutdown(2)  # nothing is awaited between here and the request

    assert (await endpoint.post(b"b", {}, is_write=True)).status == 200
    assert peer.connections == 2


async def test_what_comes_unasked_ends_the_connection(peer, endpoint):
    async def twice(reader, writer):
        await peer.request(reader)
        writer.write(OK + OK.replace(b"200 OK", b"408 Request Timeout"))
        await reader.read()

    peer.script = twice
    answers = [await endpoint.post(b"a", {}, is_write=True) for _ in range(2)]

    assert [answer.status for answer in answers] == [200, 200]
    assert peer.connections == 2


async def test_an_answer_that_closes_is_whole_and_ends_the_connection(peer, endpoint):
    async def closing(reader, writer):
        await peer.request(reader)
        writer.write(b"HTTP/1.1 503 Slow Down\r\nConnection: close\r\n\r\nno length")

    peer.script = closing
    answer = await endpoint.post(b"a", {}, is_write=True)

    assert (answer.status, answer.body) == (503, b"no length")


async def test_a_reset_after_the_request_leaves_it_in_doubt_and_is_not_repeated(peer, endpoint):
    async def reset(reader, writer):
        await peer.request(reader)
        writer.transport.abort()

    peer.script = reset
    with pytest.raises(AnswerLostError):
        await endpoint.post(b"a", {}, is_write=True)
    assert peer.requests == 1


async def test_a_reset_before_the_request_was_read_leaves_it_in_doubt(peer, endpoint):
    async def reset(reader, writer):
        writer.transport.abort()

    peer.script = reset
    with pytest.raises(AnswerLostError):
        await endpoint.post(b"x" * 10_000_000, {}, is_write=True)


async def test_an_answer_in_single_bytes_is_read(peer, endpoint):
    async def slowly(reader, writer):
        await peer.request(reader)
        for byte in b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\n{\r\n1;x=y\r\n}\r\n0\r\nA: b\r\n\r\n":
            writer.write(bytes([byte]))
            await asyncio.sleep(0)

    peer.script = slowly

    assert (await endpoint.post(b"a", {}, is_write=True)).body == b"{}"


async def test_a_read_lasts_as_long_as_something_comes_and_a_write_does_not(peer):
    async def drip(reader, writer):
        await peer.request(reader)
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 14\r\n\r\n")
        for _ in range(14):
            await asyncio.sleep(0.1)
            writer.write(b"x")
        await reader.read()

    peer.script = drip
    endpoint = DirectEndpoint(peer.url, tls_context(None), 1.0)

    assert (await endpoint.post(b"a", {}, is_write=False)).body == b"x" * 14
    with pytest.raises(AnswerLostError):
        await endpoint.post(b"a", {}, is_write=True)
    await endpoint.close()


async def test_a_cancelled_request_closes_its_connection(peer, endpoint):
    async def never(reader, writer):
        await peer.request(reader)
        await reader.read()

    peer.script = never
    asking = asyncio.create_task(endpoint.post(b"a", {}, is_write=True))
    await peer.asked.wait()
    asking.cancel()

    await asyncio.wait([asking])
    assert asking.cancelled()
    await peer.closed.wait()


@pytest.mark.parametrize("scheme", ["http", "https"])
async def test_a_cancellation_at_any_step_of_connecting_leaves_no_connection_open(peer, scheme, monkeypatch):
    async def two_addresses(host, port, **kwargs):
        return [(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP, "", ("127.0.0.1", port))] * 2

    monkeypatch.setattr(asyncio.get_running_loop(), "getaddrinfo", two_addresses)
    url = peer.url.replace("http:", f"{scheme}:").replace("127.0.0.1", "localhost")
    endpoint = DirectEndpoint(url, tls_context(None), PATIENCE_SECONDS)
    gc.disable()  # it would close a socket that was forgotten, at some time
    try:
        for steps in range(40):
            asking = asyncio.create_task(endpoint.post(b"a", {}, is_write=True))
            for _ in range(steps):
                await asyncio.sleep(0)
            asking.cancel()
            await asyncio.wait([asking])
        await endpoint.close()
        async with asyncio.timeout(PATIENCE_SECONDS):
            while peer.ended < peer.connections:
                peer.closed.clear()
                await peer.closed.wait()
    finally:
        gc.enable()
    assert peer.connections


async def test_an_address_that_does_not_answer_is_not_waited_for(peer, endpoint, monkeypatch):
    loop = asyncio.get_running_loop()
    connect, host = loop.sock_connect, "127.0.0.2"

    async def addresses(_, port, **kwargs):
        return [
            (socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP, "", (each, port)) for each in (host, "127.0.0.1")
        ]

    async def silent(sock, address):
        await (asyncio.Event().wait() if address[0] == host else connect(sock, address))

    monkeypatch.setattr(loop, "getaddrinfo", addresses)
    monkeypatch.setattr(loop, "sock_connect", silent)
    endpoint._connect_seconds = 5.0  # else a failure would take long

    assert (await endpoint.post(b"a", {}, is_write=True)).status == 200


@pytest.mark.parametrize("value", ["two\r\nlines", "two\nlines", "\u2603"])
async def test_a_header_that_http_can_not_carry_sends_nothing(peer, endpoint, value):
    with pytest.raises(NotSentError):
        await endpoint.post(b"", {"X-Amz-Security-Token": value}, is_write=True)
    assert peer.requests == 0


async def test_a_server_that_accepts_and_says_nothing_to_tls_is_sent_nothing(peer):
    async def silent(reader, writer):
        await reader.read()

    peer.script = silent
    endpoint = DirectEndpoint(peer.url.replace("http:", "https:"), tls_context(None), 0.2)

    with pytest.raises(NotSentError):
        await endpoint.post(b"a", {}, is_write=True)


async def test_requests_go_over_tls_on_one_connection(tls_peer):
    endpoint = DirectEndpoint(f"https://localhost:{tls_peer.port}/", tls_context(tls_peer.bundle), PATIENCE_SECONDS)

    bodies = [(await endpoint.post(b"x" * 100_000, {}, is_write=True)).body for _ in range(3)]

    assert bodies == [b"{}"] * 3
    assert tls_peer.connections == 1
    await endpoint.close()


@pytest.mark.parametrize("host", ["localhost", "127.0.0.1"])
async def test_a_certificate_that_is_not_trusted_or_of_another_name_is_sent_nothing(tls_peer, host):
    bundle = None if host == "localhost" else tls_peer.bundle
    endpoint = DirectEndpoint(f"https://{host}:{tls_peer.port}/", tls_context(bundle), PATIENCE_SECONDS)

    with pytest.raises(NotSentError):
        await endpoint.post(b"a", {}, is_write=True)
    assert tls_peer.requests == 0


async def test_a_request_waits_for_one_of_so_many_connections_and_fails_unsent_if_none_comes_free(peer):
    async def never(reader, writer):
        await peer.request(reader)
        await reader.read()

    few = DirectEndpoint(peer.url, tls_context(None), PATIENCE_SECONDS, max_connections=2)
    peer.script = never
    asking = [asyncio.create_task(few.post(b"a", {}, is_write=False)) for _ in range(2)]
    await peer.asked.wait()
    few._connect_seconds = 0.1  # which is else a part of what an answer may take
    with pytest.raises(NotSentError, match="connections are in use"):
        await few.post(b"b", {}, is_write=True)
    assert peer.requests <= 2
    for task in asking:
        task.cancel()
    await asyncio.wait(asking)
    await few.close()
