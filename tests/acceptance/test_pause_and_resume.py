"""The installed command, resumed while a pause still waits for the writes in flight: both are answered meanwhile."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from tests.servers import Server, sdk_client
from tests.support.installed.jobs_on_two_processes import asked
from tests.support.installed.replica_history import until_equal

ROUNDS, KEYS = 3, 40


async def test_a_resume_while_a_pause_waits_under_load_answers_both(
    moto: Server, unique_name: Callable[[str], str]
) -> None:
    async with asked(moto, unique_name, lease_seconds=60) as both:  # a request hangs for 5 s then
        # How soon they are answered: unit/operations/pipeline/test_pauses.py, on virtual time.
        product = both.active
        await (await product.start()).until_running()
        for round_ in range(ROUNDS):
            is_asked = both.hang()
            putting = asyncio.gather(*[both.put(f"key{number}", str(round_)) for number in range(KEYS)])
            await is_asked.wait()
            pausing = asyncio.create_task(product.post("/pause"))
            await product.until(lambda status: status["state"] == "paused")
            resumed = await product.post("/resume")
            paused = await pausing
            assert (resumed.status_code, resumed.json()["state"]) == (200, "running")
            assert (paused.status_code, "was resumed" in paused.json().get("detail", "")) == (409, True), paused.text
            both.calm()
            await putting
        async with sdk_client(moto.endpoint_url) as dynamodb:
            assert await until_equal(dynamodb, both.source, both.replica) == KEYS
        assert await product.stop() == 0
