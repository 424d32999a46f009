"""A whole night from one seed: a workload, a script of things that go wrong, and the verdict when calm is back.

The same seed makes the same workload, the same script and the same faults in the same order; how they fall on the
product's requests depends on the machine, so a failing seed reproduces as far as timing allows.
"""

from __future__ import annotations

import asyncio
import json
import random
import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from tests.servers import Server, sdk_client
from tests.support.chaos.event_stage import CLOCKS
from tests.support.chaos.events import SILENT, Events
from tests.support.chaos.faults import Rates, Role
from tests.support.chaos.losses import LOSSES
from tests.support.chaos.night import NUMBERS_APART, Night, UniqueName
from tests.support.chaos.status_sampler import Sampler
from tests.support.chaos.supervisor import Supervised
from tests.support.chaos.verdict import check_streams, check_witness
from tests.support.chaos.workload import POISON, Workload

CATCH_UP_SECONDS = 240.0
"""A shard that vanished is a gap after a minute of listings without it; the rest is a snapshot of a small table."""
NOTICED = ("gap", "late write mended", "dead letter")
"""Lines of the product's log that are counted."""
MAX_MEMORY_BYTES = 350 * 1024 * 1024
LEASE_SECONDS = 5.0
"""Requests time out after a fifth of it: on a busy machine a shorter one would time out all the time."""


@dataclass(slots=True)
class Outcome:
    """What a history came to; only one that held is returned."""

    seed: int
    events: Counter[str] = field(default_factory=Counter)
    noticed: Counter[str] = field(default_factory=Counter)
    """What the product's log told."""
    injected: Counter[tuple[Role, str]] = field(default_factory=Counter)
    catch_up_seconds: float = 0.0
    writes: int = 0
    states: int = 0
    dead_letters: int = 0
    kills: int = 0
    peak_memory_bytes: int = 0
    control_requests_per_minute: float = 0.0
    worst_lag_seconds: float = 0.0
    samples: int = 0


def in_turn(names: Sequence[str], turn: int, number: int) -> list[str]:
    """So many of them at a time, one time after the other: after a few turns each was there."""
    return [names[(turn * number + place) % len(names)] for place in range(number)]


class History:
    """One night. `seconds` is how long things go wrong; `kills` how many kill -9 there are among them, `silences` how
    many outages of the source that make it not ready.

    Every second seed is of a pipeline that heals by itself, and has `losses` of history; the others have none, and must
    find none. Seeds in a row take each clock, each loss and each other event in turn; more of these are drawn.
    """

    def __init__(
        self,
        server: Server,
        unique_name: UniqueName,
        seed: int,
        *,
        seconds: float = 3.0,
        kills: int = 1,
        losses: int = 1,
        vanish: float = 0.0,
        silences: int = 0,
    ) -> None:
        self.dice = random.Random(seed)
        self.outcome = Outcome(seed)
        self._seconds = seconds
        self._kills = kills
        self._vanish = vanish
        self._silences = silences
        self._losses = in_turn(LOSSES, seed // 2, losses) if seed % 2 else []
        self._waits_for_doubts = seed % 3 == 0
        self.night = Night(
            server,
            unique_name,
            seed=seed,
            shards=self.dice.choice([1, 1, 2, 4]),
            lease_seconds=LEASE_SECONDS,
            write_mode=self.dice.choice(["auto", "auto", "strict"]),
            start_at=self.dice.choice(["trim_horizon", "snapshot"]),
            writers=self.dice.choice([1, 4, 16]),
            queue_max_records=self.dice.choice([20, 1000, 10000]),
            on_gap="snapshot" if self._losses else "fail",
            streams=self._losses.count("stream created anew, lower numbers"),
        )

    @property
    def _is_auto(self) -> bool:
        return self.night.settings["write_mode"] == "auto"

    async def run(self) -> Outcome:
        """Raises AssertionError, with the seed in its notes, when an invariant did not hold."""
        try:
            async with self.night:
                await self._run()
        except BaseException as error:
            error.add_note(f"chaos: seed {self.outcome.seed}")
            error.add_note(f"chaos: {self.night.settings}, {dict(self.outcome.events)}")
            raise
        return self.outcome

    async def _run(self) -> None:
        night = self.night
        night.stream.wild()
        night.proxy.plan.of[Role.REPLICA].poison = re.compile(POISON)
        night.product.told = self._read_log
        self.process = Supervised(night.product)
        async with Sampler(night) as sampler:
            async with Workload(night.dynamodb, night.source, seed=self.outcome.seed, poison=0.01) as workload:
                self.events = Events(
                    night,
                    self.process,
                    workload,
                    self.dice,
                    lease_seconds=LEASE_SECONDS,
                    vanish=self._vanish,
                    clock=list(CLOCKS)[self.outcome.seed % len(CLOCKS)],
                )
                self.outcome.events = self.events.counts
                await asyncio.sleep(self.dice.uniform(0.0, 1.0))
                night.proxy.plan.set_all(Rates.mild())
                await self.process.start()
                await self._go_wrong()
            await self._calm_down()
            await self._judge()
        assert not sampler.lies, f"{len(sampler.lies)} dishonest statuses: {sampler.lies[:5]}"
        assert not self.events.problems, "\n".join(self.events.problems)
        self._note(sampler, workload)

    def _read_log(self, line: bytes) -> None:
        for word in NOTICED:
            self.outcome.noticed[word] += f'"event":"{word}"'.encode() in line

    async def _go_wrong(self) -> None:
        ordinary, number = self.events.ordinary, round(self._seconds / 1.2)
        script = ["kill"] * self._kills + self._losses + [SILENT] * self._silences
        script += in_turn(ordinary, self.outcome.seed, number // 2) + self.dice.choices(ordinary, k=(number + 1) // 2)
        self.dice.shuffle(script)
        for name in script:
            await asyncio.sleep(self.dice.expovariate(1 / (self._seconds / len(script))))
            await self.events.happen(name)

    # --- and then

    async def _calm_down(self) -> None:
        night = self.night
        night.proxy.plan.calm()
        night.stream.flicker = 0.0
        await night.until(lambda: not night.proxy.late_pending, what="no late write is under way")
        self.process.check_alive()
        self.process.look_at_memory()
        await self.events.resume()
        self.outcome.catch_up_seconds = await night.until_applied(CATCH_UP_SECONDS, lambda key: POISON in key)
        await night.until_settled(CATCH_UP_SECONDS)
        if self._waits_for_doubts:
            await night.product.until_caught_up(CATCH_UP_SECONDS)

    async def _judge(self) -> None:
        night = self.night
        await night.check_equal(lambda key: POISON in key)
        check_witness(night.proxy.witness, may_land_late=self._is_auto)
        await self._check_dead_letters()
        night.proxy.plan.of[Role.REPLICA].poison = None
        redriven = await night.redrive()
        assert redriven["failed"] == 0, redriven
        await night.check_equal()
        check_witness(night.proxy.witness, may_land_late=self._is_auto)
        await self.process.terminate()
        assert not self.process.unexpected_ends, self.process.unexpected_ends
        assert self.process.peak_memory_bytes < MAX_MEMORY_BYTES, self.process.peak_memory_bytes
        async with sdk_client(night.server.endpoint_url, "dynamodbstreams", attempts=3) as streams:
            self.outcome.states = await check_streams(
                night.dynamodb,
                streams,
                night.proxy.witness,
                night.proxy.streams,
                night.replica,
                may_land_late=self._is_auto,
            )

    async def _check_dead_letters(self) -> None:
        """I7: nothing but poison; and the newest refused change of each key, which stands for the older ones."""
        letters = await self.night.dead_letters()
        strangers = [letter for letter in letters if POISON not in str(letter["keys"])]
        assert not strangers, f"dead letters that are no poison: {strangers[:3]}"
        # A stream that was created anew shows old records again, by lower numbers: the letter keeps its first one.
        parked = {int(letter["sequence_number"]) % NUMBERS_APART for letter in letters if letter["sequence_number"]}
        newest = {key: text for key, text in self.night.proxy.witness.newest.items() if POISON in key}
        copied = await self._keys_of_copied(letters)
        lost = {
            key: number
            for key, number in newest.items()
            if int(number) % NUMBERS_APART not in parked and key not in copied
        }
        assert not lost, f"refused, and neither in the replica nor a dead letter: {lost}; the letters: {parked}"
        self.outcome.dead_letters = len(letters)

    async def _keys_of_copied(self, letters: list[dict[str, Any]]) -> set[str]:
        """Keys whose present item is a dead letter of a snapshot's: it was written before the first start got so far
        as to fix where the stream is read from, and never since."""
        night, found = self.night, set()
        for letter in letters:
            if letter["sequence_number"] is None:
                whole = (await night.product.get(f"/dead-letters/{letter['id']}")).json()
                answer = await night.dynamodb.get_item(TableName=night.source, Key=letter["keys"])
                if whole["record"]["dynamodb"]["NewImage"]["n"] == answer["Item"]["n"]:  # it is unique
                    found.add(json.dumps(letter["keys"], separators=(",", ":")))
        return found

    def _injected(self) -> Counter[tuple[Role, str]]:
        """Late writes are told apart by the mode, which decides what they can do."""
        injected = self.night.proxy.plan.injected.copy()
        late = injected.pop((Role.REPLICA, "late"), 0)
        injected[Role.REPLICA, f"write lands late, mode {self.night.settings['write_mode']}"] = late
        return injected

    def _note(self, sampler: Sampler, workload: Workload) -> None:
        witness, outcome = self.night.proxy.witness, self.outcome
        requests = [request.at for request in witness.requests if request.role is Role.CONTROL]
        minutes = (witness.requests[-1].at - witness.requests[0].at) / 60
        outcome.injected = self._injected()
        outcome.writes = workload.writes
        outcome.kills = self.process.kills
        outcome.peak_memory_bytes = self.process.peak_memory_bytes
        outcome.control_requests_per_minute = len(requests) / minutes
        outcome.worst_lag_seconds = sampler.worst_lag_seconds
        outcome.samples = sampler.samples
