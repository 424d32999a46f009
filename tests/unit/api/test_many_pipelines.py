"""Section 7 of the contract: the calls of a process that runs several pipelines."""

from __future__ import annotations

import pytest

from service.operations.console import ConflictError
from service.operations.documents.fleet import LeftOut
from service.operations.documents.status import PipelineState
from tests.fakes.api import ADMIN, METRICS, NAME, FakeApi, problem_of
from tests.fakes.consoles import FakeConsoles

CALLS = [
    ("GET", "/status", None),
    ("POST", "/pause", None),
    ("POST", "/resume", None),
    ("POST", "/replay", {"from": "trim_horizon"}),
    ("GET", "/replays", None),
    ("POST", "/snapshot", None),
    ("GET", "/snapshots", None),
    ("POST", "/verify", None),
    ("GET", "/verifications", None),
    ("POST", "/replicate", {"keys": {"pk": {"S": "1"}}}),
    ("GET", "/dead-letters", None),
    ("POST", "/dead-letters/redrive", {"all": True}),
    ("GET", "/redrives", None),
]


@pytest.fixture
def consoles() -> FakeConsoles:
    return FakeConsoles("orders", "users/eu")


@pytest.fixture
def many(consoles: FakeConsoles) -> FakeApi:
    return FakeApi(consoles=consoles)


async def test_get_pipelines_lists_each_in_a_line_and_what_discovery_left_out(many: FakeApi, consoles: FakeConsoles):
    consoles.consoles["orders"].state = PipelineState.FAILED
    consoles.consoles["orders"].reason = "history is missing"
    consoles.consoles["users/eu"].add_letter("a")
    consoles.not_replicated = [LeftOut(table="prod-x", reason="it has no stream")]
    told = (await many.call("GET", "/pipelines")).json()
    assert told["left_out"] == [{"table": "prod-x", "reason": "it has no stream"}]
    assert told["items"] == [
        {
            "name": "orders",
            "state": "failed",
            "role": "active",
            "reason": "history is missing",
            "ready": False,
            "paused_since": None,
            "lag_seconds": 1.5,
            "caught_up": False,
            "dead_letters": 0,
            "warnings": [],
        },
        {
            "name": "users/eu",
            "state": "running",
            "role": "active",
            "reason": None,
            "ready": True,
            "paused_since": None,
            "lag_seconds": 1.5,
            "caught_up": False,
            "dead_letters": 1,
            "warnings": [],
        },
    ]


@pytest.mark.parametrize(("method", "path", "body"), CALLS)
@pytest.mark.parametrize("written", ["users/eu", "users%2Feu"])
async def test_every_call_is_there_for_each_pipeline_and_asks_that_one_alone(
    many: FakeApi, consoles: FakeConsoles, method, path, body, written
):
    assert (await many.call(method, f"/pipelines/{written}{path}", json=body)).is_success
    assert consoles.consoles["users/eu"].asked
    assert not consoles.consoles["orders"].asked
    assert many.seen[-1].pipeline == "users/eu"


@pytest.mark.parametrize(("method", "path", "body"), CALLS)
async def test_a_call_without_a_name_is_404_and_says_where_to_look(
    many: FakeApi, consoles: FakeConsoles, method, path, body
):
    told = problem_of(await many.call(method, path, json=body))["detail"]
    assert "runs 2 pipelines" in told
    assert f"/pipelines/NAME{path}" in told
    assert "/pipelines." in told
    assert not any(each.asked for each in consoles.consoles.values())


@pytest.mark.parametrize(("method", "path", "body"), CALLS)
async def test_a_name_that_is_none_is_404_with_those_that_there_are(many: FakeApi, method, path, body):
    told = problem_of(await many.call(method, f"/pipelines/order{path}", json=body))
    assert told["status"] == 404
    assert "orders, users/eu" in told["detail"]


async def test_a_job_s_location_names_its_pipeline(many: FakeApi):
    begun = await many.call("POST", "/pipelines/users%2Feu/snapshot")
    assert begun.headers["location"] == f"/pipelines/users/eu/snapshots/{begun.json()['id']}"
    assert (await many.call("GET", begun.headers["location"])).json() == begun.json()


async def test_readyz_is_for_all_and_names_those_that_are_not(many: FakeApi, consoles: FakeConsoles):
    assert (await many.call("GET", "/readyz")).status_code == 200
    consoles.consoles["orders"].reason = "No open shard was read for 31 seconds."
    told = problem_of(await many.call("GET", "/readyz"))
    assert (told["status"], told["detail"]) == (503, "orders: No open shard was read for 31 seconds.")
    assert (await many.call("GET", "/pipelines/users/eu/readyz")).status_code == 200
    told = problem_of(await many.call("GET", "/pipelines/orders/readyz"))
    assert (told["status"], told["detail"]) == (503, "No open shard was read for 31 seconds.")


@pytest.mark.parametrize("path", ["/healthz", "/readyz", "/metrics", "/", "/docs", "/openapi.json", "/pipelines"])
async def test_what_is_for_all_needs_no_name(many: FakeApi, path):
    assert (await many.call("GET", path)).status_code == 200


async def test_metrics_are_of_all_on_one_page_and_of_one_by_its_name(many: FakeApi):
    assert (await many.call("GET", "/metrics")).content == METRICS
    assert (await many.call("GET", "/pipelines/orders/metrics")).content == b"of orders"
    assert (await many.call("GET", "/pipelines/order/metrics")).status_code == 404


async def test_each_pipeline_has_its_page(many: FakeApi):
    assert (await many.call("GET", "/pipelines/users/eu/")).headers["content-type"].startswith("text/html")
    assert (await many.call("GET", "/pipelines/none/")).status_code == 404


async def test_reload_tells_what_it_did_and_is_audited(many: FakeApi, consoles: FakeConsoles):
    consoles.added = ["new"]
    done = await many.call("POST", "/reload")
    assert (done.status_code, done.json()) == (200, {"started": ["new"], "stopped": [], "restarted": []})
    assert (await many.call("GET", "/pipelines/new/status")).status_code == 200
    assert many.audited[0].details == {"started": ["new"], "stopped": [], "restarted": []}


async def test_reload_of_a_file_with_errors_is_422_with_every_one_of_them(many: FakeApi, consoles: FakeConsoles):
    consoles.errors = ["line 3: unknown field 'sorce_table'", "pipelines.b.writers: expected a number"]
    told = problem_of(await many.call("POST", "/reload"))
    assert told["status"] == 422
    assert [each["message"] for each in told["errors"]] == consoles.errors
    assert many.audited[0].outcome == "refused"


async def test_reload_without_a_file_is_409_and_says_what_to_do(api: FakeApi):
    told = problem_of(await api.call("POST", "/reload"))
    assert told["status"] == 409
    assert "--config" in told["detail"]


async def test_a_process_with_one_pipeline_answers_by_its_name_too(api: FakeApi):
    assert (await api.call("GET", f"/pipelines/{NAME}/status")).json() == (await api.call("GET", "/status")).json()
    assert [each["name"] for each in (await api.call("GET", "/pipelines")).json()["items"]] == [NAME]
    assert NAME in problem_of(await api.call("GET", "/pipelines/another/status"))["detail"]


async def test_the_names_are_told_to_nobody_without_a_token():
    api = FakeApi(consoles=FakeConsoles("orders", "users"), admin_token=ADMIN)
    for path in ("/pipelines/none/readyz", "/pipelines/none/", "/pipelines/none/healthz", "/pipelines"):
        answer = await api.call("GET", path)
        assert answer.status_code == 401
        assert "orders" not in answer.text


@pytest.mark.parametrize(
    ("path", "allowed"), [("/pipelines/users/eu/pause", "POST"), ("/pipelines/orders/replays/x", "DELETE, GET, HEAD")]
)
async def test_a_wrong_method_is_405_with_those_that_are_taken(many: FakeApi, path, allowed):
    answer = await many.call("PUT", path)
    assert (answer.status_code, answer.headers["allow"]) == (405, allowed)


async def test_the_console_s_refusal_is_the_pipeline_s_alone(many: FakeApi, consoles: FakeConsoles):
    consoles.consoles["orders"].refusal = ConflictError("it has not begun: no such table")
    assert (await many.call("POST", "/pipelines/orders/pause")).status_code == 409
    assert (await many.call("POST", "/pipelines/users/eu/pause")).status_code == 200


async def test_a_process_that_does_not_know_its_pipelines_yet_is_not_ready():
    consoles = FakeConsoles()
    consoles.unknown = "the tables to discover were not looked at yet"
    answer = await FakeApi(consoles=consoles).call("GET", "/readyz")
    assert answer.status_code == 503
    assert "the tables to discover were not looked at yet" in answer.text
    consoles.unknown = None
    assert (await FakeApi(consoles=consoles).call("GET", "/readyz")).status_code == 200
