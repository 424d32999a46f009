"""Every answer that is not the one asked for is a problem, and says what was expected."""

from __future__ import annotations

import logging

import pytest

from service.errors import RetryableError
from service.operations.console import (
    ConflictError,
    InvalidError,
    NotFoundError,
    OperationError,
    TrimmedAlreadyError,
    UnavailableNowError,
)
from tests.fakes.api import FakeApi, problem_of
from tests.fakes.console import SECRET

JSON = {"content-type": "application/json"}


@pytest.mark.parametrize(
    ("error", "status"),
    [
        (NotFoundError("no"), 404),
        (ConflictError("no"), 409),
        (TrimmedAlreadyError("no", None), 410),
        (InvalidError("no"), 422),
        (OperationError("no"), 409),
    ],
)
async def test_what_the_console_refuses_has_its_status_and_its_words(api: FakeApi, error, status):
    api.console.refusal = error
    found = problem_of(await api.call("POST", "/snapshot"))
    assert (found["status"], found["detail"]) == (status, "no")


async def test_a_table_that_does_not_answer_is_503_and_says_when_to_try_again(api: FakeApi):
    api.console.refusal = UnavailableNowError("The control table did not answer.")
    response = await api.call("GET", "/replays")
    assert problem_of(response)["status"] == 503
    assert response.headers["retry-after"] == "1"


@pytest.mark.parametrize("error", [KeyError(SECRET), RetryableError(SECRET), ValueError(SECRET), TimeoutError(SECRET)])
async def test_an_unforeseen_error_is_500_and_its_text_goes_nowhere(api: FakeApi, caplog, error):
    api.console.refusal = error
    with caplog.at_level(logging.DEBUG):
        response = await api.call("GET", "/status")
    assert problem_of(response)["status"] == 500
    assert SECRET not in response.text
    assert SECRET not in caplog.text
    assert type(error).__name__ in caplog.text
    assert "console.py" in caplog.text


@pytest.mark.parametrize(
    ("path", "body", "field", "expected"),
    [
        ("/replay", {}, "body", "exactly one of"),
        ("/replay", [], "body", "exactly one of"),
        ("/replay", {"from": "trim_horizon", "sequence_number": "1" * 21}, "body", "exactly one of"),
        ("/replay", {"from": "latest"}, "body.from", "'trim_horizon'"),
        ("/replay", {"from_time": "2026-11-23T10:15:00"}, "body.from_time", "offset"),
        ("/replay", {"from_time": "0001-01-01T00:00:00+23:59"}, "body.from_time", "expected a time"),
        ("/replay", {"from_time": 1763892900}, "body.from_time", "offset"),
        ("/replay", {"sequence_number": 11}, "body.sequence_number", "string"),
        ("/replay", {"sequence_number": "٣" * 21}, "body.sequence_number", "digits"),
        ("/replay", {"sequence_number": "1" * 21, "shard_id": ""}, "body.shard_id", "at least 1"),
        ("/replay", {"from": "trim_horizon", "shard_id": "x"}, "body.shard_id", "unknown"),
        ("/replay", {"from": "trim_horizon", "dry_run": "yes"}, "body.dry_run", "boolean"),
        ("/replicate", {}, "body.keys", "required"),
        ("/replicate", {"keys": {}}, "body.keys", "at least 1"),
        ("/replicate", {"keys": {"a": "key1"}}, "body.keys.a", "DynamoDB JSON"),
        ("/replicate", {"keys": {"a": {"S": "x", "N": "1"}}}, "body.keys.a", "DynamoDB JSON"),
        ("/replicate", {"keys": {"a": {"BOOL": True}}}, "body.keys.a", "DynamoDB JSON"),
        ("/replicate", {"keys": {"a": {"N": "one"}}}, "body.keys.a.N", "match"),
        ("/replicate", {"keys": {"a": {"B": "%%%%"}}}, "body.keys.a.B", "match"),
        ("/verify", {"repair": 1}, "body.repair", "boolean"),
        ("/verify", {"sample": 0}, "body.sample", "greater than 0"),
        ("/verify", {"fix": True}, "body.fix", "unknown"),
        ("/pause", {"now": True}, "body.now", "unknown"),
        ("/resume", {"now": True}, "body.now", "unknown"),
        ("/snapshot", {"now": True}, "body.now", "unknown"),
        ("/dead-letters/redrive", {}, "body", "exactly one of"),
        ("/dead-letters/redrive", {"all": False}, "body.all", "expected true"),
        ("/dead-letters/redrive", {"ids": []}, "body.ids", "at least 1"),
        ("/dead-letters/redrive", {"ids": ["a"], "all": True}, "body", "exactly one of"),
    ],
)
async def test_a_body_that_is_not_understood_is_422_and_says_what_was_expected(
    api: FakeApi, path, body, field, expected
):
    response = await api.call("POST", path, json=body)
    found = problem_of(response)
    assert found["status"] == 422
    assert [each["field"] for each in found["errors"]] == [field]
    assert expected in found["errors"][0]["message"]
    assert field in found["detail"]
    assert api.console.asked == []


@pytest.mark.parametrize("content", [b"{", b"\xff", b"[" * 60_000, b"{'a': 1}", b'{"\\ud800": 1}'])
async def test_a_body_that_is_no_json_is_422(api: FakeApi, content):
    response = await api.call("POST", "/replicate", content=content, headers=JSON)
    assert problem_of(response)["status"] == 422


@pytest.mark.parametrize("path", ["/verify", "/replay", "/replicate", "/dead-letters/redrive", "/pause"])
@pytest.mark.parametrize(
    "headers", [{}, {"content-type": "text/plain"}, {"content-type": "application/x-www-form-urlencoded"}]
)
async def test_a_body_of_another_type_is_415_and_says_which_is_taken(api: FakeApi, path, headers):
    """What curl's -d sends when nobody tells it the type."""
    response = await api.call("POST", path, content=b'{"from": "trim_horizon"}', headers=headers)
    found = problem_of(response)
    assert found["status"] == 415
    assert "Content-Type: application/json" in found["detail"]
    assert api.console.asked == []


async def test_without_a_body_its_type_does_not_matter(api: FakeApi):
    form = {"content-type": "application/x-www-form-urlencoded"}
    assert (await api.call("POST", "/pause", headers=form)).status_code == 200
    assert problem_of(await api.call("POST", "/replay", headers=form))["errors"][0]["message"] == "required"


async def test_an_answer_never_repeats_a_value_of_the_body(api: FakeApi):
    keys = {"a": {"S": SECRET, "B": SECRET}, "b": {"N": SECRET}}
    assert SECRET not in (await api.call("POST", "/replicate", json={"keys": keys})).text


@pytest.mark.parametrize(
    ("path", "field"),
    [
        ("/dead-letters?limit=0", "query.limit"),
        ("/dead-letters?limit=x", "query.limit"),
        ("/dead-letters?page=2", "query.page"),
        ("/status?verbose=1", "query.verbose"),
        ("/healthz?x", "query.x"),
    ],
)
async def test_a_query_parameter_that_is_unknown_or_wrong_is_422(api: FakeApi, path, field):
    found = problem_of(await api.call("GET", path))
    assert (found["status"], found["errors"][0]["field"]) == (422, field)


async def test_a_cursor_that_is_none_is_422(api: FakeApi):
    api.console.refusal = InvalidError("That is no cursor of this list.")
    assert problem_of(await api.call("GET", "/dead-letters?cursor=x"))["status"] == 422


@pytest.mark.parametrize("path", ["/nothing", "/status/", "/replays/a/b", "/docs/"])
async def test_an_unknown_path_is_404_and_says_where_to_look(api: FakeApi, path):
    assert "/docs" in problem_of(await api.call("GET", path))["detail"]


@pytest.mark.parametrize(
    ("method", "path", "allowed"),
    [
        ("POST", "/status", "GET, HEAD"),
        ("GET", "/pause", "POST"),
        ("PATCH", "/dead-letters/x", "DELETE, GET, HEAD"),
        ("POST", "/docs", "GET, HEAD"),
        ("BREW", "/", "GET, HEAD"),
    ],
)
async def test_a_wrong_method_is_405_with_those_that_are_taken(api: FakeApi, method, path, allowed):
    response = await api.call(method, path)
    assert problem_of(response)["status"] == 405
    assert response.headers["allow"] == allowed


async def test_head_is_get_without_the_body(api: FakeApi):
    head, get = await api.call("HEAD", "/status"), await api.call("GET", "/status")
    assert (head.status_code, head.content) == (200, b"")
    assert head.headers["content-length"] == get.headers["content-length"]
