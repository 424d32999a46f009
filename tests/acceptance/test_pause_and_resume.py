"""The installed command, resumed while a pause still waits for the writes in flight: both are answered soon."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable

from tests.servers import Server, sdk_client
from tests.support.installed.jobs_on_two_processes import asked
from tests.support.installed.replica_history import until_equal

SOON_SECONDS = 15.0
"""A request to the replica has longer to be answered; a busy machine is given some of it."""
ROUNDS, KEYS = 3, 40


async def test_a_resume_while_a_pause_waits_under_load_answers_both(
    moto: Server, unique_name: Callable[[str], str]
) -> None:
    async with asked(moto, unique_name, lease_seconds=10) as both:
        product = both.active
        await (await product.start()).until_running()
        for round_ in range(ROUNDS):
            is_asked = both.hang()
            await asyncio.gather(*[both.put(f"key{number}", str(round_)) for number in range(KEYS)])
            await asyncio.wait_for(is_asked.wait(), 30)
            pausing = asyncio.create_task(product.post("/pause"))
            await product.until(lambda status: status["state"] == "paused")
            await asyncio.sleep(0.5)
            assert not pausing.done(), "it waits for the writes in flight"
            resumed_at = time.monotonic()
            resumed = await product.post("/resume")
            paused = await pausing
            assert time.monotonic() - resumed_at < SOON_SECONDS
            assert (resumed.status_code, resumed.json()["state"]) == (200, "running")
            assert (paused.status_code, "was resumed" in paused.json()["detail"]) == (409, True), paused.text
            both.calm()
        async with sdk_client(moto.endpoint_url) as dynamodb:
            assert await until_equal(dynamodb, both.source, both.replica) == KEYS
        assert await product.stop() == 0
