"""What a web page may make an operator's browser ask of an API without tokens: nothing."""

from __future__ import annotations

import pytest

from tests.fakes.api import ADMIN, FakeApi, problem_of

FOREIGN_HOSTS = [
    "evil.example",
    "evil.example:8080",
    "localhost.evil.example",
    "10.0.0.1",
    "[::2]:8080",
    "",
    "127.0.0.1x",
]
LOOPBACK_HOSTS = [
    "localhost",
    "localhost:8080",
    "LOCALHOST:1",
    "127.0.0.1:8080",
    "127.9.9.9",
    "[::1]:8080",
    "a.localhost",
]


@pytest.mark.parametrize("host", FOREIGN_HOSTS)
@pytest.mark.parametrize("path", ["/status", "/readyz", "/", "/docs", "/dead-letters/x"])
async def test_a_name_that_was_rebound_to_loopback_is_refused(api: FakeApi, host, path):
    response = await api.call("GET", path, headers={"host": host})
    assert response.status_code == 403
    assert "loopback" in problem_of(response)["detail"]


@pytest.mark.parametrize("host", LOOPBACK_HOSTS)
async def test_loopback_s_own_names_are_answered(api: FakeApi, host):
    assert (await api.call("GET", "/status", headers={"host": host})).status_code == 200


async def test_healthz_answers_to_any_name(api: FakeApi):
    assert (await api.call("GET", "/healthz", headers={"host": "10.0.0.1:8080"})).status_code == 200


@pytest.mark.parametrize(
    "headers",
    [
        {"sec-fetch-site": "cross-site"},
        {"sec-fetch-site": "same-site"},
        {"origin": "https://evil.example"},
        {"origin": "http://localhost:3000"},
        {"origin": "null"},
        {"origin": "http://[bad"},
    ],
)
async def test_a_change_that_another_origin_asks_for_is_refused(api: FakeApi, headers):
    response = await api.call("POST", "/pause", headers=headers)
    assert response.status_code == 403
    assert api.console.asked == []


@pytest.mark.parametrize(
    "headers",
    [{}, {"sec-fetch-site": "none"}, {"sec-fetch-site": "same-origin", "origin": "http://localhost:8080"}],
)
async def test_a_change_from_the_dashboard_or_a_shell_is_taken(api: FakeApi, headers):
    assert (await api.call("POST", "/pause", headers=headers)).status_code == 200


async def test_no_other_origin_is_granted_anything(api: FakeApi):
    response = await api.call("OPTIONS", "/pause", headers={"origin": "https://evil.example"})
    assert response.status_code == 405
    assert not [name for name in response.headers if name.startswith("access-control")]


async def test_with_a_token_the_service_may_have_any_name():
    api = FakeApi(admin_token=ADMIN)
    headers = {"host": "dynamirror.internal", "origin": "https://proxy.internal"}
    assert (await api.call("POST", "/pause", ADMIN, headers=headers)).status_code == 200


@pytest.mark.parametrize("path", ["/status", "/nothing", "/pause"])
async def test_every_answer_has_the_security_headers(api: FakeApi, path):
    headers = (await api.call("GET", path)).headers
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["referrer-policy"] == "no-referrer"
    assert headers["cache-control"] == "no-store"
    assert "frame-ancestors 'none'" in headers["content-security-policy"]
    assert "server" not in headers
