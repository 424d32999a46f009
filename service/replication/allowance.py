"""What one pipeline may use of what all pipelines of the process share."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field

from service.configuration.settings import Settings
from service.ports import Clock
from service.replication.requests.turns import TurnShare
from service.replication.requests.write_rate import WriteRate, WriteRateShare

SCANS_AT_ONCE = 4
"""Snapshots and verifications: each holds some pages of a table in memory."""


@dataclass(slots=True)
class Allowance:
    queue_max_bytes: int
    """Of what is read and not settled yet; it changes with the number of pipelines."""
    writes: WriteRateShare | None = None
    """None: there is no ceiling."""
    turns: TurnShare | None = None
    """None: there is no other pipeline."""
    scans: asyncio.Semaphore = field(default_factory=lambda: asyncio.Semaphore(SCANS_AT_ONCE))
    """A snapshot or verification runs while it holds one."""

    @classmethod
    def of_one(cls, settings: Settings, clock: Clock) -> Allowance:
        """All that a process has, for its only pipeline."""
        per_second = settings.max_writes_per_second
        return cls(settings.queue_max_bytes, WriteRate(clock, per_second).share() if per_second else None)
