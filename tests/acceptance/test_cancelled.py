"""The installed command: jobs are cancelled once, by the API or the shell, and stay cancelled whatever happens then."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable

import httpx

from tests.servers import Server
from tests.support.installed.command import ran
from tests.support.installed.jobs_on_two_processes import KINDS, LETTERS, Asked, asked, ended, jobs_of, running

Calls = list[asyncio.Task[httpx.Response]]


async def begun(both: Asked) -> tuple[dict[str, str], Calls]:
    """The id of a running job of each kind, and the calls that asked for them."""
    calls = [asyncio.create_task(both.active.post(kind.start, kind.body)) for kind in KINDS]
    return {kind.jobs: (await running(both.active, kind))["id"] for kind in KINDS}, calls


async def cancel_by_the_api(both: Asked) -> dict[str, str]:
    """All at the same moment."""
    ids, calls = await begun(both)
    await asyncio.gather(*[cancel_twice(both, f"{jobs}/{job_id}") for jobs, job_id in ids.items()])
    statuses = [answer.status_code for answer in await asyncio.gather(*calls)]
    assert statuses[:3] == [202] * 3
    assert statuses[3] in (202, 409), "a redrive that was cancelled before it was answered has no counts"
    return ids


async def cancel_twice(both: Asked, path: str) -> None:
    """On the standby, which can't; by two clients at the same moment; and again."""
    owner = (await both.active.status())["active"]
    elsewhere = await both.standby.delete(path)
    assert (elsewhere.status_code, owner in elsewhere.json()["detail"]) == (409, True), elsewhere.text
    answers = await asyncio.gather(*[both.active.delete(path) for _ in range(2)])
    for answer in answers:
        assert (answer.status_code, answer.json()["state"]) == (200, "cancelled"), answer.text
    again = await both.active.delete(path)
    assert (again.status_code, "is cancelled" in again.json()["detail"]) == (409, True), again.text
    assert (await both.active.get(path)).json() == answers[0].json()


async def cancel_by_the_shell(both: Asked) -> dict[str, str]:
    ids, calls = await begun(both)
    url = ("--url", both.active.url)
    listed = await ran("jobs", "--json", *url)
    shown = {job["id"]: job["kind"] for job in json.loads(listed.out)["items"] if job["state"] == "running"}
    assert shown == {job_id: kind.name for kind, job_id in zip(KINDS, ids.values(), strict=True)}
    ends = await asyncio.gather(*[ran("cancel", job_id, "--json", *url) for job_id in ids.values()])
    assert [(end.code, json.loads(end.out)["state"]) for end in ends] == [(0, "cancelled")] * 4
    again = await ran("cancel", ids["/redrives"], *url)
    assert (again.code, "has ended: it is cancelled" in again.err) == (1, True), again
    await asyncio.gather(*calls)
    return ids


async def test_a_cancelled_job_stays_cancelled_and_does_nothing_more(
    moto: Server, unique_name: Callable[[str], str]
) -> None:
    async with asked(moto, unique_name) as both:
        await both.damaged()
        await both.standby.start()
        await both.standby.until(lambda status: status["role"] == "standby")
        both.throttle()
        first = await cancel_by_the_api(both)
        second = await cancel_by_the_shell(both)

        await both.active.kill()
        await both.standby.until(lambda status: status["role"] == "active" and status["state"] == "running")
        await both.active.start()
        await both.active.until(lambda status: status["role"] == "standby")
        both.calm()
        await both.put("after")
        await both.until_there(1)
        for product in (both.active, both.standby):
            for kind in KINDS:
                states = {job["id"]: job["state"] for job in await jobs_of(product, kind)}
                assert states == {first[kind.jobs]: "cancelled", second[kind.jobs]: "cancelled"}, kind.name
        assert await both.count() == 1, "what was lost is not brought back"
        assert (await both.standby.status())["dead_letters"] == LETTERS

        answer = await both.standby.post("/snapshot")
        assert (await ended(both.standby, KINDS[0], answer.json()["id"]))["state"] == "done"
        assert await both.standby.stop() == 0
