"""What goes wrong between a process and the world, and when: from a seed, on demand, or at a counted call.

A `Connection` stands between one process and the ports. It may fail a call before its effect, after it, or (a batch)
in its middle; once its process has crashed, it fails every call, while the world stays as it is.
"""

from __future__ import annotations

import asyncio
import enum
import random
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, TypeVar, cast

from service.errors import (
    AmbiguousError,
    IteratorExpiredError,
    RefusedError,
    RetryableError,
    ThrottledError,
    UnavailableError,
)
from service.model import ItemKey, ItemWrite
from service.ports import Clock

Port = TypeVar("Port")
LATEST_SECONDS = 2.5
_WRITES = ("put", "delete", "write_batch")
_READS = ("count_", "describe", "get", "iterator", "list_", "read", "scan")


class Crash(BaseException):
    """The process is dead, as by `kill -9`: nothing may catch it, and whatever it still tries fails with it too."""


class Moment(enum.Enum):
    """When a call fails."""

    BEFORE = "before its effect"
    MIDDLE = "in the middle of a batch; any other call: before its effect"
    AFTER = "after its effect"
    LATE = "at once, and its effect comes later"


@dataclass(frozen=True, slots=True)
class Rates:
    """Chances of a call, from 0 to 1. `expired` concerns iterators, `unprocessed` and the middle only batches."""

    throttled: float = 0.0
    unavailable: float = 0.0
    ambiguous: float = 0.0
    expired: float = 0.0
    unprocessed: float = 0.0
    late: float = 0.0
    """Of a write: the connection is cut at once, and the request takes effect up to `LATEST_SECONDS` later."""

    @classmethod
    def wild(cls) -> Rates:
        return cls(throttled=0.1, unavailable=0.05, ambiguous=0.1, expired=0.1, unprocessed=0.2)


@dataclass(frozen=True, slots=True)
class Fault:
    error: BaseException
    moment: Moment = Moment.BEFORE


@dataclass(frozen=True, slots=True)
class _Outage:
    port: str
    start: float
    end: float
    error: RetryableError


@dataclass(slots=True)
class FaultPlan:
    """The faults of a whole world. At most `budget` of each port's are random, so that every run ends."""

    seed: int = 0
    rates: Mapping[str, Rates] = field(default_factory=dict)
    """By the port's name: `streams`, `source`, `replica`, `control`."""
    budget: int = 100
    seen: Counter[str] = field(default_factory=Counter)
    """What was done to whom, such as `replica.put ThrottledError`: a test can see that it tested something."""
    _scripted: dict[str, list[Fault]] = field(default_factory=dict)
    _outages: list[_Outage] = field(default_factory=list)
    _spent: Counter[str] = field(default_factory=Counter)
    _random: random.Random = field(init=False)
    late_writes: set[asyncio.Task[None]] = field(default_factory=set)
    """Requests that were cut and have not taken effect yet."""
    last_late_at: float = 0.0
    """When the last of them did, on the loop's clock."""

    def __post_init__(self) -> None:
        self._random = random.Random(self.seed)

    def fail_next(self, call: str, error: BaseException, *, moment: Moment = Moment.BEFORE, times: int = 1) -> None:
        """Let the next calls of this name, such as `replica.put`, fail; before any random fault."""
        self._scripted.setdefault(call, []).extend([Fault(error, moment)] * times)

    def fail_no_more(self) -> None:
        """What was told to fail next and has not yet."""
        self._scripted.clear()

    def outage(self, port: str, start: float, end: float, error: RetryableError | None = None) -> None:
        """From one wall-clock time to another, every call of the port fails without effect; unless given: refused."""
        denied = RefusedError(f"access to the {port} is denied", "AccessDeniedException")
        self._outages.append(_Outage(port, start, end, error or denied))

    def next_fault(self, port: str, method: str, now: float) -> Fault | None:
        fault = self._outage_now(port, now) or self._scripted_now(f"{port}.{method}") or self._random_now(port, method)
        if fault is not None:
            self.seen[f"{port}.{method} {type(fault.error).__name__}"] += 1
        return fault

    def leftover(self, port: str, writes: list[ItemWrite]) -> list[ItemWrite]:
        """Which writes of a batch the replica hands back; never all of them."""
        if self._random.random() >= self._rates(port).unprocessed or len(writes) < 2 or not self._spend(port):
            return []
        self.seen[f"{port}.write_batch unprocessed"] += 1
        return self._random.sample(writes, self._random.randint(1, len(writes) - 1))

    def part(self, writes: list[ItemWrite]) -> list[ItemWrite]:
        """What of an interrupted batch took effect."""
        return self._random.sample(writes, self._random.randint(0, len(writes)))

    def _outage_now(self, port: str, now: float) -> Fault | None:
        error = next((out.error for out in self._outages if out.port == port and out.start <= now < out.end), None)
        return None if error is None else Fault(error)

    def _scripted_now(self, call: str) -> Fault | None:
        faults = self._scripted.get(call)
        return faults.pop(0) if faults else None

    def _random_now(self, port: str, method: str) -> Fault | None:
        rates = self._rates(port)
        point = self._random.random()
        for chance, fault in (
            (rates.throttled, lambda: Fault(ThrottledError("slow down", "ThrottlingException"))),
            (rates.unavailable, lambda: Fault(UnavailableError("no connection", "EndpointConnectionError"))),
            (rates.ambiguous, lambda: self._lost(method)),
            (rates.late if method in _WRITES else 0.0, lambda: self._late()),
            (rates.expired if method == "read" else 0.0, lambda: Fault(IteratorExpiredError("no longer valid"))),
        ):
            if point < chance:
                return fault() if self._spend(port) else None
            point -= chance
        return None

    def _lost(self, method: str) -> Fault:
        """The answer of a read can be lost too, but nothing is open then."""
        moment = self._random.choice([Moment.BEFORE, Moment.MIDDLE, Moment.AFTER])
        error = UnavailableError if method.startswith(_READS) else AmbiguousError
        return Fault(error("the answer was lost", "ReadTimeoutError"), moment)

    def _late(self) -> Fault:
        return Fault(AmbiguousError("the connection was cut", "AnswerLost"), Moment.LATE)

    def carry_out_later(self, effect: Any, arguments: tuple[Any, ...], named: Any) -> None:
        """The world does it, whatever becomes of the process that asked."""
        seconds = self._random.uniform(0.1, LATEST_SECONDS)

        async def later() -> None:
            await asyncio.sleep(seconds)
            await effect(*arguments, **named)
            self.last_late_at = asyncio.get_running_loop().time()

        task = asyncio.get_running_loop().create_task(later(), name="late write")
        self.late_writes.add(task)
        task.add_done_callback(self.late_writes.discard)

    def _rates(self, port: str) -> Rates:
        return self.rates.get(port, Rates())

    def _spend(self, port: str) -> bool:
        self._spent[port] += 1
        return self._spent[port] <= self.budget


@dataclass(slots=True)
class Connection:
    """One process's line to the world. `calls` counts its calls of all ports, `made` names them in order."""

    clock: Clock
    plan: FaultPlan
    calls: int = 0
    made: list[str] = field(default_factory=list)
    is_dead: bool = False
    fails: RetryableError | None = None
    """While it is set, this process alone reaches nothing: each of its calls raises it, without effect."""
    on_answer: Callable[[float], None] = lambda sent: None
    """Told of each answer that arrives, and when it was asked for."""
    hanging: set[str] = field(default_factory=set)
    """Ports, such as `replica`, and calls, such as `control.save_progress`, that never answer and do nothing."""
    _crash_at: int | None = None
    _crash_moment: Moment = Moment.BEFORE

    def crash_at(self, call: int, moment: Moment = Moment.BEFORE) -> None:
        """Drop dead at the n-th call from the beginning (the first is 1)."""
        self._crash_at, self._crash_moment = call, moment

    def kill(self) -> None:
        """Drop dead now: every call from here on raises Crash; one on its way may still take effect."""
        self.is_dead = True

    def to(self, port: Port, name: str) -> Port:
        """The port as this process reaches it: the same calls, with faults."""
        return cast("Port", _Line(self, port, name))

    async def call(self, port: object, name: str, method: str, arguments: tuple[Any, ...], named: Any) -> Any:
        self.check_alive()
        self.calls += 1
        self.made.append(f"{name}.{method}")
        if self.hanging & {name, f"{name}.{method}"}:
            await asyncio.Event().wait()
        sent = self.clock.monotonic()
        fault = self._fault_of_this_call(name, method)
        effect = getattr(port, method)
        if fault is not None and fault.moment is Moment.LATE:
            self.plan.carry_out_later(effect, arguments, named)
            raise self._raised(fault)
        if fault is not None and fault.moment is not Moment.AFTER:
            if fault.moment is Moment.MIDDLE and method == "write_batch":
                part = self.plan.part(list(arguments[0]))
                await (effect(part) if part else self.clock.sleep(0))
            raise self._raised(fault)
        try:
            if method == "write_batch":
                answer = await self._write_batch(effect, name, *arguments, **named)
            else:
                answer = await effect(*arguments, **named)
        except Exception:
            self._end(fault)
            raise
        self._end(fault)
        self.on_answer(sent)
        return answer

    def _end(self, fault: Fault | None) -> None:
        """The answer is there; whether it arrives is another question."""
        if fault is not None:
            raise self._raised(fault)
        self.check_alive()

    def check_alive(self) -> None:
        if self.is_dead:
            raise Crash("the process is dead")

    async def _write_batch(self, effect: Any, name: str, writes: list[ItemWrite]) -> list[ItemKey]:
        leftover = self.plan.leftover(name, list(writes))
        left_keys = [write.key for write in leftover]
        unprocessed: list[ItemKey] = await effect([write for write in writes if write.key not in left_keys])
        return unprocessed + left_keys

    def _fault_of_this_call(self, name: str, method: str) -> Fault | None:
        if self.calls == self._crash_at:
            return Fault(Crash(f"the process died at call {self.calls}, {name}.{method}"), self._crash_moment)
        if self.fails is not None:
            return Fault(self.fails)
        return self.plan.next_fault(name, method, self.clock.now())

    def _raised(self, fault: Fault) -> BaseException:
        if isinstance(fault.error, Crash):
            self.is_dead = True
        return Crash("the process is dead") if self.is_dead and not isinstance(fault.error, Crash) else fault.error


class _Line:
    """A port behind a connection: every asynchronous call goes through it, anything else is refused."""

    def __init__(self, connection: Connection, port: object, name: str) -> None:
        self._connection = connection
        self._port = port
        self._name = name

    def __getattr__(self, method: str) -> Any:
        getattr(self._port, method)  # no such call: AttributeError as usual

        async def through(*arguments: Any, **named: Any) -> Any:
            return await self._connection.call(self._port, self._name, method, arguments, named)

        return through


def is_crash(error: BaseException) -> bool:
    """Whether an error is a crash, or a group with a crash in it."""
    if isinstance(error, BaseExceptionGroup):
        return any(is_crash(inner) for inner in error.exceptions)
    return isinstance(error, Crash)
