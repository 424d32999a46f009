"""A whole night from one seed: a workload, a script of things that go wrong, and the verdict when calm is back.

The same seed makes the same workload, the same script and the same faults in the same order; how they fall on the
product's requests depends on the machine, so a failing seed reproduces as far as timing allows.
"""

from __future__ import annotations

import asyncio
import json
import random
import re
import time
from collections import Counter
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any

from tests.chaos.faults import Outage, Rates, Role
from tests.chaos.lineage import Record
from tests.chaos.night import Night, UniqueName
from tests.chaos.sampler import Sampler
from tests.chaos.supervised import Supervised
from tests.chaos.verdict import check_streams, check_witness
from tests.chaos.workload import POISON, Workload
from tests.servers import Server, sdk_client

CATCH_UP_SECONDS = 90.0
MAX_MEMORY_BYTES = 350 * 1024 * 1024
LEASE_SECONDS = 3.0
"""Requests time out after a fifth of it: on a busy machine a shorter one would time out all the time."""


@dataclass(slots=True)
class Outcome:
    """What a history came to; only one that held is returned."""

    seed: int
    events: Counter[str] = field(default_factory=Counter)
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


class History:
    """One night. `seconds` is how long things go wrong; `kills` how many kill -9 there are among them."""

    def __init__(
        self, server: Server, unique_name: UniqueName, seed: int, *, seconds: float = 4.0, kills: int = 2
    ) -> None:
        self.dice = random.Random(seed)
        self.outcome = Outcome(seed)
        self._seconds = seconds
        self._kills = kills
        self._problems: list[str] = []
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
            error.add_note(f"chaos: seed {self.outcome.seed}; python -m tests.chaos --seed {self.outcome.seed}")
            error.add_note(f"chaos: {dict(self.outcome.events)}")
            raise
        return self.outcome

    async def _run(self) -> None:
        night = self.night
        night.stream.wild()
        night.proxy.plan.of[Role.REPLICA].poison = re.compile(POISON)
        self.process = Supervised(night.product)
        async with Sampler(night) as sampler:
            async with Workload(night.dynamodb, night.source, seed=self.outcome.seed, poison=0.01) as workload:
                await asyncio.sleep(self.dice.uniform(0.0, 1.0))
                night.proxy.plan.set_all(Rates.mild())
                await self.process.start()
                await self._go_wrong()
            await self._calm_down()
            await self._judge()
        assert not sampler.lies, f"{len(sampler.lies)} dishonest statuses: {sampler.lies[:5]}"
        assert not self._problems, "\n".join(self._problems)
        self._note(sampler, workload)

    async def _go_wrong(self) -> None:
        events = self._events()
        script = ["kill"] * self._kills + self.dice.choices(list(events), k=round(self._seconds / 1.2))
        self.dice.shuffle(script)
        for name in script:
            await asyncio.sleep(self.dice.expovariate(1 / (self._seconds / len(script))))
            self.outcome.events[name] += 1
            await events[name]()

    def _events(self) -> dict[str, Callable[[], Awaitable[None]]]:
        return {
            "kill": self._kill,
            "terminate": self._terminate,
            "freeze": self._freeze,
            "roll": self._roll,
            "split": self._split,
            "expire iterators": self._expire,
            "shards left out": self._leave_out,
            "empty pages": self._empty,
            "clock moved": self._move_clock,
            "wild faults": self._wild,
            "mild faults": self._mild,
            "outage of the source": lambda: self._outage(Role.SOURCE, Role.STREAM),
            "outage of the replica": lambda: self._outage(Role.REPLICA),
            "outage of the control table": lambda: self._outage(Role.CONTROL),
            "narrow replica": self._narrow,
            "pause": self._pause,
            "replay": lambda: self._ask("/replay", {"from": "trim_horizon"}),
            "snapshot": lambda: self._ask("/snapshot"),
            "verify": lambda: self._ask("/verify", {"repair": self.dice.random() < 0.5}),
        }

    # --- events

    async def _kill(self) -> None:
        await self.process.kill()
        await self.process.start()

    async def _terminate(self) -> None:
        await self.process.terminate()
        await self.process.start()

    async def _freeze(self) -> None:
        """Longer than the lease: when it wakes, it may not write anything that it was about to."""
        await self.process.freeze(LEASE_SECONDS + self.dice.uniform(0.2, 1.0))

    async def _roll(self) -> None:
        self.night.stream.lineage.roll()

    async def _split(self) -> None:
        if len(self.night.stream.lineage.open_shards) < 8:
            self.night.stream.lineage.split()

    async def _expire(self) -> None:
        self.night.stream.expire_iterators()

    async def _leave_out(self) -> None:
        """Any shard, for some listings in a row; or all pages but the first of one listing."""
        stream = self.night.stream
        if self.dice.random() < 0.3:
            stream.first_page_only = 1
        else:
            stream.leave_out(self.dice.choice(list(stream.lineage.shards)), self.dice.randint(1, 2))

    async def _empty(self) -> None:
        """Before the next records of a shard; more of them than are taken for the tip."""
        stream = self.night.stream
        stream.empty_before[self.dice.choice(list(stream.lineage.shards))] = self.dice.randint(3, 10)

    async def _move_clock(self) -> None:
        self.night.proxy.set_clock(self.dice.choice([-150.0, -20.0, 0.0, 20.0, 150.0]))

    async def _wild(self) -> None:
        self.night.proxy.plan.set_all(Rates.wild())

    async def _mild(self) -> None:
        self.night.proxy.plan.set_all(Rates.mild())

    async def _outage(self, *roles: Role) -> None:
        outage = self.dice.choice(list(Outage))
        for role in roles:
            self.night.proxy.plan.of[role].outage = outage
        await asyncio.sleep(self.dice.uniform(0.5, 3.0))
        for role in roles:
            self.night.proxy.plan.of[role].outage = None

    async def _narrow(self) -> None:
        self.night.proxy.plan.of[Role.REPLICA].writes_per_second = self.dice.choice([20.0, 60.0])
        await asyncio.sleep(self.dice.uniform(0.5, 2.0))
        self.night.proxy.plan.of[Role.REPLICA].writes_per_second = None

    async def _pause(self) -> None:
        answer = await self._ask("/pause")
        if answer != 200:
            return
        paused_at = time.monotonic()
        await asyncio.sleep(self.dice.uniform(0.2, 1.5))
        late = self.night.proxy.witness.since(paused_at, Role.REPLICA, writes_only=True)
        assert not late, f"written after the pause had returned: {late[:3]}"
        await self._resume()

    async def _resume(self) -> None:
        async with asyncio.timeout(30):
            while await self._ask("/resume") != 200:  # noqa: ASYNC110 the control table may be misbehaving
                await asyncio.sleep(0.2)

    async def _ask(self, path: str, body: object = None) -> int | None:
        """The status code; a refusal (another job runs, no lease) is an answer like any other."""
        answer = await self.process.ask("POST", path, body)
        if answer is None:
            return None
        if answer.status_code == 500:
            self._problems.append(f"{path} answered 500; the log: {self.night.product.log_of('Traceback')}")
        return answer.status_code

    # --- and then

    async def _calm_down(self) -> None:
        night = self.night
        night.proxy.plan.calm()
        night.stream.flicker = 0.0
        await night.until(lambda: not night.proxy.late_pending, what="no late write is under way")
        self.process.check_alive()
        self.process.look_at_memory()
        await self._resume()
        self.outcome.catch_up_seconds = await self.night.until_applied(CATCH_UP_SECONDS, lambda key: POISON in key)
        await self.night.product.until_caught_up(CATCH_UP_SECONDS)

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
        if night.server.name == "dynamodb-local":  # its stream leaves out writes that change nothing
            tables = (night.source, night.replica)
            async with sdk_client(night.server.endpoint_url, "dynamodbstreams", attempts=3) as streams:
                self.outcome.states = await check_streams(
                    night.dynamodb, streams, night.proxy.witness, *tables, may_land_late=self._is_auto
                )

    async def _check_dead_letters(self) -> None:
        """I7: nothing but poison; and the newest refused change of each key, which stands for the older ones."""
        letters = await self.night.dead_letters()
        strangers = [letter for letter in letters if POISON not in str(letter["keys"])]
        assert not strangers, f"dead letters that are no poison: {strangers[:3]}"
        parked = {letter["sequence_number"] for letter in letters}
        newest = {record.key: record.text for record in self._records() if POISON in record.key}
        copied = await self._keys_of_copied(letters)
        lost = {key: number for key, number in newest.items() if number not in parked and key not in copied}
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

    def _records(self) -> list[Record]:
        shards = self.night.stream.lineage.shards.values()
        return sorted((record for shard in shards for record in shard.records), key=lambda record: record.number)

    def _note(self, sampler: Sampler, workload: Workload) -> None:
        witness, outcome = self.night.proxy.witness, self.outcome
        requests = [request.at for request in witness.requests if request.role is Role.CONTROL]
        minutes = (witness.requests[-1].at - witness.requests[0].at) / 60
        outcome.injected = self.night.proxy.plan.injected
        outcome.writes = workload.writes
        outcome.kills = self.process.kills
        outcome.peak_memory_bytes = self.process.peak_memory_bytes
        outcome.control_requests_per_minute = len(requests) / minutes
        outcome.worst_lag_seconds = sampler.worst_lag_seconds
        outcome.samples = sampler.samples
