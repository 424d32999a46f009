"""A pipeline whose status a test changes, and the metrics that show it."""

from __future__ import annotations

from collections.abc import Iterator

from prometheus_client.parser import text_string_to_metric_families

from service.observability.gauges import Seen
from service.observability.metrics import Metrics
from service.operations.documents.status import Status
from tests.fakes.clock import ManualClock
from tests.fakes.console import FakeConsole


class ShownPipeline:
    """`changed` overrides fields of the status document."""

    def __init__(self, name: str = "orders", metrics: Metrics | None = None) -> None:
        self.name = name
        self.console = FakeConsole()
        self.changed: dict[str, object] = {}
        self.checkpoint_age: float | None = None
        self.metrics = metrics or Metrics()
        self.totals = self.metrics.totals_of(name, ManualClock())
        self.metrics.show(name, self.look)

    def look(self) -> Seen:
        return Seen(self.status(), self.console.not_ready_reason() is None, self.checkpoint_age)

    def status(self) -> Status:
        return self.console.status().model_copy(update=self.changed)

    def text(self) -> str:
        return b"".join(self.metrics.render()).decode()

    def samples(self) -> Iterator[tuple[str, dict[str, str], float]]:
        """Of this pipeline, and without its label."""
        for family in text_string_to_metric_families(self.text()):
            for sample in family.samples:
                labels = dict(sample.labels)
                if labels.pop("pipeline", None) == self.name:
                    yield sample.name, labels, sample.value

    def value(self, name: str, **labels: str) -> float | None:
        """Of the one sample with this name and these labels; None if there is none."""
        found = [value for each, of, value in self.samples() if each == name and of == labels]
        assert len(found) <= 1
        return found[0] if found else None
