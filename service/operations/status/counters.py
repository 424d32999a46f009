"""What happened since the process started, counted once: Prometheus shows these counters, and so does `/status`.

Owned by the event loop's thread. A crash here costs the counts, which start from zero with each process.
"""

from __future__ import annotations

import re
from bisect import bisect_left
from collections import deque
from collections.abc import Sequence

import prometheus_client
from prometheus_client import CollectorRegistry

from service.events import (
    ChangesSettled,
    CheckpointSaved,
    DeadLettered,
    Event,
    GapFound,
    LateWriteMended,
    PageRead,
    Retried,
    StampKept,
    Warned,
    WarningEnded,
)
from service.operations.documents.status import RatesStatus, TotalsStatus
from service.operations.status.history import Recorder
from service.ports import Clock

RATE_SECONDS = 10.0
RATE_STEP_SECONDS = 0.1
THROTTLED_RECENTLY_SECONDS = 60.0
MAX_CAUSES = 100
"""Different causes that get a series of their own: what a service answers must not grow the memory."""
OTHER = "Other"
TARGETS = ("stream", "source", "replica", "control")
UNPROCESSED = ("UnprocessedItems", "UnprocessedKeys")
"""Causes that tell a number and no limit: what AWS said before tells more."""
CONFLICTS = ("TransactionConflict", "TransactionInProgressException")
"""Waited out as throttling is, but no capacity is lacking."""
_CAUSE = re.compile(r"[A-Za-z][A-Za-z0-9._-]{0,63}")

PLAIN = {
    "records_read": "Records taken from the stream.",
    "records_applied": (
        "Records settled by a write of them, by a newer state of their item, or because the replica had them already."
    ),
    "records_coalesced": "Applied records that needed no write: a newer state of their item did it.",
    "records_stale": "Applied records that a guarded write found older than the replica.",
    "records_unchanged": "Applied records that the replica's item had already.",
    "records_skipped": (
        "TTL deletes that an archive skips, and records of items that the transform leaves out and the replica did not "
        "hold."
    ),
    "records_dead_lettered": (
        "Changes stored as dead letters: records that can't be written or understood, and a snapshot's items."
    ),
    "items_written": "Puts and deletes of stream changes that the replica took.",
    "stamps_kept": (
        "Times that an item was written without a stamp, since the source's has an attribute of that name."
    ),
    "guarded_writes": "Conditional writes, made where a change may be a repetition.",
    "checkpoints": "Times that progress was saved in the control table.",
    "late_writes_mended": (
        "Items that a write which had been given up took back or brought back later, and that were written again. "
        "An item is not counted if it is unknown what was applied to it last."
    ),
    "gaps": "Gaps found: history that can't be read any more.",
}
"""The counters whose only label is the pipeline, without `dynamirror_` and `_total`."""
LATENCY_BELOW = (0.25, 0.5, 1.0, 1.5, 2.0, 3.0, 5.0, 10.0, 30.0, 60.0, 300.0, 1800.0, 3600.0, 21600.0, 86400.0)


class BatchHistogram(prometheus_client.Histogram):
    """Takes a batch's values at once, for a fifth of what one call for each would cost."""

    def observe_all(self, values: Sequence[float]) -> None:
        bounds, counts = self._upper_bounds, dict[int, int]()  # the last bound is infinite
        for value in values:
            index = bisect_left(bounds, value)
            counts[index] = counts.get(index, 0) + 1
        for index, count in counts.items():
            self._buckets[index].inc(count)
        self._sum.inc(sum(values))


class Families:
    """The counters of all pipelines of the process: each has a child for each pipeline."""

    def __init__(self, registry: CollectorRegistry | None = None) -> None:
        def counter(name: str, meaning: str, *labels: str) -> prometheus_client.Counter:
            return prometheus_client.Counter(
                f"dynamirror_{name}_total", meaning, ("pipeline", *labels), registry=registry
            )

        self.plain = {name: counter(name, meaning) for name, meaning in PLAIN.items()}
        self.retries = counter(
            "retries",
            "Requests that were made again: to the stream, source, replica or control table, by the error's code.",
            "target",
            "cause",
        )
        self.throttles = counter("throttles", "Of the retries, those that a throttled table caused.", "target")
        self.latency = BatchHistogram(
            "dynamirror_replication_latency_seconds",
            "From a change at the source to its write in the replica. The source's clock counts in whole seconds.",
            ("pipeline",),
            buckets=LATENCY_BELOW,
            registry=registry,
        )

    def forget(self, pipeline: str) -> None:
        """Its series end. May be repeated."""
        for family in (*self.plain.values(), self.retries, self.throttles, self.latency):
            family.remove_by_labels({"pipeline": pipeline})


class Totals:
    """Implements events.Observer for one pipeline, and tells its figures in the status document."""

    def __init__(self, families: Families, pipeline: str, clock: Clock) -> None:
        self._clock = clock
        self._counts = {name: family.labels(pipeline) for name, family in families.plain.items()}
        self._latency = families.latency.labels(pipeline)
        self._all_retries = families.retries
        self._pipeline = pipeline
        self._retries: dict[tuple[str, str], prometheus_client.Counter] = {}
        # From the start, so that the first throttle of a target is an increase and not a new series.
        self._throttles = {target: families.throttles.labels(pipeline, target) for target in TARGETS}
        self._recent: deque[tuple[float, list[int]]] = deque()
        """What was read and applied in each tenth of a second of the last ten, and when that began."""
        self.warnings: dict[str, str] = {}
        self.recorder = Recorder(clock)
        self._throttled: dict[str, tuple[float, str]] = {}
        """When each target asked for less, and what it said."""

    def observe(self, event: Event) -> None:
        self.recorder.observe(event)
        if isinstance(event, PageRead):
            if event.records:
                self._counts["records_read"].inc(event.records)
                self._note_rate(event.records, 0)
        elif isinstance(event, ChangesSettled):
            self._settled(event)
        elif isinstance(event, Retried):
            self._retried(event)
        elif isinstance(event, Warned):
            self.warnings[event.topic] = event.text
        elif isinstance(event, WarningEnded):
            self.warnings.pop(event.topic, None)
        elif (name := _COUNTED.get(type(event))) is not None:
            self._counts[name].inc()

    def _settled(self, event: ChangesSettled) -> None:
        applied = event.records - event.skipped - event.dead_lettered
        for name, count in (
            ("records_applied", applied),
            ("items_written", event.items_written),
            ("records_coalesced", event.coalesced),
            ("guarded_writes", event.guarded),
            ("records_stale", event.stale),
            ("records_unchanged", event.unchanged),
            ("records_skipped", event.skipped),
        ):
            if count:
                self._counts[name].inc(count)
        if event.latencies:
            self._latency.observe_all(event.latencies)
        self._note_rate(0, applied)

    def _retried(self, event: Retried) -> None:
        key = (event.target, event.cause)
        if key not in self._retries:
            if len(self._retries) >= MAX_CAUSES or not _CAUSE.fullmatch(event.cause):
                key = (event.target, OTHER)
            self._retries[key] = self._all_retries.labels(self._pipeline, *key)
        self._retries[key].inc()
        if event.is_throttle:
            self._throttles[event.target].inc()
            if event.cause not in CONFLICTS:
                before = self.throttles().get(event.target, "")
                told = before if event.cause in UNPROCESSED else event.error
                self._throttled[event.target] = self._clock.monotonic(), told

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

    def throttles(self) -> dict[str, str]:
        """What each target was told that has asked for less within the last minute; empty where no limit was named."""
        since = self._clock.monotonic() - THROTTLED_RECENTLY_SECONDS
        return {target: told for target, (at, told) in self._throttled.items() if at > since}

    def totals(self) -> TotalsStatus:
        counted = {name: self._counts[name] for name in TotalsStatus.model_fields if name in self._counts}
        retries = sum(_value(each) for each in self._retries.values())
        return TotalsStatus(**{name: _value(each) for name, each in counted.items()}, retries=retries)

    def rates(self) -> RatesStatus:
        self._forget_old(self._clock.monotonic())
        return RatesStatus(
            records_read_per_second=round(sum(read for _, (read, _) in self._recent) / RATE_SECONDS, 3),
            records_applied_per_second=round(sum(applied for _, (_, applied) in self._recent) / RATE_SECONDS, 3),
        )


_COUNTED: dict[type[Event], str] = {
    DeadLettered: "records_dead_lettered",
    StampKept: "stamps_kept",
    GapFound: "gaps",
    LateWriteMended: "late_writes_mended",
    CheckpointSaved: "checkpoints",
}


def _value(counter: prometheus_client.Counter) -> int:
    (family,) = counter.collect()
    return int(family.samples[0].value)
