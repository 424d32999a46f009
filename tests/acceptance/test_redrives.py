"""The installed command: a long redrive is a job, and the dead letters that are shown are those that are stored."""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import Callable

from tests.servers import Server, scan
from tests.support.installed.command import Command
from tests.support.installed.jobs_on_two_processes import KINDS, LETTERS, Asked, asked, ended, jobs_of
from tests.support.patience import PATIENCE_SECONDS

REDRIVE = KINDS[3]


async def test_a_redrive_that_takes_long_is_answered_and_its_result_can_be_read(
    moto: Server, unique_name: Callable[[str], str]
) -> None:
    async with asked(moto, unique_name) as both:
        await both.damaged()
        both.throttle()
        answer = await both.active.post(REDRIVE.start, REDRIVE.body)  # nothing of it can be written before the calm
        job = answer.json()
        assert (answer.status_code, answer.headers["location"]) == (202, f"/redrives/{job['id']}")
        assert (job["state"], job["redriven"], job["superseded"], job["failed"]) == ("running", 0, 0, 0)
        both.calm()
        done = await ended(both.active, REDRIVE, job["id"])
        assert (done["state"], done["redriven"] + done["superseded"], done["failed"]) == ("done", LETTERS, 0)
        assert await count_shown(both) == 0
        assert await both.active.stop() == 0


async def count_shown(both: Asked) -> int:
    """How many dead letters there are, once all who tell it agree."""
    product = both.active
    async with asyncio.timeout(PATIENCE_SECONDS):
        while True:
            told = (await product.status())["dead_letters"]
            metric = re.search(
                r"^dynamirror_dead_letters(?:\{.*\})? (\S+)$", (await product.get("/metrics")).text, re.M
            )
            listed = (await product.get("/dead-letters?limit=1000")).json().get("items", [])  # 503 has none
            control = await scan(both.dynamodb, f"control-{both.replica}"[:200])
            stored = [item["item"]["S"] for item in control if item["item"]["S"].startswith("dead-letter#")]
            if metric and told == float(metric[1]) == len(listed) == len(stored):
                return int(told)
            await asyncio.sleep(0.1)


async def test_the_dead_letters_that_are_shown_are_those_that_are_stored(
    moto: Server, unique_name: Callable[[str], str]
) -> None:
    async with asked(moto, unique_name, lease_seconds=5) as both:  # it is waited for at each start
        product = both.active
        both.refuse_bad()
        await (await product.start()).until_running()
        await both.put_bad("bad0")
        await product.until(lambda status: status["dead_letters"] == 1)
        for _ in range(3):
            begun = (await product.post("/snapshot")).json()
            assert (await ended(product, KINDS[0], begun["id"]))["state"] == "done"
            assert await count_shown(both) == 1
        for number in range(1, 4):
            await both.put_bad(f"bad{number}")
            await product.until(lambda status, number=number: status["dead_letters"] == number + 1)
            await product.kill()
            await (await product.start()).until_running()
            assert await count_shown(both) == number + 1
        both.calm()
        async with Command("dead-letters", "redrive", "--all", "--json", "--url", product.url) as redrive:
            told = await redrive.ended()
        counts = json.loads(told.out)
        assert (told.code, counts["redriven"] + counts["superseded"], counts["failed"]) == (0, 4, 0), told
        assert await count_shown(both) == 0
        assert [job["state"] for job in await jobs_of(product, REDRIVE)] == ["done"]
        assert await product.stop() == 0
