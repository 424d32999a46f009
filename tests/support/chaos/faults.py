"""What goes wrong with the requests to one table or stream, and how often; levers that a test may move at any time."""

from __future__ import annotations

import enum
import random
import re
from collections import Counter
from dataclasses import dataclass, fields


class Role(enum.StrEnum):
    """What a request is about."""

    SOURCE = "source"
    STREAM = "stream"
    REPLICA = "replica"
    CONTROL = "control"
    OTHER = "other"


class Outage(enum.StrEnum):
    """How a table is away."""

    RESET = "reset"
    """Every connection is reset as soon as the request is there."""
    HANG = "hang"
    """Nobody answers."""
    UNAVAILABLE = "503"


@dataclass(slots=True)
class Rates:
    """Chances of one request, from 0 to 1."""

    throttled: float = 0.0
    error_500: float = 0.0
    error_503: float = 0.0
    reset_before: float = 0.0
    """The connection is reset, nothing was done."""
    reset_after: float = 0.0
    """The request took effect, then the connection is reset without an answer."""
    slow: float = 0.0
    """The request or its answer takes up to `slow_seconds`."""
    truncated: float = 0.0
    """The request took effect; half of the answer comes."""
    unprocessed: float = 0.0
    """A batch of writes: only a random part of it is done."""
    foreign_before: float = 0.0
    """A middlebox answers with status 200 and a page of HTML; the request never arrived."""
    foreign_after: float = 0.0
    """The request took effect; its answer is replaced by a page of HTML with status 200."""
    cut_chunks: float = 0.0
    """The request took effect; its answer comes in chunks, and the last ones are missing."""
    memberless: float = 0.0
    """A read that is answered with status 200 and JSON that is none of its answers: `{}` or a list."""
    late: float = 0.0
    """A write of the replica: the connection is closed at once, and it takes effect up to `late_seconds` later."""

    def named(self) -> list[str]:
        """The faults that may happen."""
        return [field.name for field in fields(self) if getattr(self, field.name)]

    @classmethod
    def wild(cls, factor: float = 1.0) -> Rates:
        one = cls(0.05, 0.02, 0.02, 0.02, 0.03, 0.03, 0.02, 0.15, 0.01, 0.01, 0.01, 0.01, 0.02)
        return cls(*(getattr(one, field.name) * factor for field in fields(one)))

    @classmethod
    def mild(cls) -> Rates:
        return cls.wild(0.3)


@dataclass(slots=True)
class TableFaults:
    """The levers of one role."""

    rates: Rates
    slow_seconds: float = 0.8
    late_seconds: tuple[float, float] = (0.1, 2.5)
    """How long after its request a late write takes effect: least and most."""
    outage: Outage | None = None
    refusal: tuple[str, str] | None = None
    """An error code and its message, for every request: `("AccessDeniedException", "…")`."""
    poison: re.Pattern[str] | None = None
    """Keys (canonical JSON) whose writes are invalid; a batch with one of them is refused as a whole."""
    poison_message: str = "One or more parameter values were invalid: refused on purpose"
    writes_per_second: float | None = None
    """The capacity for writes; what is over it is throttled, or left unprocessed."""


class FaultPlan:
    """Decides about each request, from a seed. `injected` counts what went wrong by role and fault."""

    def __init__(self, seed: int = 0) -> None:
        self.random = random.Random(seed)
        self.injected: Counter[tuple[Role, str]] = Counter()
        self.of = {role: TableFaults(Rates()) for role in Role}

    def set_all(self, rates: Rates) -> None:
        """The same rates for everything that the product asks."""
        for role in (Role.SOURCE, Role.STREAM, Role.REPLICA, Role.CONTROL):
            self.of[role].rates = Rates(*(getattr(rates, field.name) for field in fields(rates)))

    def calm(self) -> None:
        """Nothing goes wrong any more, but for poison."""
        for faults in self.of.values():
            faults.rates = Rates()
            faults.outage = faults.refusal = faults.writes_per_second = None

    def strikes(self, role: Role, fault: str) -> bool:
        """Whether this fault happens to this request; counted if it does."""
        if self.random.random() >= getattr(self.of[role].rates, fault):
            return False
        self.note(role, fault)
        return True

    def note(self, role: Role, fault: str) -> None:
        self.injected[role, fault] += 1
