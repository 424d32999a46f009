"""The installed command, asked for the same job many times at once, and killed: one job, which goes on."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import httpx

from tests.servers import Server
from tests.support.installed.jobs_on_two_processes import (
    ITEMS,
    KINDS,
    LETTERS,
    Asked,
    Kind,
    asked,
    ended,
    jobs_of,
    running,
)
from tests.support.patience import PATIENCE_SECONDS

EACH = 4


async def ask_eight(both: Asked, kind: Kind) -> tuple[str, asyncio.Task[httpx.Response]]:
    """Half of them ask the active process. The id of the job that runs, and the one call that it was given to.

    That one may wait for its answer: a redrive's does, for a while.
    """
    at_active, at_standby = (
        [asyncio.create_task(product.post(kind.start, kind.body)) for _ in range(EACH)]
        for product in (both.active, both.standby)
    )
    owner = (await both.standby.until(lambda status: status["active"] is not None))["active"]
    job_id = str((await running(both.active, kind))["id"])
    async with asyncio.timeout(PATIENCE_SECONDS):
        await asyncio.wait(at_standby)
        while len(given := [call for call in at_active if not is_refused(call, job_id)]) > 1:
            waiting = [call for call in given if not call.done()]
            assert waiting, f"{len(given)} calls of {EACH} were given a {kind.name}"
            await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
    assert len(given) == 1, kind.name
    assert all(is_refused(call, owner) for call in at_standby), kind.name
    again = await both.standby.post(kind.start, kind.body)
    assert (again.status_code, job_id in again.json()["detail"]) == (409, True), again.text
    return job_id, given[0]


def is_refused(call: asyncio.Task[httpx.Response], name: str) -> bool:
    """Answered with what runs, or who replicates."""
    return call.done() and call.result().status_code == 409 and name in call.result().json()["detail"]


def refusal(status: dict[str, Any], kind: Kind) -> str:
    """Why the service would refuse such a job now."""
    return str(status["refused"].get(kind.start.rpartition("/")[2], ""))


async def test_of_eight_that_ask_at_once_one_gets_the_job_and_a_successor_goes_on_with_it(
    moto: Server, unique_name: Callable[[str], str]
) -> None:
    async with asked(moto, unique_name) as both:
        await both.damaged()
        await both.standby.start()
        await both.standby.until(lambda status: status["role"] == "standby")
        both.throttle()
        begun = {kind: await ask_eight(both, kind) for kind in KINDS}
        for kind, (job_id, _) in begun.items():
            for product in (both.active, both.standby):
                assert [(job["id"], job["state"]) for job in await jobs_of(product, kind)] == [(job_id, "running")]

        await both.active.kill()
        await asyncio.wait([call for _, call in begun.values()])
        assert all(call.exception() or call.result().status_code == 202 for _, call in begun.values())
        await both.standby.until(lambda status: all(job in refusal(status, kind) for kind, (job, _) in begun.items()))
        for kind, (job_id, _) in begun.items():
            answer = await both.standby.post(kind.start, kind.body)
            assert (answer.status_code, job_id in answer.json()["detail"]) == (409, True), (kind.name, answer.text)

        both.calm()
        for kind, (job_id, _) in begun.items():
            job = await ended(both.standby, kind, job_id)
            assert job["state"] == "done", job
            assert [each["id"] for each in await jobs_of(both.standby, kind)] == [job_id]
        assert await both.count() == ITEMS + LETTERS
        await both.standby.until(lambda status: status["dead_letters"] == 0)
        assert await both.standby.stop() == 0
