"""`/metrics`: an observer that counts, and gauges that are looked up when Prometheus asks.

Owned by the event loop's thread: counting is an addition, nothing locks, and series of a shard that is gone are gone
with it. A crash here costs the counts, which start from zero with each process.
"""

from __future__ import annotations

import re
from bisect import bisect_left
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from itertools import accumulate
from typing import Protocol

from prometheus_client import CollectorRegistry, ProcessCollector, generate_latest
from prometheus_client.core import HistogramMetricFamily, Metric
from prometheus_client.registry import Collector

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
)
from service.observability import metric_names as series
from service.operations.documents.status import PipelineState, Role, ShardState, Status
from service.operations.status.readiness import Vital

_CAUSE = re.compile(r"[A-Za-z][A-Za-z0-9._-]{0,63}")
MAX_CAUSES = 100
"""Different causes that get a series of their own: what a service answers must not grow the memory."""
OTHER = "Other"
TARGETS = ("stream", "source", "replica", "control")

_PLAIN = (
    series.READ,
    series.APPLIED,
    series.COALESCED,
    series.STALE,
    series.UNCHANGED,
    series.SKIPPED,
    series.DEAD_LETTERED,
    series.ITEMS_WRITTEN,
    series.STAMPS_KEPT,
    series.GUARDED,
    series.LATE_WRITES,
    series.GAPS,
    series.CHECKPOINTS,
)


class RequestSeen(Protocol):
    """What the admin API tells of a request that it answered."""

    @property
    def method(self) -> str: ...
    @property
    def route(self) -> str: ...
    @property
    def status(self) -> int: ...
    @property
    def seconds(self) -> float: ...


class _Buckets:
    """A histogram's counts, for one set of labels."""

    def __init__(self, below: tuple[float, ...]) -> None:
        self._below = below
        self._counts = [0] * (len(below) + 1)
        self._sum = 0.0

    def add(self, values: Iterable[float]) -> None:
        below, counts = self._below, self._counts
        for value in values:
            counts[bisect_left(below, value)] += 1
            self._sum += value

    def put_into(self, family: HistogramMetricFamily, labels: tuple[str, ...] = ()) -> None:
        bounds = [*(str(float(bound)) for bound in self._below), "+Inf"]
        buckets = list(zip(bounds, map(float, accumulate(self._counts)), strict=True))
        family.add_metric(labels, buckets, self._sum)


class Metrics(Collector):
    """An observer of the flow; `request_seen` takes what the admin API tells."""

    def __init__(
        self,
        status: Callable[[], Status],
        not_ready_reason: Callable[[], str | None],
        vital: Callable[[], Vital | None] = lambda: None,
    ) -> None:
        self._status = status
        self._not_ready_reason = not_ready_reason
        self._vital = vital
        self._counts: Counter[str] = Counter()
        self._retries: Counter[tuple[str, str]] = Counter()
        # From the start, so that the first throttle of a target is an increase and not a new series.
        self._throttles: Counter[str] = Counter(dict.fromkeys(TARGETS, 0))
        self._latencies = _Buckets(series.LATENCY.below)
        self._requests: Counter[tuple[str, str, str]] = Counter()
        self._durations: dict[tuple[str, str], _Buckets] = {}
        self._registry = CollectorRegistry(auto_describe=False)
        self._registry.register(self)
        ProcessCollector(registry=self._registry)  # memory and CPU, under the client library's own names

    def observe(self, event: Event) -> None:
        if isinstance(event, PageRead):
            self._counts[series.READ.name] += event.records
        elif isinstance(event, ChangesSettled):
            self._settled(event)
        elif isinstance(event, Retried):
            self._retries[event.target, self._code(event)] += 1
            if event.is_throttle:
                self._throttles[event.target] += 1
        elif isinstance(event, DeadLettered):
            self._counts[series.DEAD_LETTERED.name] += 1
        elif isinstance(event, StampKept):
            self._counts[series.STAMPS_KEPT.name] += 1
        elif isinstance(event, GapFound):
            self._counts[series.GAPS.name] += 1
        elif isinstance(event, LateWriteMended):
            self._counts[series.LATE_WRITES.name] += 1
        elif isinstance(event, CheckpointSaved):
            self._counts[series.CHECKPOINTS.name] += 1

    def _settled(self, event: ChangesSettled) -> None:
        counts = self._counts
        counts[series.APPLIED.name] += event.records - event.skipped - event.dead_lettered
        counts[series.COALESCED.name] += event.coalesced
        counts[series.STALE.name] += event.stale
        counts[series.UNCHANGED.name] += event.unchanged
        counts[series.SKIPPED.name] += event.skipped
        counts[series.ITEMS_WRITTEN.name] += event.items_written
        counts[series.GUARDED.name] += event.guarded
        if event.latencies:
            self._latencies.add(event.latencies)

    def _code(self, event: Retried) -> str:
        known = (event.target, event.cause) in self._retries
        is_fine = known or (len(self._retries) < MAX_CAUSES and _CAUSE.fullmatch(event.cause))
        return event.cause if is_fine else OTHER

    def request_seen(self, seen: RequestSeen) -> None:
        self._requests[seen.method, seen.route, str(seen.status)] += 1
        key = (seen.method, seen.route)
        if key not in self._durations:
            self._durations[key] = _Buckets(series.REQUEST_DURATION.below)
        self._durations[key].add((seen.seconds,))

    def render(self) -> bytes:
        """Everything in Prometheus's text format 0.0.4. Call it in the event loop."""
        return generate_latest(self._registry)

    def collect(self) -> Iterator[Metric]:
        """For the registry: every series of `series.ALL`, some without samples."""
        status = self._status()
        yield from self._identity(status)
        yield from _lags(status)
        yield from _queue(status)
        yield from self._checkpoint_age()
        yield from _verification(status)
        yield from self._counters()
        yield from self._histograms()

    def _identity(self, status: Status) -> Iterator[Metric]:
        pipeline = series.PIPELINE.family()
        pipeline.add_metric((status.pipeline, status.version), 1)
        yield pipeline
        state = series.STATE.family()
        for each in PipelineState:
            state.add_metric((each.value,), each is status.state)
        yield state
        yield _gauge(series.READY, self._not_ready_reason() is None)
        yield _gauge(series.LEASE_HELD, status.role is Role.ACTIVE)

    def _checkpoint_age(self) -> Iterator[Metric]:
        vital = self._vital()
        yield _gauge(series.CHECKPOINT_AGE, None if vital is None else vital.unsaved_age or 0.0)

    def _counters(self) -> Iterator[Metric]:
        for counter in _PLAIN:
            family = counter.family()
            family.add_metric((), self._counts[counter.name])
            yield family
        retries = series.RETRIES.family()
        for labels, count in self._retries.items():
            retries.add_metric(labels, count)
        yield retries
        throttles = series.THROTTLES.family()
        for target, count in self._throttles.items():
            throttles.add_metric((target,), count)
        yield throttles
        requests = series.REQUESTS.family()
        for request, count in self._requests.items():
            requests.add_metric(request, count)
        yield requests

    def _histograms(self) -> Iterator[Metric]:
        latency = series.LATENCY.family()
        self._latencies.put_into(latency)
        yield latency
        durations = series.REQUEST_DURATION.family()
        for labels, buckets in self._durations.items():
            buckets.put_into(durations, labels)
        yield durations


def _gauge(gauge: series.Gauge, value: float | None) -> Metric:
    """A gauge without labels; without a sample when nothing is known."""
    family = gauge.family()
    if value is not None:
        family.add_metric((), value)
    return family


def _lags(status: Status) -> Iterator[Metric]:
    yield _gauge(series.LAG, status.lag.seconds)
    shards = series.SHARD_LAG.family()
    for shard in status.shards:
        if shard.state is not ShardState.CLOSED:
            shards.add_metric((shard.shard_id,), shard.lag_seconds)
    yield shards
    yield _gauge(series.UNAPPLIED, status.lag.unapplied_records)
    yield _gauge(series.IN_DOUBT, status.lag.keys_in_doubt)


def _queue(status: Status) -> Iterator[Metric]:
    yield _gauge(series.QUEUE_RECORDS, status.queue.records)
    yield _gauge(series.QUEUE_BYTES, status.queue.bytes)
    yield _gauge(series.QUEUE_MAX_RECORDS, status.queue.max_records)
    yield _gauge(series.QUEUE_MAX_BYTES, status.queue.max_bytes)
    yield _gauge(series.CLOCK_OFFSET, status.clock_offset_seconds)
    yield _gauge(series.DEAD_LETTERS, status.dead_letters)


def _verification(status: Status) -> Iterator[Metric]:
    last = status.last_verification
    ended = last.finished_at if last else None
    yield _gauge(series.VERIFIED_AT, ended.timestamp() if ended else None)
    yield _gauge(series.VERIFIED_ITEMS, last.items_compared if last else None)
    differences = series.VERIFIED_DIFFERENCES.family()
    if last:
        differences.add_metric(("missing",), last.missing)
        differences.add_metric(("extra",), last.extra)
        differences.add_metric(("different",), last.different)
    yield differences
    yield _gauge(series.VERIFIED_REPAIRED, last.repaired if last else None)
