"""Every time series that `/metrics` shows: its name, its labels and what it means, by Prometheus's conventions.

Names end in their unit, counters in `_total`. Labels have few values: a route's template and never a path, a cause's
code and never its text.
"""

from __future__ import annotations

from dataclasses import dataclass

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily


@dataclass(frozen=True, slots=True)
class Gauge:
    """A value that goes up and down, looked up at each scrape."""

    name: str
    meaning: str
    labels: tuple[str, ...] = ()
    kind = "gauge"

    def family(self) -> GaugeMetricFamily:
        return GaugeMetricFamily(self.name, self.meaning, labels=self.labels)


@dataclass(frozen=True, slots=True)
class Counter:
    """Counts up from the process's start. `name` has its `_total`."""

    name: str
    meaning: str
    labels: tuple[str, ...] = ()
    kind = "counter"

    def family(self) -> CounterMetricFamily:
        return CounterMetricFamily(self.name, self.meaning, labels=self.labels)


@dataclass(frozen=True, slots=True)
class Histogram:
    """Counts values below the upper bounds `below`; what is above all of them is counted too."""

    name: str
    meaning: str
    below: tuple[float, ...]
    labels: tuple[str, ...] = ()
    kind = "histogram"

    def family(self) -> HistogramMetricFamily:
        return HistogramMetricFamily(self.name, self.meaning, labels=self.labels)


Series = Gauge | Counter | Histogram

PIPELINE = Gauge("dynamirror_pipeline_info", "Always 1; the labels name the pipeline.", ("pipeline", "version"))
STATE = Gauge("dynamirror_state", "1 for the state that the pipeline is in, 0 for the others.", ("state",))
READY = Gauge("dynamirror_ready", "1 while the pipeline makes progress or stands by, as /readyz says; else 0.")
LEASE_HELD = Gauge("dynamirror_lease_held", "1 while this process replicates, 0 while it stands by.")
LAG = Gauge(
    "dynamirror_lag_seconds",
    "Age of the oldest change that is not settled. If nothing is pending: the time since all open shards were last "
    "read to the end. A process that does not replicate reports the active one's lag as of its last lease renewal; it "
    "grows while nobody renews. Absent where no process has ever reported it, and beside Lambda.",
)
SHARD_LAG = Gauge("dynamirror_shard_lag_seconds", "The lag of one shard that is not closed yet.", ("shard_id",))
UNAPPLIED = Gauge(
    "dynamirror_unapplied_records",
    "Records that were read and are not settled yet. Absent while this process does not replicate.",
)
IN_DOUBT = Gauge(
    "dynamirror_keys_in_doubt",
    "Keys of which a write was given up that may still take effect; looked at again. Absent as unapplied records are.",
)
QUEUE_RECORDS = Gauge("dynamirror_queue_records", "Records that wait for a writer.")
QUEUE_BYTES = Gauge("dynamirror_queue_bytes", "What the waiting records count against the queue's bound.")
QUEUE_MAX_RECORDS = Gauge("dynamirror_queue_max_records", "The queue's bound: at so many records the reads stop.")
QUEUE_MAX_BYTES = Gauge("dynamirror_queue_max_bytes", "The queue's bound in bytes.")
CLOCK_OFFSET = Gauge(
    "dynamirror_clock_offset_seconds",
    "AWS's time less this machine's, by the dates of AWS's answers. Absent until one has come.",
)
DEAD_LETTERS = Gauge(
    "dynamirror_dead_letters",
    "Dead letters that wait for a redrive or a discard, as every process tells them. Absent while that can't be read.",
)
CHECKPOINT_AGE = Gauge(
    "dynamirror_checkpoint_age_seconds",
    "Time for which settled work has been waiting to be saved; 0 while all of it is. Absent while this process does "
    "not replicate.",
)
VERIFIED_AT = Gauge(
    "dynamirror_last_verification_timestamp_seconds", "When the last full comparison of the tables ended, Unix time."
)
VERIFIED_ITEMS = Gauge("dynamirror_last_verification_items", "Items that the last full comparison looked at.")
VERIFIED_DIFFERENCES = Gauge(
    "dynamirror_last_verification_differences",
    "Differences that the last full comparison found: missing in the replica, extra in it, or different.",
    ("kind",),
)
VERIFIED_REPAIRED = Gauge("dynamirror_last_verification_repaired", "Of those differences, the ones that were mended.")

READ = Counter("dynamirror_records_read_total", "Records taken from the stream.")
APPLIED = Counter(
    "dynamirror_records_applied_total",
    "Records settled by a write of them, by a newer state of their item, or because the replica had them already.",
)
COALESCED = Counter(
    "dynamirror_records_coalesced_total", "Applied records that needed no write: a newer state of their item did it."
)
STALE = Counter("dynamirror_records_stale_total", "Applied records that a guarded write found older than the replica.")
UNCHANGED = Counter("dynamirror_records_unchanged_total", "Applied records that the replica's item had already.")
SKIPPED = Counter(
    "dynamirror_records_skipped_total",
    "TTL deletes that an archive skips, and records of items that the transform leaves out and the replica did not "
    "hold.",
)
DEAD_LETTERED = Counter(
    "dynamirror_records_dead_lettered_total",
    "Changes stored as dead letters: records that can't be written or understood, and a snapshot's items.",
)
STAMPS_KEPT = Counter(
    "dynamirror_stamps_kept_total",
    "Times that an item was written without a stamp, since the source's has an attribute of that name.",
)
ITEMS_WRITTEN = Counter("dynamirror_items_written_total", "Puts and deletes of stream changes that the replica took.")
GUARDED = Counter("dynamirror_guarded_writes_total", "Conditional writes, made where a change may be a repetition.")
RETRIES = Counter(
    "dynamirror_retries_total",
    "Requests that were made again: to the stream, source, replica or control table, by the error's code.",
    ("target", "cause"),
)
THROTTLES = Counter("dynamirror_throttles_total", "Of the retries, those that a throttled table caused.", ("target",))
LATE_WRITES = Counter(
    "dynamirror_late_writes_mended_total",
    "Items that a write which had been given up took back or brought back later, and that were written again.",
)
GAPS = Counter("dynamirror_gaps_total", "Gaps found: history that can't be read any more.")
CHECKPOINTS = Counter("dynamirror_checkpoints_total", "Times that progress was saved in the control table.")
LATENCY = Histogram(
    "dynamirror_replication_latency_seconds",
    "From a change at the source to its write in the replica. The source's clock counts in whole seconds.",
    (0.25, 0.5, 1.0, 1.5, 2.0, 3.0, 5.0, 10.0, 30.0, 60.0, 300.0, 1800.0, 3600.0, 21600.0, 86400.0),
)
REQUESTS = Counter("dynamirror_http_requests_total", "Requests to the admin API.", ("method", "route", "status"))
REQUEST_DURATION = Histogram(
    "dynamirror_http_request_duration_seconds",
    "How long the admin API took for an answer.",
    (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0),
    ("method", "route"),
)

ALL: tuple[Series, ...] = (
    PIPELINE,
    STATE,
    READY,
    LEASE_HELD,
    LAG,
    SHARD_LAG,
    LATENCY,
    UNAPPLIED,
    IN_DOUBT,
    READ,
    APPLIED,
    COALESCED,
    STALE,
    UNCHANGED,
    SKIPPED,
    DEAD_LETTERED,
    ITEMS_WRITTEN,
    STAMPS_KEPT,
    GUARDED,
    CLOCK_OFFSET,
    DEAD_LETTERS,
    QUEUE_RECORDS,
    QUEUE_BYTES,
    QUEUE_MAX_RECORDS,
    QUEUE_MAX_BYTES,
    RETRIES,
    THROTTLES,
    CHECKPOINTS,
    CHECKPOINT_AGE,
    LATE_WRITES,
    GAPS,
    VERIFIED_AT,
    VERIFIED_ITEMS,
    VERIFIED_DIFFERENCES,
    VERIFIED_REPAIRED,
    REQUESTS,
    REQUEST_DURATION,
)


def documentation() -> str:
    """All series as a Markdown table."""
    rows = [
        f"| `{series.name}` | {series.kind} | {', '.join(f'`{label}`' for label in series.labels)} | {series.meaning} |"
        for series in ALL
    ]
    return "\n".join(["| metric | type | labels | meaning |", "|---|---|---|---|", *rows, ""])
