"""An address at which something else answers: one sentence says what it is and what to do."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import httpx
import pytest

from service.cli.admin_client import AdminClient, AdminError, UsageError

URL = "http://mirror.example:8080"
NOT_OURS = (
    f"What answers at {URL} is not dynamirror's admin API (HTTP {{}}): name the service's own address with --url."
)
OURS = "urn:dynamirror:problem:conflict"


def client(answer: Callable[[httpx.Request], httpx.Response]) -> AdminClient:
    return AdminClient(URL, "a-secret", transport=httpx.MockTransport(answer))


def status(asking: AdminClient) -> Any:
    return asking.ask("GET", "/status", "pipeline")


def told(answer: httpx.Response | Exception, ask: Callable[[AdminClient], Any] = status) -> AdminError:
    def answered(request: httpx.Request) -> httpx.Response:
        if isinstance(answer, Exception):
            raise answer
        return answer

    with client(answered) as asking, pytest.raises(AdminError) as refused:
        ask(asking)
    return refused.value


@pytest.mark.parametrize(
    ("answer", "status"),
    [
        (httpx.Response(200, html="<p>Welcome to nginx!</p>"), "200"),
        (httpx.Response(200, json={"hello": "world"}), "200"),
        (httpx.Response(200, json=["items"]), "200"),
        (httpx.Response(200, text="[" * 100_000), "200"),
        (httpx.Response(204), "204"),
        (httpx.Response(404, json={"error": "not found"}), "404"),
        (httpx.Response(401, headers={"www-authenticate": "Basic"}), "401"),
        (httpx.Response(502, html="<h1>Bad gateway</h1>"), "502"),
        (
            httpx.Response(302, headers={"location": "https://login.example/"}),
            "302, and sends on to https://login.example/",
        ),
    ],
)
def test_a_web_server_is_not_taken_for_the_service(answer: httpx.Response, status: str) -> None:
    assert str(told(answer)) == NOT_OURS.format(status)


@pytest.mark.parametrize("answer", [httpx.Response(200, html="<p>x</p>"), httpx.Response(200, json={"ok": True})])
def test_nothing_counts_as_discarded_that_another_server_answered(answer: httpx.Response) -> None:
    assert "is not dynamirror's" in str(told(answer, lambda asking: asking.ask("DELETE", "/dead-letters/a", None)))


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (httpx.RemoteProtocolError("illegal"), "speaks no HTTP: if it speaks TLS, its address begins with https://"),
        (httpx.ReadError(""), "broke off"),
        (httpx.ConnectError("refused"), "Nothing answers at"),
        (httpx.ReadTimeout(""), "does not answer in time"),
        (httpx.DecodingError("gzip"), "can't be asked: DecodingError"),
    ],
)
def test_what_speaks_no_http_is_told_with_what_to_do(error: Exception, said: str) -> None:
    assert said in str(told(error))


def test_the_service_s_own_refusals_are_told_in_its_words() -> None:
    def refusal(status: int) -> AdminError:
        return told(httpx.Response(status, json={"type": OURS, "status": status, "detail": "in its words"}))

    assert (str(refusal(409)), refusal(409).status, type(refusal(409))) == ("in its words", 409, AdminError)
    assert (str(refusal(422)), type(refusal(422))) == ("in its words", UsageError)
    assert "set DYNAMIRROR_ADMIN_TOKEN" in str(refusal(401))


@pytest.mark.parametrize(
    "url", ["", "nonsense", "localhost:8080", "ftp://h", "http://", "http://[::1", "http://h:99999", "http://ä..b"]
)
def test_an_address_that_is_none_is_a_wrong_usage(url: str) -> None:
    with pytest.raises(UsageError, match="is not a URL; expected one such as"):
        AdminClient(url, None)


@pytest.mark.parametrize(
    ("name", "value"),
    [("HTTP_PROXY", "ftp://proxy"), ("ALL_PROXY", "socks5://proxy"), ("SSL_CERT_FILE", "/no/such/file")],
)
def test_a_proxy_or_certificates_that_can_t_be_used_are_told(
    monkeypatch: pytest.MonkeyPatch, name: str, value: str
) -> None:
    monkeypatch.setenv(name, value)
    with pytest.raises(UsageError, match=name):
        AdminClient("https://mirror.example", None)


def test_a_service_that_does_not_answer_is_told_within_seconds() -> None:
    """A pause may take a minute to answer; the status comes from the service's memory."""
    waits: list[float] = []

    def silent(request: httpx.Request) -> httpx.Response:
        waits.append(request.extensions["timeout"]["read"])
        if request.url.path == "/status":  # several pipelines have no status in common
            return httpx.Response(404, json={"type": "urn:dynamirror:problem:not-found", "detail": "name one"})
        raise httpx.ReadTimeout("")

    with client(silent) as asking, pytest.raises(AdminError, match="does not answer in time"):
        asking.overview()
    assert waits == [10, 10]
