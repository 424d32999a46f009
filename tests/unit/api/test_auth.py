"""Which token opens what: every call of the API with every configuration of tokens."""

from __future__ import annotations

from functools import cache

import pytest

from api.auth import Tokens
from api.hardening import Limits
from tests.fakes.api import ADMIN, NAME, READ, FakeApi, problem_of

OPEN = [
    "/healthz",
    "/readyz",
    "/docs",
    "/docs/swagger-ui.css",
    "/openapi.json",
    f"/pipelines/{NAME}/healthz",
    f"/pipelines/{NAME}/readyz",
]
READS = [
    "/status",
    "/metrics",
    "/replays",
    "/replays/x",
    "/snapshots",
    "/snapshots/x",
    "/verifications",
    "/verifications/x",
    "/redrives",
    "/redrives/x",
    "/dead-letters",
    "/dead-letters/x",
    "/pipelines",
    f"/pipelines/{NAME}/status",
    f"/pipelines/{NAME}/metrics",
    f"/pipelines/{NAME}/dead-letters/readyz",
    "/pipelines/another/readyz",
    "/pipelines/another/",
    "/pipelines//readyz",
    "/a-path-that-nobody-knows",
]
CHANGES = [
    ("POST", "/pause"),
    ("POST", "/resume"),
    ("POST", "/replay"),
    ("POST", "/replicate"),
    ("POST", "/snapshot"),
    ("POST", "/verify"),
    ("POST", "/dead-letters/redrive"),
    ("DELETE", "/dead-letters/x"),
    ("DELETE", "/redrives/x"),
    ("PUT", "/status"),
    ("POST", "/reload"),
    ("POST", f"/pipelines/{NAME}/pause"),
    ("DELETE", f"/pipelines/{NAME}/dead-letters/readyz"),
    ("POST", "/pipelines/another/readyz"),
]
REFUSED = {401, 403}


@cache
def guarded(admin: bool, read: bool) -> FakeApi:
    """One for all tests: an app builds its routes with its first requests, which takes longer than to answer them."""
    limits = Limits(requests_per_second=100_000)
    return FakeApi(admin_token=ADMIN if admin else None, read_token=READ if read else None, limits=limits)


@pytest.mark.parametrize("path", OPEN)
async def test_no_token_is_needed_for_health_and_documentation(path):
    assert (await guarded(admin=True, read=True).call("GET", path)).status_code == 200


async def test_no_token_is_needed_for_the_dashboard_page(tmp_path):
    page = tmp_path / "index.html"
    page.write_text("<title>lag</title>")
    api = FakeApi(admin_token=ADMIN, dashboard_page=page)
    assert (await api.call("GET", "/")).status_code == 200


@pytest.mark.parametrize("path", READS)
@pytest.mark.parametrize(
    ("admin", "read", "token", "status"),
    [
        (False, False, None, None),
        (True, False, None, 401),
        (True, False, "wrong", 401),
        (True, False, ADMIN, None),
        (True, True, None, 401),
        (True, True, READ, None),
        (True, True, ADMIN, None),
        (False, True, None, 401),
        (False, True, READ, None),
    ],
)
async def test_reading_needs_a_token_if_there_is_one(path, admin, read, token, status):
    response = await guarded(admin, read).call("GET", path, token)
    assert response.status_code == status if status else response.status_code not in REFUSED


@pytest.mark.parametrize(("method", "path"), CHANGES)
@pytest.mark.parametrize(
    ("admin", "read", "token", "status"),
    [
        (False, False, None, None),
        (True, False, None, 401),
        (True, False, "wrong", 401),
        (True, False, ADMIN, None),
        (True, True, None, 401),
        (True, True, READ, 403),
        (True, True, ADMIN, None),
        (False, True, None, 401),
        (False, True, READ, 403),
    ],
)
async def test_a_change_needs_the_admin_token_if_there_is_any(method, path, admin, read, token, status):
    api = guarded(admin, read)
    api.console.asked.clear()
    response = await api.call(method, path, token)
    if status:
        assert response.status_code == status
        assert api.console.asked == []
    else:
        assert response.status_code not in REFUSED


@pytest.mark.parametrize(
    "header",
    [
        "",
        "Bearer",
        "Bearer ",
        f"Basic {ADMIN}",
        f"Bearer {ADMIN}x",
        f"Bearer {ADMIN[:-1]}",
        f"Bearer {ADMIN} {ADMIN}",
        ADMIN,
        "Bearer tök\u00e9n",
    ],
)
async def test_a_header_that_is_not_exactly_the_token_is_refused(header):
    headers = {"authorization": header.encode()}
    response = await FakeApi(admin_token=ADMIN).call("POST", "/pause", headers=headers)
    assert response.status_code == 401


async def test_the_scheme_s_name_may_be_in_any_case():
    headers = {"authorization": f"bEARER {ADMIN}"}
    assert (await FakeApi(admin_token=ADMIN).call("POST", "/pause", headers=headers)).status_code == 200


async def test_a_token_may_have_any_characters():
    api = FakeApi(admin_token="tök\u00e9n")
    headers = {"authorization": "Bearer tök\u00e9n".encode()}
    assert (await api.call("POST", "/pause", headers=headers)).status_code == 200


def test_two_tokens_at_once_are_none():
    tokens = Tokens.of(ADMIN, None)
    given = (b"authorization", f"Bearer {ADMIN}".encode())
    assert tokens.caller({"headers": [given]}).value == "admin"
    assert tokens.caller({"headers": [given, given]}).value == "unknown"


async def test_401_names_the_scheme_and_says_what_to_send():
    response = await FakeApi(admin_token=ADMIN).call("GET", "/status")
    assert response.headers["www-authenticate"] == 'Bearer realm="dynamirror"'
    assert "Authorization: Bearer" in problem_of(response)["detail"]


async def test_403_says_which_token_a_change_needs():
    response = await guarded(admin=True, read=True).call("POST", "/pause", READ)
    assert "DYNAMIRROR_ADMIN_TOKEN" in problem_of(response)["detail"]


async def test_the_body_of_a_stranger_is_not_looked_at():
    response = await FakeApi(admin_token=ADMIN).call("POST", "/replay", content=b"x" * 1_000_000)
    assert response.status_code == 401


def test_tokens_do_not_show_in_texts():
    assert ADMIN not in repr(Tokens.of(ADMIN, READ))


async def test_an_answer_says_what_its_token_opens():
    api = FakeApi(admin_token=ADMIN, read_token=READ)
    told = [(await api.call("GET", "/status", token)).headers.get("dynamirror-access") for token in (ADMIN, READ, None)]
    assert told == ["change", "read", None]
    assert (await FakeApi().call("GET", "/status")).headers["dynamirror-access"] == "change"
