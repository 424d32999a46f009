"""Section 5 of the contract: one test for each row of its table of calls, in its order, named after it."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime

import pytest

from service.operations.console import ConflictError, InvalidError, NotFoundError, TrimmedAlreadyError
from service.operations.documents.jobs import JobState, Replay
from tests.fakes.api import ADMIN, METRICS, FakeApi, problem_of
from tests.fakes.console import SECRET

NUMBER = "1100000000017454423009"
STATUS_FIELDS = [
    "pipeline",
    "state",
    "reason",
    "role",
    "active",
    "active_since",
    "process",
    "paused_since",
    "paused_by",
    "source",
    "replica",
    "lag",
    "queue",
    "shards",
    "totals",
    "rates",
    "dead_letters",
    "last_verification",
    "gaps",
    "warnings",
    "refused",
    "version",
    "started_at",
    "now",
    "clock_offset_seconds",
]


async def test_get_healthz_is_200_while_the_process_is_alive(api: FakeApi):
    api.console.reason = "nothing is read any more"
    response = await api.call("GET", "/healthz")
    assert response.status_code == 200


async def test_get_readyz_is_200_while_it_makes_progress(api: FakeApi):
    assert (await api.call("GET", "/readyz")).status_code == 200


async def test_get_readyz_is_503_with_the_reason_otherwise(api: FakeApi):
    api.console.reason = "No open shard was read for 31 seconds."
    response = await api.call("GET", "/readyz")
    assert response.status_code == 503
    assert problem_of(response)["detail"] == "No open shard was read for 31 seconds."


async def test_get_status_is_the_status_document(api: FakeApi):
    response = await api.call("GET", "/status")
    assert response.status_code == 200
    assert list(response.json()) == STATUS_FIELDS
    assert response.json() == api.console.status().model_dump(mode="json")


async def test_get_status_has_its_times_in_utc_with_a_z(api: FakeApi):
    assert (await api.call("GET", "/status")).json()["started_at"] == "2026-11-23T10:00:00Z"


async def test_get_metrics_is_prometheus_text(api: FakeApi):
    response = await api.call("GET", "/metrics")
    assert response.content == METRICS
    assert response.headers["content-type"].startswith("text/plain; version=0.0.4")


async def test_get_root_is_the_dashboard_page(tmp_path):
    page = tmp_path / "index.html"
    page.write_text("<!doctype html><title>lag</title><script>let a = 1</script>")
    response = await FakeApi(dashboard_page=page).call("GET", "/")
    assert response.status_code == 200
    assert response.headers["content-type"] == "text/html; charset=utf-8"
    assert response.text == page.read_text()


async def test_post_pause_is_200_and_the_status_when_no_write_is_in_flight_any_more(api: FakeApi):
    api.console.held = asyncio.Event()
    call = asyncio.create_task(api.call("POST", "/pause"))
    await asyncio.sleep(5)
    assert not call.done()
    api.console.held.set()
    response = await call
    assert response.status_code == 200
    assert response.json()["state"] == "paused"


async def test_post_resume_is_200_and_the_status(api: FakeApi):
    await api.call("POST", "/pause")
    response = await api.call("POST", "/resume")
    assert response.status_code == 200
    assert response.json()["state"] == "running"


@pytest.mark.parametrize(
    ("body", "asked"),
    [
        ({"sequence_number": NUMBER}, {"sequence_number": NUMBER}),
        ({"sequence_number": NUMBER, "shard_id": "shardId-1"}, {"sequence_number": NUMBER, "shard_id": "shardId-1"}),
        ({"from_time": "2026-11-23T12:15:00+02:00"}, {"from_time": datetime(2026, 11, 23, 10, 15, tzinfo=UTC)}),
        ({"from": "trim_horizon"}, {"from_": "trim_horizon"}),
    ],
)
async def test_post_replay_is_202_with_its_id_state_and_location(api: FakeApi, body, asked):
    response = await api.call("POST", "/replay", json=body)
    assert response.status_code == 202
    begun = response.json()
    assert begun["state"] == "running"
    assert response.headers["location"] == f"/replays/{begun['id']}"
    nothing = {"sequence_number": None, "shard_id": None, "from_time": None, "from_": None, "dry_run": False}
    assert api.console.asked == [("replay", nothing | asked)]
    assert (await api.call("GET", response.headers["location"])).json() == begun


async def test_post_replay_with_dry_run_asks_for_a_dry_run(api: FakeApi):
    response = await api.call("POST", "/replay", json={"from": "trim_horizon", "dry_run": True})
    assert response.json()["dry_run"] is True
    assert api.console.asked[0][1]["dry_run"] is True


async def test_post_replay_is_422_for_what_is_not_a_sequence_number_of_this_stream(api: FakeApi):
    refused = await api.call("POST", "/replay", json={"sequence_number": "yesterday"})
    assert problem_of(refused)["errors"] == [
        {
            "field": "body.sequence_number",
            "message": "not a sequence number; expected a string of 21 to 40 digits",
        }
    ]
    assert api.console.asked == []
    api.console.refusal = InvalidError("No shard of this stream holds it.")
    unknown = await api.call("POST", "/replay", json={"sequence_number": NUMBER})
    assert (unknown.status_code, problem_of(unknown)["detail"]) == (422, "No shard of this stream holds it.")


async def test_post_replay_is_410_with_the_oldest_number_when_it_is_trimmed_already(api: FakeApi):
    api.console.refusal = TrimmedAlreadyError("That is trimmed.", oldest=NUMBER)
    response = await api.call("POST", "/replay", json={"sequence_number": "1" * 21})
    assert response.status_code == 410
    assert problem_of(response)["oldest_sequence_number"] == NUMBER


async def test_post_replay_is_409_while_another_replay_runs(api: FakeApi):
    api.console.refusal = ConflictError("A replay is running.")
    response = await api.call("POST", "/replay", json={"from": "trim_horizon"})
    assert (response.status_code, problem_of(response)["detail"]) == (409, "A replay is running.")


@pytest.mark.parametrize("outcome", ["written", "deleted", "unchanged"])
async def test_post_replicate_copies_one_item_and_tells_the_outcome(api: FakeApi, outcome):
    api.console.outcome = outcome
    keys = {"pk": {"S": "key1"}, "sk": {"N": "42"}}
    response = await api.call("POST", "/replicate", json={"keys": keys})
    assert (response.status_code, response.json()) == (200, {"outcome": outcome})
    assert api.console.asked == [("replicate", {"keys": keys})]


async def test_get_replays_lists_them_and_get_replays_id_shows_one(api: FakeApi):
    finished = Replay(
        id="r1",
        state=JobState.DONE,
        started_at=datetime(2026, 11, 23, 10, 0, tzinfo=UTC),
        finished_at=datetime(2026, 11, 23, 10, 1, tzinfo=UTC),
        from_="trim_horizon",
        records_read=5,
        records_applied=2,
        records_unchanged=3,
    )
    api.console.jobs_begun["r1"] = finished
    shown = (await api.call("GET", "/replays/r1")).json()
    assert (await api.call("GET", "/replays")).json() == {"items": [shown]}
    expected = {
        "state": "done",
        "from": "trim_horizon",
        "records_read": 5,
        "records_applied": 2,
        "records_unchanged": 3,
        "started_at": "2026-11-23T10:00:00Z",
        "finished_at": "2026-11-23T10:01:00Z",
    }
    assert expected.items() <= shown.items()
    assert (await api.call("GET", "/replays/r2")).status_code == 404


async def test_post_snapshot_is_202_and_get_snapshots_show_its_progress(api: FakeApi):
    response = await api.call("POST", "/snapshot")
    assert response.status_code == 202
    shown = (await api.call("GET", response.headers["location"])).json()
    assert shown == response.json()
    assert {"items_scanned", "items_written", "items_estimated", "state"} <= shown.keys()
    assert (await api.call("GET", "/snapshots")).json() == {"items": [shown]}
    assert (await api.call("GET", "/snapshots/none")).status_code == 404


@pytest.mark.parametrize(
    ("body", "repair"), [(None, False), ({}, False), ({"repair": False}, False), ({"repair": True}, True)]
)
async def test_post_verify_is_202_and_get_verifications_show_its_result(api: FakeApi, body, repair):
    response = await api.call("POST", "/verify", json=body)
    assert response.status_code == 202
    assert api.console.asked == [("verify", {"repair": repair, "sample": None})]
    shown = (await api.call("GET", response.headers["location"])).json()
    assert {"items_compared", "missing", "extra", "different", "repaired", "differing_keys"} <= shown.keys()
    assert (await api.call("GET", "/verifications")).json() == {"items": [shown]}
    assert (await api.call("GET", "/verifications/none")).status_code == 404


async def test_get_dead_letters_pages_through_them_with_limit_and_cursor(api: FakeApi):
    for letter_id in ("a", "b", "c"):
        api.console.add_letter(letter_id)
    first = (await api.call("GET", "/dead-letters?limit=2")).json()
    assert [each["id"] for each in first["items"]] == ["a", "b"]
    fields = ["id", "shard_id", "sequence_number", "event_name", "keys", "error", "attempts", "failed_at"]
    assert list(first["items"][0]) == fields
    last = (await api.call("GET", f"/dead-letters?limit=2&cursor={first['cursor']}")).json()
    assert ([each["id"] for each in last["items"]], last["cursor"]) == (["c"], None)


async def test_get_dead_letters_id_is_the_whole_record(api: FakeApi):
    api.console.add_letter("a")
    shown = (await api.call("GET", "/dead-letters/a")).json()
    assert shown["record"] == {"NewImage": {"value": {"S": SECRET}}}
    assert shown["failed_at"] == "2026-11-23T10:15:00Z"
    assert (await api.call("GET", "/dead-letters/b")).status_code == 404


@pytest.mark.parametrize(("body", "ids"), [({"ids": ["a"]}, ["a"]), ({"all": True}, None)])
async def test_post_dead_letters_redrive_takes_ids_or_all(api: FakeApi, body, ids):
    api.console.add_letter("a")
    response = await api.call("POST", "/dead-letters/redrive", json=body)
    assert (response.status_code, response.json()) == (200, {"redriven": 1, "superseded": 0, "failed": 0})
    assert api.console.asked == [("redrive", {"ids": ids})]


async def test_a_redrive_that_takes_long_is_202_and_get_redrives_show_its_result(api: FakeApi):
    api.console.held = asyncio.Event()
    response = await api.call("POST", "/dead-letters/redrive", json={"all": True})
    assert response.status_code == 202
    assert {"state": "running", "redriven": 0, "superseded": 0, "failed": 0}.items() <= response.json().items()
    shown = (await api.call("GET", response.headers["location"])).json()
    assert shown == response.json()
    assert (await api.call("GET", "/redrives")).json() == {"items": [shown]}
    assert (await api.call("GET", "/redrives/none")).status_code == 404


@pytest.mark.parametrize("kind", ["replay", "snapshot", "verification", "redrive"])
async def test_delete_of_a_job_is_200_and_the_job_cancelled_and_409_when_it_had_ended(api: FakeApi, kind):
    start = {"verification": "verify", "redrive": "dead-letters/redrive"}.get(kind, kind)
    body = {"replay": {"from": "trim_horizon"}, "redrive": {"all": True}}.get(kind, {})
    api.console.held = asyncio.Event() if kind == "redrive" else None
    begun = await api.call("POST", f"/{start}", json=body)
    place = begun.headers["location"]
    answer = await api.call("DELETE", place)
    assert answer.status_code == 200
    assert {"id": begun.json()["id"], "state": "cancelled"}.items() <= answer.json().items()
    assert (await api.call("GET", place)).json() == answer.json()
    assert problem_of(await api.call("DELETE", place))["status"] == 409
    assert problem_of(await api.call("DELETE", f"{place}-not"))["status"] == 404


async def test_jobs_tell_who_started_them(api: FakeApi):
    assert (await api.call("POST", "/snapshot")).json()["started_by"] == "admin"


async def test_delete_dead_letters_id_is_204(api: FakeApi):
    api.console.add_letter("a")
    response = await api.call("DELETE", "/dead-letters/a")
    assert (response.status_code, response.content) == (204, b"")
    assert (await api.call("DELETE", "/dead-letters/a")).status_code == 404


async def test_a_job_that_is_not_there_is_404_with_the_console_s_words(api: FakeApi):
    api.console.refusal = NotFoundError("There is no replay 'x'.")
    assert problem_of(await api.call("GET", "/replays/x"))["detail"] == "There is no replay 'x'."


async def test_openapi_and_docs_are_there(api: FakeApi):
    assert (await api.call("GET", "/openapi.json")).json()["info"]["version"] == "0.1.0"
    assert "SwaggerUIBundle" in (await api.call("GET", "/docs")).text


async def test_a_pause_is_told_who_asks_for_it():
    api = FakeApi(admin_token=ADMIN)
    assert (await api.call("POST", "/pause", ADMIN)).status_code == 200
    ((_, asked),) = [each for each in api.console.asked if each[0] == "pause"]
    assert asked == {"by": "admin from 127.0.0.1"}
