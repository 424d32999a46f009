"""The gauges of `/metrics`: looked up in each pipeline's status when Prometheus asks, and absent where not known.

Names end in their unit. Labels have few values, and the first is always the pipeline.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector

from service.operations.documents.status import PipelineState, Role, ShardState, Status


@dataclass(frozen=True, slots=True)
class Seen:
    """A pipeline at the moment of a scrape. `checkpoint_age`: None while it does not replicate here."""

    status: Status
    is_ready: bool
    checkpoint_age: float | None


Look = Callable[[], Seen]


@dataclass(frozen=True, slots=True)
class Gauge:
    name: str
    meaning: str
    read: Callable[[Seen], float | None | Mapping[str, float]]
    """None: not known. With a label: the value for each of its values."""
    label: str | None = None


class Gauges(Collector):
    """One process's; `looks` has one for each pipeline, by its name."""

    def __init__(self) -> None:
        self.looks: dict[str, Look] = {}

    def collect(self) -> Iterator[GaugeMetricFamily]:
        seen = {name: look() for name, look in self.looks.items()}
        for gauge in GAUGES:
            labels = ("pipeline", gauge.label) if gauge.label else ("pipeline",)
            family = GaugeMetricFamily(f"dynamirror_{gauge.name}", gauge.meaning, labels=labels)
            for name, each in seen.items():
                found = gauge.read(each)
                if isinstance(found, Mapping):
                    for value, number in found.items():
                        family.add_metric((name, value), number)
                elif found is not None:
                    family.add_metric((name,), found)
            yield family


def _shard_lags(seen: Seen) -> dict[str, float]:
    return {each.shard_id: each.lag_seconds for each in seen.status.shards if each.state is not ShardState.CLOSED}


def _verified_at(seen: Seen) -> float | None:
    last = seen.status.last_verification
    return last.finished_at.timestamp() if last and last.finished_at else None


def _differences(seen: Seen) -> dict[str, float]:
    last = seen.status.last_verification
    return {"missing": last.missing, "extra": last.extra, "different": last.different} if last else {}


GAUGES = (
    Gauge("pipeline_info", "Always 1, for each pipeline.", lambda seen: {seen.status.version: 1}, "version"),
    Gauge(
        "state",
        "1 for the state that the pipeline is in, 0 for the others.",
        lambda seen: {each.value: each is seen.status.state for each in PipelineState},
        "state",
    ),
    Gauge(
        "ready",
        "1 while the pipeline makes progress or stands by, as its /readyz says; else 0.",
        lambda seen: seen.is_ready,
    ),
    Gauge(
        "lease_held",
        "1 while this process replicates the pipeline, 0 while it stands by.",
        lambda seen: seen.status.role is Role.ACTIVE,
    ),
    Gauge(
        "lag_seconds",
        "Age of the oldest change that is not settled. If nothing is pending: the time since all open shards were last "
        "read to the end. A process that does not replicate reports the active one's lag as of its last lease renewal; "
        "it grows while nobody renews. Absent where no process has ever reported it, and beside Lambda.",
        lambda seen: seen.status.lag.seconds,
    ),
    Gauge("shard_lag_seconds", "The lag of one shard that is not closed yet.", _shard_lags, "shard_id"),
    Gauge(
        "unapplied_records",
        "Records that were read and are not settled yet. Absent while this process does not replicate.",
        lambda seen: seen.status.lag.unapplied_records,
    ),
    Gauge(
        "keys_in_doubt",
        "Keys of which a write was given up that may still take effect; looked at again. Absent as unapplied records "
        "are.",
        lambda seen: seen.status.lag.keys_in_doubt,
    ),
    Gauge(
        "clock_offset_seconds",
        "AWS's time less this machine's, by the dates of AWS's answers. Absent until one has come.",
        lambda seen: seen.status.clock_offset_seconds,
    ),
    Gauge(
        "dead_letters",
        "Dead letters that wait for a redrive or a discard, as every process tells them. Absent while that can't be "
        "read.",
        lambda seen: seen.status.dead_letters,
    ),
    Gauge("queue_records", "Records that wait for a writer.", lambda seen: seen.status.queue.records),
    Gauge(
        "queue_bytes",
        "What the waiting records count against the queue's bound.",
        lambda seen: seen.status.queue.bytes,
    ),
    Gauge(
        "queue_max_records",
        "The queue's bound: at so many records the reads stop.",
        lambda seen: seen.status.queue.max_records,
    ),
    Gauge("queue_max_bytes", "The queue's bound in bytes.", lambda seen: seen.status.queue.max_bytes),
    Gauge(
        "checkpoint_age_seconds",
        "Time for which settled work has been waiting to be saved; 0 while all of it is. Absent while this process "
        "does not replicate.",
        lambda seen: seen.checkpoint_age,
    ),
    Gauge(
        "last_verification_timestamp_seconds",
        "When the last full comparison of the tables ended, Unix time.",
        _verified_at,
    ),
    Gauge(
        "last_verification_items",
        "Items that the last full comparison looked at.",
        lambda seen: last.items_compared if (last := seen.status.last_verification) else None,
    ),
    Gauge(
        "last_verification_differences",
        "Differences that the last full comparison found: missing in the replica, extra in it, or different.",
        _differences,
        "kind",
    ),
    Gauge(
        "last_verification_repaired",
        "Of those differences, the ones that were mended.",
        lambda seen: last.repaired if (last := seen.status.last_verification) else None,
    ),
)
