"""Counts what happened since the process started, and how fast in the last ten seconds: an observer."""

from __future__ import annotations

from collections import Counter, deque

from service.events import ChangesSettled, Event, PageRead, Retried, Warned, WarningEnded
from service.model import ShardId
from service.operations.documents.status import RatesStatus, TotalsStatus
from service.ports import Clock

RATE_SECONDS = 10.0
RATE_STEP_SECONDS = 0.1
THROTTLED_RECENTLY_SECONDS = 60.0


class Totals:
    """Owned by the event loop's thread."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._recent: deque[tuple[float, list[int]]] = deque()
        """What was read and applied in each tenth of a second of the last ten, and when that began."""
        self._counts: Counter[str] = Counter()
        self.read_by_shard: Counter[ShardId] = Counter()
        self.warnings: dict[str, str] = {}
        self._throttled_at: float | None = None

    def observe(self, event: Event) -> None:
        if isinstance(event, PageRead):
            if event.records:
                self._counts["records_read"] += event.records
                self.read_by_shard[event.shard_id] += event.records
                self._note_rate(event.records, 0)
        elif isinstance(event, ChangesSettled):
            self._settled(event)
        elif isinstance(event, Retried):
            self._counts["retries"] += 1
            if event.is_throttle and event.target == "replica":
                self._throttled_at = self._clock.monotonic()
        elif isinstance(event, Warned):
            self.warnings[event.topic] = event.text
        elif isinstance(event, WarningEnded):
            self.warnings.pop(event.topic, None)

    def _settled(self, event: ChangesSettled) -> None:
        applied = event.records - event.skipped - event.dead_lettered
        self._counts["records_applied"] += applied
        self._counts["items_written"] += event.items_written
        self._counts["records_coalesced"] += event.coalesced
        self._counts["records_skipped"] += event.skipped
        self._counts["records_dead_lettered"] += event.dead_lettered
        self._note_rate(0, applied)

    def _note_rate(self, read: int, applied: int) -> None:
        now = self._clock.monotonic()
        if not self._recent or now - self._recent[-1][0] >= RATE_STEP_SECONDS:
            self._recent.append((now, [0, 0]))
            self._forget_old(now)
        counts = self._recent[-1][1]
        counts[0] += read
        counts[1] += applied

    def _forget_old(self, now: float) -> None:
        oldest = now - RATE_SECONDS
        while self._recent and self._recent[0][0] < oldest:
            self._recent.popleft()

    @property
    def is_throttled(self) -> bool:
        """The replica has asked for less within the last minute."""
        at = self._throttled_at
        return at is not None and self._clock.monotonic() - at < THROTTLED_RECENTLY_SECONDS

    def totals(self) -> TotalsStatus:
        return TotalsStatus(**{name: self._counts[name] for name in TotalsStatus.model_fields})

    def rates(self) -> RatesStatus:
        self._forget_old(self._clock.monotonic())
        return RatesStatus(
            records_read_per_second=round(sum(read for _, (read, _) in self._recent) / RATE_SECONDS, 3),
            records_applied_per_second=round(sum(applied for _, (_, applied) in self._recent) / RATE_SECONDS, 3),
        )
