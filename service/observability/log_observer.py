"""The log's observer: which events are news, how loud each is, and what a line of it says."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from dataclasses import dataclass

from msgspec.structs import asdict
from structlog.typing import FilteringBoundLogger

from service.events import (
    AuditEvent,
    ChangesSettled,
    CheckpointSaved,
    DeadLettered,
    Event,
    GapFound,
    Halted,
    JobChanged,
    LateWriteMended,
    LeaseAcquired,
    LeaseLost,
    LeaseReleased,
    PageRead,
    Paused,
    Retried,
    ShardEnded,
    ShardStarted,
    Warned,
    key_digest,
)
from service.observability.log_setup import logger, unfiltered_logger

SUMMARY_SECONDS = 10.0
"""Retries of one cause are a line when they begin, then one line for so long."""


@dataclass(slots=True)
class _Streak:
    """Retries of one target and cause since the last line about them."""

    reported_at: float
    count: int = 0
    error: str = ""
    """What the last one was told."""


class LogObserver:
    """Implements events.Observer. `audit` takes the admin API's calls. Made after `configure_log`."""

    def __init__(self, monotonic: Callable[[], float] = time.monotonic, *, pipeline: str | None = None) -> None:
        """`pipeline` is named in each line; None for what is the process's own."""
        self._log = logger() if pipeline is None else logger().bind(pipeline=pipeline)
        self._shows_counts = logger().is_enabled_for(logging.DEBUG)
        self._monotonic = monotonic
        self._streaks: dict[tuple[str, str], _Streak] = {}
        self._look_at = float("inf")

    def observe(self, event: Event) -> None:
        if isinstance(event, Retried):
            self._retried(event)
        elif isinstance(event, PageRead | ChangesSettled):
            if self._shows_counts:  # asked for once: these come all the time
                _log_counts(self._log, event)
        else:
            _log_news(self._log, event)
        if self._streaks and self._monotonic() >= self._look_at:
            self._sum_up()

    def audit(self, call: AuditEvent) -> None:
        """Written at every level: who changed what, when, is never left out."""
        unfiltered_logger().info(
            "audit",
            outcome=call.outcome,
            who=call.who,
            client=call.client,
            call=f"{call.method} {call.path}",
            status=call.status,
            at=call.at.isoformat().replace("+00:00", "Z"),
            **({"asked": dict(call.details)} if call.details else {}),
        )

    def _retried(self, event: Retried) -> None:
        streak = self._streaks.get((event.target, event.cause))
        if streak is not None:
            streak.count += 1
            streak.error = event.error
            return
        now = self._monotonic()
        self._streaks[event.target, event.cause] = _Streak(now)
        self._look_at = min(self._look_at, now + SUMMARY_SECONDS)
        self._log.warning("retrying", **asdict(event))

    def _sum_up(self) -> None:
        """One line for each cause that went on; one that did not is forgotten, and news again when it returns."""
        now = self._monotonic()
        for (target, cause), streak in list(self._streaks.items()):
            if now < streak.reported_at + SUMMARY_SECONDS:
                continue
            if not streak.count:
                del self._streaks[target, cause]
                continue
            seconds = round(now - streak.reported_at, 1)
            self._log.warning(
                "still retrying", target=target, cause=cause, retries=streak.count, seconds=seconds, error=streak.error
            )
            streak.reported_at, streak.count = now, 0
        ends = [streak.reported_at + SUMMARY_SECONDS for streak in self._streaks.values()]
        self._look_at = min(ends, default=float("inf"))


def _log_counts(log: FilteringBoundLogger, event: PageRead | ChangesSettled) -> None:
    if isinstance(event, ChangesSettled):
        log.debug(
            "changes settled",
            records=event.records,
            items_written=event.items_written,
            coalesced=event.coalesced,
            skipped=event.skipped,
            unchanged=event.unchanged,
            stale=event.stale,
            dead_lettered=event.dead_lettered,
        )
    elif event.records:
        log.debug("page read", shard_id=event.shard_id, records=event.records, bytes=event.size)


_NEWS: dict[type[Event], tuple[int, str]] = {
    CheckpointSaved: (logging.DEBUG, "checkpoint saved"),
    ShardStarted: (logging.INFO, "shard started"),
    ShardEnded: (logging.INFO, "shard read to its end"),
    GapFound: (logging.ERROR, "gap"),
    Halted: (logging.ERROR, "failed"),
    LeaseAcquired: (logging.INFO, "lease acquired"),
    LeaseLost: (logging.WARNING, "lease lost"),
    LeaseReleased: (logging.INFO, "lease released"),
}
"""What is told as it is, field by field. Of what is in no list here, a warning was the news, or a job's end is."""


def _log_news(log: FilteringBoundLogger, event: Event) -> None:
    match event:
        case DeadLettered():
            _log_dead_letter(log, event)
        case LateWriteMended():
            log.warning("late write mended", key_digest=key_digest(event.key))
        case Paused():
            log.info("paused" if event.is_paused else "resumed")
        case JobChanged():
            level = logging.ERROR if event.state == "failed" else logging.INFO
            log.log(level, f"{event.kind} {event.state}", job_id=event.job_id, text=event.text)
        case Warned():
            log.warning(event.text, topic=event.topic)
        case _ if news := _NEWS.get(type(event)):
            log.log(*news, **asdict(event))


def _log_dead_letter(log: FilteringBoundLogger, event: DeadLettered) -> None:
    key = event.key if log.is_enabled_for(logging.DEBUG) else None
    log.warning(
        "dead letter",
        id=event.letter_id,
        shard_id=event.shard_id,
        sequence_number=str(event.sequence) if event.sequence is not None else None,
        key_digest=key_digest(event.key),
        error=event.error,
        attempts=event.attempts,
        **({} if key is None else {"key": key.decode(errors="backslashreplace")}),
    )
