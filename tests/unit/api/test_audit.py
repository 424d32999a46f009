"""The audit log and the request metrics: who changed what, when, and what came of it; never an item's value."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from service.operations.console import ConflictError
from tests.fakes.api import ADMIN, NAME, READ, FakeApi
from tests.fakes.console import SECRET


async def test_a_change_is_audited_with_who_what_when_and_outcome():
    api = FakeApi(admin_token=ADMIN)
    before = datetime.now(UTC)
    await api.call("POST", "/pause", ADMIN)
    (event,) = api.audited
    assert (event.who, event.method, event.path, event.status, event.outcome) == (
        "admin",
        "POST",
        "/pause",
        200,
        "done",
    )
    assert event.client.startswith("127.0.0.1:")
    assert before <= event.at <= datetime.now(UTC)


async def test_without_tokens_the_audit_says_so(api: FakeApi):
    await api.call("POST", "/resume")
    assert api.audited[0].who == "somebody without a token"


@pytest.mark.parametrize(
    ("method", "path", "body", "details"),
    [
        ("POST", "/replay", {"from": "trim_horizon"}, {"from": "trim_horizon", "dry_run": False}),
        ("POST", "/verify", {"repair": True}, {"repair": True}),
        ("POST", "/dead-letters/redrive", {"all": True}, {"ids": "all"}),
        ("POST", "/dead-letters/redrive", {"ids": ["a", "b"]}, {"ids": 2}),
        ("POST", "/snapshot", None, {}),
        ("DELETE", "/dead-letters/a%0ab", None, {}),
    ],
)
async def test_what_was_asked_for_is_in_the_audit(api: FakeApi, method, path, body, details):
    await api.call(method, path, json=body)
    (event,) = api.audited
    assert (event.path, event.details) == (path, details)


async def test_a_key_is_in_the_audit_as_a_digest_only(api: FakeApi):
    for key in (SECRET, SECRET, "another"):
        await api.call("POST", "/replicate", json={"keys": {"pk": {"S": key}}})
    first, second, third = (event.details["key_digest"] for event in api.audited)
    assert first == second != third
    assert SECRET not in repr(api.audited)


async def test_a_refused_and_a_failed_change_are_audited_as_such(api: FakeApi):
    api.console.refusal = ConflictError("no")
    await api.call("POST", "/snapshot")
    api.console.refusal = KeyError("x")
    await api.call("POST", "/snapshot")
    await api.call("POST", "/replicate", json={"keys": SECRET})
    assert [(event.status, event.outcome) for event in api.audited] == [
        (409, "refused"),
        (500, "failed"),
        (422, "refused"),
    ]
    assert SECRET not in repr(api.audited)


async def test_a_change_with_the_read_token_is_audited_and_one_without_a_token_is_only_counted():
    api = FakeApi(admin_token=ADMIN, read_token=READ)
    await api.call("POST", "/pause", READ)
    await api.call("POST", "/pause", "wrong")
    assert [(event.who, event.status) for event in api.audited] == [("read", 403)]
    assert [(seen.route, seen.status) for seen in api.seen] == [("unmatched", 403), ("unmatched", 401)]


@pytest.mark.parametrize("path", ["/status", "/dead-letters", "/healthz", "/docs"])
async def test_reading_is_not_audited(api: FakeApi, path):
    await api.call("GET", path)
    assert api.audited == []


async def test_each_request_is_counted_under_its_route_s_template(api: FakeApi):
    await api.call("GET", "/dead-letters/a")
    await api.call("GET", "/a-path-that-nobody-knows")
    await api.call("BREW", "/status")
    await api.call("HEAD", "/status")
    await api.call("GET", f"/pipelines/{NAME}/dead-letters/a")
    await api.call("GET", "/pipelines/another/status")
    await api.call("GET", "/readyz")
    labels = [(seen.pipeline, seen.method, seen.route, seen.status) for seen in api.seen]
    assert labels == [
        (NAME, "GET", "/dead-letters/{id}", 404),
        ("", "GET", "unmatched", 404),
        ("", "OTHER", "/status", 405),
        (NAME, "HEAD", "/status", 200),
        (NAME, "GET", "/dead-letters/{id}", 404),
        ("", "GET", "/status", 404),
        ("", "GET", "/readyz", 200),
    ]
    assert all(seen.seconds >= 0 for seen in api.seen)


async def test_no_token_is_in_an_audit_event():
    api = FakeApi(admin_token=ADMIN, read_token=READ)
    await api.call("POST", "/pause", ADMIN)
    await api.call("POST", "/pause", READ)
    assert ADMIN not in repr(api.audited)
    assert READ not in repr(api.audited)
