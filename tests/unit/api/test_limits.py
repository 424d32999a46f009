"""What one client, and all of them together, may take; on virtual time."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator

import pytest

from api.hardening import Limits, Pace
from tests.fakes.api import ADMIN, FakeApi, problem_of

JSON = {"content-type": "application/json"}


async def chunks(count: int, size: int, pause: float = 0) -> AsyncIterator[bytes]:
    for _ in range(count):
        await asyncio.sleep(pause)
        yield b" " * size


async def test_a_body_up_to_the_limit_is_taken(api: FakeApi):
    content = b"{}" + b" " * (64 * 1024 - 2)
    assert (await api.call("POST", "/pause", content=content, headers=JSON)).status_code == 200


async def test_an_announced_body_over_the_limit_is_413(api: FakeApi):
    response = await api.call("POST", "/pause", content=b" " * (64 * 1024 + 1), headers=JSON)
    assert problem_of(response)["status"] == 413
    assert response.headers["connection"] == "close"
    assert api.console.asked == []


async def test_a_chunked_body_over_the_limit_is_413(api: FakeApi):
    response = await api.call("POST", "/pause", content=chunks(65, 1024), headers=JSON)
    assert problem_of(response)["status"] == 413
    assert api.console.asked == []


async def test_a_length_that_is_no_number_is_413(api: FakeApi):
    response = await api.call("POST", "/pause", content=b"{}", headers={**JSON, "content-length": "-1"})
    assert response.status_code == 413


async def test_reading_calls_have_the_limit_too(api: FakeApi):
    assert (await api.call("GET", "/status", content=chunks(65, 1024))).status_code == 413


async def never_ending() -> dict[str, object]:
    await asyncio.sleep(3)
    return {"type": "http.request", "body": b" ", "more_body": True}


async def test_a_body_that_trickles_in_is_408(api: FakeApi):
    sent = []

    async def send(message):
        sent.append(message)

    scope = {
        "type": "http",
        "method": "POST",
        "path": "/pause",
        "raw_path": b"/pause",
        "scheme": "http",
        "query_string": b"",
        "headers": [(b"host", b"localhost"), (b"transfer-encoding", b"chunked")],
        "client": ("127.0.0.1", 1),
    }
    await api.app(scope, never_ending, send)
    assert sent[0]["status"] == 408
    assert api.console.asked == []


async def test_work_that_takes_too_long_is_interrupted_and_is_503():
    api = FakeApi(limits=Limits(request_seconds=60))
    api.console.held = asyncio.Event()
    found = problem_of(await api.call("POST", "/pause"))
    assert found["status"] == 503
    assert "60 seconds" in found["detail"]


async def test_a_burst_passes_at_once_and_the_rest_at_the_rate():
    pace = Pace(Limits(requests_per_second=8, burst=4, max_wait_seconds=1))
    loop = asyncio.get_running_loop()
    started = loop.time()
    answers = []

    async def one() -> None:
        answers.append((await pace.admit(), loop.time() - started))

    await asyncio.gather(*(one() for _ in range(20)))
    at_once = [(True, 0.0)] * 5
    at_the_rate = [(True, 0.125 * each) for each in range(1, 9)]
    refused = [(False, 1.0)] * 7
    assert sorted(answers) == sorted(at_once + at_the_rate + refused)


async def test_after_a_quiet_time_there_is_one_burst_not_more():
    pace = Pace(Limits(requests_per_second=8, burst=4, max_wait_seconds=0))
    await asyncio.sleep(4096)
    assert sum(await asyncio.gather(*(pace.admit() for _ in range(50)))) == 5


async def flood(api: FakeApi, path: str, token: str | None, seconds: float, clients: int) -> int:
    """So many clients ask again as soon as they are answered; returns how many were answered with 503."""
    refused = 0

    async def ask() -> None:
        nonlocal refused
        while True:
            refused += (await api.call("GET", path, token)).status_code == 503

    tasks = [asyncio.create_task(ask()) for _ in range(clients)]
    await asyncio.sleep(seconds)
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    return refused


async def test_a_flood_gets_no_more_of_the_service_than_its_rate():
    api = FakeApi(limits=Limits(requests_per_second=10, burst=10))
    refused = await flood(api, "/status", None, seconds=10, clients=60)
    assert len(api.console.asked) <= 10 * 10 + 10 + 1
    assert 0 < refused <= 60 * 10


async def test_a_flood_of_strangers_does_not_keep_the_operator_out():
    api = FakeApi(admin_token=ADMIN, limits=Limits(requests_per_second=10, burst=1))
    strangers = asyncio.create_task(flood(api, "/status", "wrong", seconds=10, clients=60))
    await asyncio.sleep(5)
    started = asyncio.get_running_loop().time()
    assert (await api.call("POST", "/pause", ADMIN)).status_code == 200
    assert (await api.call("GET", "/healthz")).status_code == 200
    assert asyncio.get_running_loop().time() == started
    await strangers


async def test_a_flood_for_the_large_files_of_the_docs_gets_few_of_them_and_keeps_nobody_out():
    api = FakeApi(limits=Limits(requests_per_second=10, burst=1))
    flooding = asyncio.create_task(flood(api, "/docs/swagger-ui-bundle.js", None, seconds=10, clients=60))
    await asyncio.sleep(5)
    assert (await api.call("POST", "/pause")).status_code == 200
    await flooding
    served = [seen for seen in api.seen if seen.route == "/docs/{file}" and seen.status == 200]
    assert len(served) <= 10 / 20 * 10 + 2


async def test_a_flood_of_probes_does_not_keep_the_operator_out():
    api = FakeApi(limits=Limits(requests_per_second=10, burst=1))
    probes = asyncio.create_task(flood(api, "/readyz", None, seconds=10, clients=60))
    await asyncio.sleep(5)
    assert (await api.call("POST", "/pause")).status_code == 200
    await probes


@pytest.mark.parametrize("method", ["GET", "POST"])
async def test_a_request_over_the_rate_is_503_and_says_when_to_try_again(method):
    api = FakeApi(limits=Limits(requests_per_second=0.001, burst=0, max_wait_seconds=1))
    await api.call(method, "/pause")
    response = await api.call(method, "/pause")
    assert problem_of(response)["status"] == 503
    assert response.headers["retry-after"] == "1"


async def test_the_event_loop_turns_while_metrics_are_made(api: FakeApi):
    turns = 0

    async def turn() -> None:
        nonlocal turns
        while True:
            await asyncio.sleep(0)
            turns += 1

    def many(name: str | None) -> Iterator[bytes]:
        for _ in range(1000):
            yield b"x 1\n"

    api.app.state.metrics = many
    turning = asyncio.create_task(turn())
    assert len((await api.call("GET", "/metrics")).content) == 4000
    turning.cancel()
    assert turns >= 1000
