"""Each command of the shell that asks a running service, asked of a real one: what it prints and ends with."""

from __future__ import annotations

import json
from collections.abc import Callable

from tests.servers import Server
from tests.support.installed.command import Ended, ran
from tests.support.installed.jobs_on_two_processes import asked


async def test_each_command_that_asks_a_service_is_answered(moto: Server, unique_name: Callable[[str], str]) -> None:
    async with asked(moto, unique_name) as both:
        both.refuse_bad()
        await (await both.active.start()).until_running()
        for key in ("bad0", "bad1"):
            await both.put_bad(key)
        await both.active.until(lambda status: status["dead_letters"] == 2)

        async def told(*words: str, code: int = 0) -> Ended:
            ended = await ran(*words, "--url", both.active.url)
            assert ended.code == code, ended
            return ended

        letters = json.loads((await told("dead-letters", "--json")).out)["items"]
        kept, given_up = (letter["id"] for letter in letters)
        listed = (await told("dead-letters")).out.splitlines()
        assert [line.split()[0] for line in listed[1:]] == [kept, given_up]
        assert "record" in (await told("dead-letters", "show", kept)).out
        refused = await told("dead-letters", "redrive", kept, code=1)
        assert refused.out.splitlines()[-1].startswith(kept)  # which one failed, and why
        await told("dead-letters", "discard", given_up, code=2)
        assert (await told("dead-letters", "discard", given_up, "--yes")).out == f"discarded {given_up}\n"
        both.calm()
        assert (await told("dead-letters", "redrive", "--all")).out.split()[:2] == ["redriven", "1"]

        assert "running" in (await told("status")).out
        assert "paused" in (await told("pause")).out
        begun = json.loads((await told("replay", "--from-time", "-1h", "--json")).out)
        assert begun["from_time"].endswith("Z")
        assert begun["id"] in (await told("jobs")).out
        assert "cancelled" in (await told("cancel", begun["id"])).out
        assert "running" in (await told("resume")).out
        assert "written" in (await told("replicate", json.dumps(letters[1]["keys"]))).out
        assert "is not a key" in (await told("replicate", "key1", code=2)).err
        await told("replay", "--sequence-number", "no-number", code=2)
        await told("snapshot")
        assert (await told("verify")).out.rstrip().endswith("equal")
