"""service.aws.http.transport against a server that misbehaves on purpose: what was sent, and what was lost."""

import asyncio
import contextlib
import ssl

import pytest

from service.aws.http.client import DirectEndpoint
from service.aws.http.transport import AiohttpEndpoint, AnswerLostError, NotSentError, tls_context
from tests.support.patience import PATIENCE_SECONDS

OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nX-Amz-Crc32: 7\r\n\r\n{}"


class Misbehaving:
    """An HTTP server that reads a request and then does what it is told, for each connection anew."""

    def __init__(self) -> None:
        self.requests: list[bytes] = []
        self.connections = 0
        self.answer = OK
        self.ends = False
        self.url = ""

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        with contextlib.suppress(ConnectionError, asyncio.IncompleteReadError):
            while True:
                head = await reader.readuntil(b"\r\n\r\n")
                length = next(int(line[15:]) for line in head.split(b"\r\n") if line.lower().startswith(b"content-len"))
                self.requests.append(head + await reader.readexactly(length))
                writer.write(self.answer)
                await writer.drain()
                if self.ends:
                    break
        writer.close()


@pytest.fixture
async def server():
    misbehaving = Misbehaving()
    listening = await asyncio.start_server(misbehaving.serve, "127.0.0.1", 0)
    misbehaving.url = f"http://127.0.0.1:{listening.sockets[0].getsockname()[1]}/"
    yield misbehaving
    listening.close()


@pytest.fixture(params=["direct", "aiohttp"])
async def endpoint_on(request):
    """Makes endpoints of either kind, which promise the same."""
    opened = []

    def make(url, request_timeout_seconds=PATIENCE_SECONDS):
        kind = AiohttpEndpoint if request.param == "aiohttp" else DirectEndpoint
        opened.append(kind(url, tls_context(None), request_timeout_seconds))
        return opened[-1]

    yield make
    for endpoint in opened:
        await endpoint.close()


async def test_requests_follow_each_other_on_one_connection(server, endpoint_on):
    endpoint = endpoint_on(server.url)

    answers = [await endpoint.post(b"body", {"X-Amz-Target": "T"}, is_write=True) for _ in range(3)]

    assert {(answer.status, answer.body, answer.checksum) for answer in answers} == {(200, b"{}", "7")}
    assert server.connections == 1
    assert all(request.endswith(b"\r\n\r\nbody") for request in server.requests)
    assert all(b"Accept-Encoding: identity" in request for request in server.requests)


@pytest.mark.parametrize(("field", "date"), [("DATE:  Fri, 27 Nov 2026 11:12:58 GMT", True), ("Update: x", False)])
async def test_an_answer_has_the_date_that_the_server_gave_it(server, endpoint_on, field, date):
    server.answer = f"HTTP/1.1 200 OK\r\n{field}\r\nContent-Length: 2\r\n\r\n{{}}".encode()
    answer = await endpoint_on(server.url).post(b"body", {}, is_write=False)

    assert (answer.date or "").strip() == ("Fri, 27 Nov 2026 11:12:58 GMT" if date else "")


async def test_an_error_answer_is_an_answer(server, endpoint_on):
    server.answer = b"HTTP/1.1 400 Bad Request\r\nContent-Length: 3\r\n\r\nbad"

    answer = await endpoint_on(server.url).post(b"", {}, is_write=True)

    assert (answer.status, answer.body) == (400, b"bad")


async def test_a_redirect_is_not_followed(server, endpoint_on):
    server.answer = b"HTTP/1.1 307 Moved\r\nLocation: http://127.0.0.1:1/\r\nContent-Length: 0\r\n\r\n"

    assert (await endpoint_on(server.url).post(b"", {}, is_write=True)).status == 307


async def test_a_refused_connection_sent_nothing(server, endpoint_on):
    with pytest.raises(NotSentError):
        await endpoint_on("http://127.0.0.1:1/").post(b"", {}, is_write=True)


async def test_a_name_that_is_not_known_sent_nothing(endpoint_on):
    with pytest.raises(NotSentError):
        await endpoint_on("http://no-such-host.invalid/").post(b"", {}, is_write=True)


async def test_a_server_without_tls_is_sent_nothing(server, endpoint_on):
    with pytest.raises(NotSentError):
        await endpoint_on(server.url.replace("http:", "https:")).post(b"", {}, is_write=True)


@pytest.mark.parametrize(
    "answer",
    [
        pytest.param(b"", id="nothing"),
        pytest.param(b"HTTP/1.1 200 OK\r\nContent-Le", id="half a head"),
        pytest.param(b"HTTP/1.1 200 OK\r\nContent-Length: 99\r\n\r\n{}", id="half a body"),
        pytest.param(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n", id="half the chunks"),
        pytest.param(b"what is this\r\n\r\n", id="no HTTP"),
    ],
)
async def test_an_answer_that_is_cut_is_lost_and_not_asked_for_again(server, endpoint_on, answer):
    server.answer, server.ends = answer, True

    with pytest.raises(AnswerLostError):
        await endpoint_on(server.url).post(b"", {}, is_write=True)

    assert len(server.requests) == 1


@pytest.mark.parametrize("is_write", [True, False])
async def test_an_answer_that_never_comes_is_lost(server, endpoint_on, is_write):
    server.answer = b""

    with pytest.raises(AnswerLostError):
        await endpoint_on(server.url, 0.05).post(b"", {}, is_write=is_write)


async def post_to(url):
    endpoint = AiohttpEndpoint(url, tls_context(None), PATIENCE_SECONDS)
    await endpoint.post(b"", {}, is_write=True)
    await endpoint.close()


async def test_a_proxy_of_the_environment_is_used(server, monkeypatch):
    monkeypatch.setenv("http_proxy", server.url)
    monkeypatch.delenv("no_proxy", raising=False)

    await post_to("http://dynamodb.example/")

    assert server.requests[0].startswith(b"POST http://dynamodb.example/ ")


async def test_a_host_of_no_proxy_is_asked_directly(server, monkeypatch):
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:1")
    monkeypatch.setenv("no_proxy", "127.0.0.1")

    await post_to(server.url)

    assert server.requests[0].startswith(b"POST / ")


def test_the_bundle_that_is_set_is_the_one_that_is_trusted(tmp_path, monkeypatch):
    bundle = tmp_path / "bundle.pem"
    bundle.write_text("nothing")

    assert tls_context(None).verify_mode is ssl.CERT_REQUIRED
    with pytest.raises(ssl.SSLError):
        tls_context(str(bundle))
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(bundle))
    with pytest.raises(ssl.SSLError):
        tls_context(None)
