"""Every time series of `/metrics`, as the documents and deploy/ may name it."""

from __future__ import annotations

import functools
from dataclasses import dataclass

from service.observability.gauges import GAUGES
from service.observability.metrics import Metrics


@dataclass(frozen=True, slots=True)
class Series:
    name: str
    kind: str
    labels: tuple[str, ...]
    meaning: str


@functools.cache
def all_series() -> tuple[Series, ...]:
    """Without those of the process, which the client library makes."""
    gauges = {f"dynamirror_{each.name}": ("pipeline", *([each.label] if each.label else ())) for each in GAUGES}
    registry = Metrics().registry
    counted = {each: each._labelnames for each in registry._collector_to_names if hasattr(each, "_labelnames")}
    labels = gauges | {name: known for each, known in counted.items() for name in registry._collector_to_names[each]}
    found = [family for family in registry.collect() if family.name.startswith("dynamirror_")]
    named = [(f"{each.name}_total" if each.type == "counter" else each.name, each) for each in found]
    return tuple(Series(name, each.type, tuple(labels[name]), each.documentation) for name, each in named)


def documentation() -> str:
    """All series as a Markdown table."""
    rows = [
        f"| `{each.name}` | {each.kind} | {', '.join(f'`{label}`' for label in each.labels)} | {each.meaning} |"
        for each in all_series()
    ]
    return "\n".join(["| metric | type | labels | meaning |", "|---|---|---|---|", *rows, ""])
