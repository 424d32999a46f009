"""What may happen in the midst of a history, by name: the long run counts how often each did.

Most may happen at any time, and must look like no gap. `LOSSES` take history away, or what was written: only a
pipeline that heals gaps by itself (`DYNAMIRROR_ON_GAP=snapshot`) gets over them.
"""

from __future__ import annotations

import asyncio
import random
import time
from collections import Counter
from collections.abc import Awaitable, Callable

import httpx

from tests.support.chaos.event_stage import EventStage
from tests.support.chaos.faults import Outage, Rates, Role
from tests.support.chaos.losses import LOSSES, Losses
from tests.support.chaos.night import Night
from tests.support.chaos.supervisor import Supervised
from tests.support.chaos.workload import Workload
from tests.support.patience import PATIENCE_SECONDS

FOREIGN = Rates(
    foreign_before=0.1, foreign_after=0.1, cut_chunks=0.05, memberless=0.05, truncated=0.05, reset_after=0.05
)
LATE = Rates(late=0.25, reset_after=0.02)
HIGHER_NUMBER = "9" + "0" * 39
"""Of another stream: higher than any here; 40 digits, as the sequence attribute has."""
SILENT = "the source is silent until it is not ready"
"""Takes most of a minute: for long histories only."""
UNREADY_SECONDS = PATIENCE_SECONDS


class Events:
    """Of one history."""

    def __init__(
        self,
        night: Night,
        process: Supervised,
        workload: Workload,
        dice: random.Random,
        *,
        lease_seconds: float,
        clock: str,
        vanish: float,
    ) -> None:
        """`clock` is one of CLOCKS; `vanish` as Losses has it."""
        self._stage = EventStage(night, process, workload, dice, clock=clock)
        self._night = night
        self._process = process
        self._dice = dice
        self._lease_seconds = lease_seconds
        self.counts: Counter[str] = Counter()
        self._all: dict[str, Callable[[], Awaitable[object]]] = {
            "kill": self.kill,
            "terminate": self._terminate,
            "freeze": self._freeze,
            "roll": self._roll,
            "split": self._split,
            "expire iterators": self._expire,
            "shards left out": self._leave_out,
            "empty pages": self._empty,
            "empty pages on a closed shard": self._empty_closed,
            "our clock is set back": self._set_clock_back,
            "wild faults": self._wild,
            "mild faults": self._mild,
            "answers that are not DynamoDB's": self._foreign,
            "late writes": self._late,
            "numbers of another stream": self._other_numbers,
            "outage of the source": lambda: self._outage(Role.SOURCE, Role.STREAM),
            "outage of the replica": lambda: self._outage(Role.REPLICA),
            "outage of the control table": lambda: self._outage(Role.CONTROL),
            "narrow replica": self._narrow,
            SILENT: self._silent,
            "pause": self._pause,
            "replay": lambda: self._stage.ask("/replay", {"from": "trim_horizon"}),
            "snapshot": lambda: self._stage.ask("/snapshot"),
            "verify": lambda: self._stage.ask("/verify", {"repair": self._dice.random() < 0.5}),
            **Losses(self._stage, vanish=vanish).all,
        }
        self.counts[f"our clock is {clock} from the start"] += 1

    @property
    def problems(self) -> list[str]:
        return self._stage.problems

    @property
    def ordinary(self) -> list[str]:
        return [name for name in self._all if name not in LOSSES and name != SILENT]

    async def happen(self, name: str) -> None:
        """Counted when it happened: an event returns False, or another's name, when it did not meet what it needs."""
        if name in LOSSES:  # before a first start, there is nothing to lose
            await self._stage.until_status(lambda status: status["state"] in ("running", "snapshotting"))
        came_of_it = await self._all[name]()
        if came_of_it is not False:
            self.counts[came_of_it if isinstance(came_of_it, str) else name] += 1

    # --- of the process

    async def kill(self) -> None:
        await self._process.kill()
        await self._process.start()

    async def _terminate(self) -> None:
        await self._process.terminate()
        await self._process.start()

    async def _freeze(self) -> None:
        """Longer than the lease: when it wakes, it may not write anything that it was about to."""
        await self._process.freeze(self._lease_seconds + self._dice.uniform(0.2, 1.0))

    # --- of the stream

    async def _roll(self) -> None:
        self._night.stream.lineage.roll()

    async def _split(self) -> None:
        if len(self._night.stream.lineage.open_shards) < 8:
            self._night.stream.lineage.split()

    async def _expire(self) -> None:
        self._night.stream.expire_iterators()

    async def _leave_out(self) -> None:
        """Any shard, for some listings in a row; or all pages but the first of one listing."""
        stream = self._night.stream
        if self._dice.random() < 0.3:
            stream.first_page_only = 1
        else:
            stream.leave_out(self._dice.choice(list(stream.lineage.shards)), self._dice.randint(1, 2))

    async def _empty(self) -> None:
        """Before the next records of a shard; more of them than are taken for the tip."""
        stream = self._night.stream
        stream.empty_before[self._dice.choice(list(stream.lineage.shards))] = self._dice.randint(3, 10)

    async def _empty_closed(self) -> None:
        """The busiest shard is closed, and its last records come behind many empty pages."""
        stream = self._night.stream
        shard = max(stream.lineage.open_shards, key=lambda shard: len(shard.hashes))
        stream.empty_before[shard.shard_id] = self._dice.randint(5, 25)
        held = len(shard.records)
        await self._stage.until(lambda: len(shard.records) > held)
        stream.lineage.roll(shard.shard_id)

    # --- of requests and answers

    async def _set_clock_back(self) -> str:
        """Ours; the service's is as much further ahead from then on, and never goes back itself.

        That looks as if so much time had passed at once. No process writes that long without a renewal of its lease,
        so this one has the time to make one, or to lose it.
        """
        seconds = self._dice.choice([20.0, 150.0])
        self._stage.move_clock(seconds)
        await asyncio.sleep(self._lease_seconds)
        return f"our clock is set back by {seconds:.0f} s"

    async def _wild(self) -> None:
        self._night.proxy.plan.set_all(Rates.wild())

    async def _mild(self) -> None:
        self._night.proxy.plan.set_all(Rates.mild())

    async def _foreign(self) -> None:
        """HTML with status 200, JSON of another kind, cut and reset answers, from one table or all."""
        roles = [Role.SOURCE, Role.STREAM, Role.REPLICA, Role.CONTROL]
        await self._for_a_while(FOREIGN, self._dice.choice([roles, *([role] for role in roles)]))

    async def _late(self) -> None:
        """One write in four is given up and takes effect later, perhaps when its sender is dead."""
        await self._for_a_while(LATE, [Role.REPLICA])

    async def _for_a_while(self, rates: Rates, roles: list[Role]) -> None:
        plan = self._night.proxy.plan
        former = {role: plan.of[role].rates for role in roles}
        for role in roles:
            plan.of[role].rates = rates
        await asyncio.sleep(self._dice.uniform(0.5, 2.0))
        for role in roles:
            plan.of[role].rates = former[role]

    async def _outage(self, *roles: Role) -> None:
        outage = self._dice.choice(list(Outage))
        for role in roles:
            self._night.proxy.plan.of[role].outage = outage
        await asyncio.sleep(self._dice.uniform(0.5, 3.0))
        for role in roles:
            self._night.proxy.plan.of[role].outage = None

    async def _silent(self) -> bool:
        """The source answers nothing for so long that the pipeline is not ready any more, and says why."""
        if not await self._stage.until_status(lambda status: status["state"] == "running"):
            return False
        roles = (Role.SOURCE, Role.STREAM)
        for role in roles:
            self._night.proxy.plan.of[role].outage = Outage.HANG
        answer: httpx.Response | None = None
        try:
            async with asyncio.timeout(UNREADY_SECONDS):
                while answer is None or answer.status_code == 200:
                    await asyncio.sleep(0.5)
                    answer = await self._process.ask("GET", "/readyz")
        except TimeoutError:
            self._stage.problems.append(f"ready after {UNREADY_SECONDS:.0f} s without an answer of the source")
        for role in roles:
            self._night.proxy.plan.of[role].outage = None
        return answer is not None and "was not read successfully" in answer.text

    async def _narrow(self) -> None:
        self._night.proxy.plan.of[Role.REPLICA].writes_per_second = self._dice.choice([20.0, 60.0])
        await asyncio.sleep(self._dice.uniform(0.5, 2.0))
        self._night.proxy.plan.of[Role.REPLICA].writes_per_second = None

    # --- of the replica

    async def _other_numbers(self) -> bool:
        """While nothing runs, some items get numbers that another stream gave, as if its pipeline had written them."""
        night = self._night
        await self._stage.until(lambda: len(night.proxy.witness.replica) > 5)
        await self._stage.end()
        present = [key for key, states in night.proxy.witness.replica.items() if states and states[-1] is not None]
        chosen = self._dice.sample(sorted(present), len(present) // 3)
        renumbered = [await night.renumber(key, HIGHER_NUMBER) for key in chosen]
        await self._process.start()
        return any(renumbered)

    # --- asked of the product

    async def _pause(self) -> None:
        answer = await self._stage.ask("/pause")
        if answer != 200:
            return
        paused_at = time.monotonic()
        await asyncio.sleep(self._dice.uniform(0.2, 1.5))
        late = self._night.proxy.witness.since(paused_at, Role.REPLICA, writes_only=True)
        assert not late, f"written after the pause had returned: {late[:3]}"
        await self.resume()

    async def resume(self) -> None:
        async with asyncio.timeout(PATIENCE_SECONDS):
            while await self._stage.ask("/resume") != 200:  # noqa: ASYNC110 the control table may be misbehaving
                await asyncio.sleep(0.2)
