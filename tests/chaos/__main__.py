"""`python -m tests.chaos`: history after history until so many processes were killed, then a table of faults.

`--seed N` plays one history again; with `--short` as the tests play it, with few kills and losses. Exit code 1 when an
invariant did not hold; the seed is printed with it.
"""

from __future__ import annotations

import argparse
import asyncio
import itertools
import random
import sys
import time
import traceback
import uuid
from collections import Counter
from collections.abc import Iterator
from typing import Any

from tests.servers import NAMES, Server, running
from tests.servers.differences import strictest
from tests.support.chaos.history import LEASE_SECONDS, History, Outcome

LONG: dict[str, Any] = {"seconds": 12.0, "kills": 10, "losses": 3, "vanish": 0.3, "silences": 1}
MAX_FAILURES = 5
"""So many show enough, and may have a cause that fails all."""


def unique_name(word: str) -> str:
    return f"{word}-{uuid.uuid4().hex[:12]}"


class LongRun:
    def __init__(self, server: Server, kills: int, seconds: float, *, is_short: bool) -> None:
        self._server = server
        self._options = {} if is_short else LONG
        self._again = "python -m tests.chaos --short --seed" if is_short else "python -m tests.chaos --seed"
        self._kills = kills
        self._ends_at = time.monotonic() + seconds
        self.outcomes: list[Outcome] = []
        self.failed: list[int] = []

    async def play(self, seeds: Iterator[int]) -> None:
        """Histories, one after the other, until enough processes were killed, or the time or the seeds are used up."""
        for seed in seeds:
            began = time.monotonic()
            try:
                outcome = await History(self._server, unique_name, seed, **self._options).run()
            except Exception:
                traceback.print_exc()
                self.failed.append(seed)
                print(f"seed {seed} FAILED; play it again with: {self._again} {seed}", flush=True)
            else:
                self.outcomes.append(outcome)
                seconds = time.monotonic() - began
                print(f"seed {seed} held: {outcome.kills} kills, {outcome.writes} writes, {seconds:.0f} s", flush=True)
            kills = sum(outcome.kills for outcome in self.outcomes)
            is_over = kills >= self._kills or time.monotonic() > self._ends_at
            if is_over or len(self.failed) >= MAX_FAILURES:
                return


def table(outcomes: list[Outcome]) -> str:
    """Markdown: each fault, how often it was injected, what was lost, and how long until all was applied again."""
    rows = ["| fault | injected | lost | caught up within |", "|---|---|---|---|"]
    counts: Counter[str] = Counter()
    slowest: dict[str, float] = {}
    for outcome in outcomes:
        named = Counter(
            {f"{role}: {fault}".replace("_", " "): number for (role, fault), number in outcome.injected.items()}
        )
        named.update({f"event: {name}": number for name, number in outcome.events.items()})
        named.update({f"told by the product: {name}": number for name, number in outcome.noticed.items() if number})
        for name, number in named.items():
            counts[name] += number
            slowest[name] = max(slowest.get(name, 0.0), outcome.catch_up_seconds)
    rows += [f"| {name} | {counts[name]} | nothing | {slowest[name]:.1f} s |" for name in sorted(counts)]
    return "\n".join(rows)


def summary(outcomes: list[Outcome], seconds: float) -> str:
    return (
        f"{len(outcomes)} histories in {seconds / 60:.0f} minutes: {sum(one.kills for one in outcomes)} kills, "
        f"{sum(one.writes for one in outcomes)} writes of the source, {sum(one.states for one in outcomes)} states of "
        f"the replica's items judged, {sum(one.dead_letters for one in outcomes)} dead letters, "
        f"{sum(one.samples for one in outcomes)} statuses; peak memory of a process "
        f"{max(one.peak_memory_bytes for one in outcomes) / 2**20:.0f} MiB; requests to the control table "
        f"{min(one.control_requests_per_minute for one in outcomes):.0f} to "
        f"{max(one.control_requests_per_minute for one in outcomes):.0f} a minute, "
        f"with a lease of {LEASE_SECONDS:g} s and all restarts"
    )


async def long_run(run: LongRun, seeds: Iterator[int], at_once: int) -> int:
    began = time.monotonic()
    await asyncio.gather(*(run.play(seeds) for _ in range(at_once)))
    if run.outcomes:
        print(table(run.outcomes), summary(run.outcomes, time.monotonic() - began), sep="\n\n")
    if run.failed:
        print(f"failed: {run.failed}")
    return int(bool(run.failed))


def main() -> int:
    arguments = argparse.ArgumentParser(prog="python -m tests.chaos", description=__doc__)
    arguments.add_argument("--seed", type=int, help="play this history alone")
    arguments.add_argument("--short", action="store_true", help="histories as the tests play them")
    arguments.add_argument("--kills", type=int, default=200)
    arguments.add_argument("--minutes", type=float, default=120, help="begin no history after so long")
    arguments.add_argument("--at-once", type=int, default=1)
    given = arguments.parse_args()
    seeds = iter([given.seed]) if given.seed is not None else itertools.count(random.SystemRandom().randrange(10**6))
    with running(strictest(NAMES)) as server:
        run = LongRun(server, given.kills, given.minutes * 60, is_short=given.short)
        return asyncio.run(long_run(run, seeds, given.at_once))


sys.exit(main())
