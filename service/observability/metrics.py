"""`/metrics`: one registry for the process. Every series that is of a pipeline has it as its label `pipeline`.

The pipelines count by themselves (`operations.status.counters`); gauges are looked up when Prometheus asks.
"""

from __future__ import annotations

from collections.abc import Iterator

import prometheus_client
from prometheus_client import CollectorRegistry, ProcessCollector, generate_latest
from prometheus_client.core import Metric

from service.events import RequestSeen
from service.observability.gauges import Gauges, Look
from service.operations.status.counters import Families, Totals
from service.ports import Clock

REQUEST_BELOW = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0)


class Metrics:
    """A process's, for all its pipelines."""

    def __init__(self) -> None:
        # In this text format they would be series of their own.
        prometheus_client.disable_created_metrics()  # type: ignore[no-untyped-call]  # the library has no type for it
        self.registry = CollectorRegistry(auto_describe=False)
        self._gauges = Gauges()
        self.registry.register(self._gauges)
        self._families = Families(self.registry)
        self._requests = prometheus_client.Counter(
            "dynamirror_http_requests_total",
            "Requests to the admin API. Those that are about no pipeline, or about all, have an empty one.",
            ("pipeline", "method", "route", "status"),
            registry=self.registry,
        )
        self._durations = prometheus_client.Histogram(
            "dynamirror_http_request_duration_seconds",
            "How long the admin API took for an answer.",
            ("pipeline", "method", "route"),
            buckets=REQUEST_BELOW,
            registry=self.registry,
        )
        ProcessCollector(registry=self.registry)  # memory and CPU, under the client library's own names

    def totals_of(self, pipeline: str, clock: Clock) -> Totals:
        """The counters of one pipeline, from zero."""
        self._families.forget(pipeline)
        return Totals(self._families, pipeline, clock)

    def show(self, pipeline: str, look: Look) -> None:
        """From now on its gauges are shown, as `look` finds it; called in the event loop at each scrape."""
        self._gauges.looks[pipeline] = look

    def forget(self, pipeline: str) -> None:
        """It has left the process, and its series end. May be repeated."""
        self._gauges.looks.pop(pipeline, None)
        self._families.forget(pipeline)
        self._requests.remove_by_labels({"pipeline": pipeline})
        self._durations.remove_by_labels({"pipeline": pipeline})

    def request_seen(self, seen: RequestSeen) -> None:
        self._requests.labels(seen.pipeline, seen.method, seen.route, str(seen.status)).inc()
        self._durations.labels(seen.pipeline, seen.method, seen.route).observe(seen.seconds)

    def render(self, pipeline: str | None = None) -> Iterator[bytes]:
        """Everything, or what is of one pipeline, in Prometheus's text format 0.0.4: a metric at a time.

        To be taken in the event loop, which may turn between two of them: all of many pipelines takes long.
        """
        for family in self.registry.collect():
            if pipeline is not None:
                family.samples = [each for each in family.samples if each.labels.get("pipeline") == pipeline]
            if pipeline is None or family.samples:
                yield generate_latest(_Family(family))


class _Family(CollectorRegistry):
    def __init__(self, family: Metric) -> None:
        super().__init__()
        self._family = family

    def collect(self) -> Iterator[Metric]:
        yield self._family
