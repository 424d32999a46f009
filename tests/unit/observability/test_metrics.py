"""What `/metrics` shows, and that whatever is built on it names only what is there."""

import re
from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path

import pytest
from prometheus_client.parser import text_string_to_metric_families

from api.middleware import RequestSeen
from service.events import ChangesSettled, CheckpointSaved, DeadLettered, GapFound, PageRead, Retried, StampKept
from service.model import ItemKey, SequenceNumber, ShardId
from service.observability.gauges import Seen
from service.observability.metrics import Metrics
from service.operations.documents.jobs import JobState, Verification
from service.operations.documents.status import LagStatus, Role, ShardState, Status
from service.operations.status.counters import MAX_CAUSES
from service.operations.status.readiness import Vital
from tests.fakes.clock import ManualClock
from tests.fakes.console import NOW, FakeConsole
from tests.support.metric_series import all_series, documentation

DEPLOY = Path(__file__).resolve().parents[3] / "deploy"
SHARD = ShardId("shardId-00000001541626099285-f35f62ef")
LABELS_OF_PROMETHEUS = {"job", "instance", "le"}


class Pipeline:
    """A status that a test changes, and the metrics on it."""

    def __init__(self, name: str = "orders", metrics: Metrics | None = None) -> None:
        self.name = name
        self.console = FakeConsole()
        self.changed: dict[str, object] = {}
        self.vital: Vital | None = None
        self.metrics = metrics or Metrics()
        self.totals = self.metrics.totals_of(name, ManualClock())
        self.metrics.show(name, self.look)

    def look(self) -> Seen:
        return Seen(self.status(), self.console.not_ready_reason() is None, self.vital)

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


@pytest.fixture
def pipeline() -> Pipeline:
    return Pipeline()


def test_counters_add_up_what_was_read_and_settled(pipeline: Pipeline) -> None:
    pipeline.totals.observe(PageRead(SHARD, 7, 700))
    pipeline.totals.observe(PageRead(SHARD, 3, 300))
    pipeline.totals.observe(
        ChangesSettled(records=6, applied=3, coalesced=2, unchanged=1, items_written=3, guarded=1, latencies=[1, 2, 3])
    )
    pipeline.totals.observe(ChangesSettled(records=4, stale=1, skipped=2, dead_lettered=1, guarded=1))

    counted = {name.removeprefix("dynamirror_records_"): value for name, _, value in pipeline.samples()}
    assert counted["read_total"] == 10
    assert counted["applied_total"] == 7
    assert counted["coalesced_total"] == 2
    assert counted["unchanged_total"] == 1
    assert counted["stale_total"] == 1
    assert counted["skipped_total"] == 2
    assert pipeline.value("dynamirror_items_written_total") == 3
    assert pipeline.value("dynamirror_guarded_writes_total") == 2


def test_stamps_that_the_sources_own_attribute_kept_out_are_counted(pipeline: Pipeline) -> None:
    assert pipeline.value("dynamirror_stamps_kept_total") == 0
    pipeline.totals.observe(StampKept())
    pipeline.totals.observe(StampKept())
    assert pipeline.value("dynamirror_stamps_kept_total") == 2


def test_a_dead_letter_is_counted_once_whether_its_record_was_readable_or_not(pipeline: Pipeline) -> None:
    number = SequenceNumber.parse("1100000000017454423009")
    pipeline.totals.observe(DeadLettered("a", SHARD, number, ItemKey(b'{"key":{"S":"1"}}'), "too large", 1))
    pipeline.totals.observe(ChangesSettled(records=1, dead_lettered=1))
    pipeline.totals.observe(DeadLettered("b", SHARD, None, None, "unknown eventName", 1))

    assert pipeline.value("dynamirror_records_dead_lettered_total") == 2
    assert pipeline.value("dynamirror_records_applied_total") == 0


def test_latencies_fall_into_the_bucket_that_their_bound_names(pipeline: Pipeline) -> None:
    pipeline.totals.observe(ChangesSettled(records=4, applied=4, latencies=[0.1, 0.25, 0.3, 1e6]))

    name = "dynamirror_replication_latency_seconds"
    assert pipeline.value(f"{name}_bucket", le="0.25") == 2
    assert pipeline.value(f"{name}_bucket", le="0.5") == 3
    assert pipeline.value(f"{name}_bucket", le="86400.0") == 3
    assert pipeline.value(f"{name}_bucket", le="+Inf") == 4
    assert pipeline.value(f"{name}_count") == 4
    assert pipeline.value(f"{name}_sum") == pytest.approx(1e6 + 0.65)


def test_retries_are_counted_by_target_and_cause_and_throttles_among_them(pipeline: Pipeline) -> None:
    assert pipeline.value("dynamirror_throttles_total", target="replica") == 0
    pipeline.totals.observe(Retried("replica", "ThrottlingException", is_throttle=True))
    pipeline.totals.observe(Retried("replica", "ThrottlingException", is_throttle=True))
    pipeline.totals.observe(Retried("stream", "InternalServerError", is_throttle=False))

    assert pipeline.value("dynamirror_retries_total", target="replica", cause="ThrottlingException") == 2
    assert pipeline.value("dynamirror_retries_total", target="stream", cause="InternalServerError") == 1
    assert pipeline.value("dynamirror_throttles_total", target="replica") == 2
    assert pipeline.value("dynamirror_throttles_total", target="stream") == 0


def test_a_cause_that_is_a_text_and_ever_new_causes_make_no_series_of_their_own(pipeline: Pipeline) -> None:
    pipeline.totals.observe(Retried("replica", "the item key1 is in a transaction", is_throttle=False))
    for number in range(3 * MAX_CAUSES):
        pipeline.totals.observe(Retried("replica", f"Cause{number}", is_throttle=False))

    retries = [value for name, _, value in pipeline.samples() if name == "dynamirror_retries_total"]
    assert len(retries) <= MAX_CAUSES + 1
    assert sum(retries) == 3 * MAX_CAUSES + 1
    assert "key1" not in pipeline.text()


def test_the_clocks_offset_is_absent_until_it_is_known(pipeline: Pipeline) -> None:
    assert pipeline.value("dynamirror_clock_offset_seconds") is None
    pipeline.changed = {"clock_offset_seconds": -42.5}
    assert pipeline.value("dynamirror_clock_offset_seconds") == -42.5


def test_gauges_are_the_status_as_it_is_at_the_scrape(pipeline: Pipeline) -> None:
    assert pipeline.value("dynamirror_lag_seconds") == 1.5
    assert pipeline.value("dynamirror_shard_lag_seconds", shard_id=SHARD) == 1.5
    assert pipeline.value("dynamirror_unapplied_records") == 3
    assert pipeline.value("dynamirror_queue_records") == 3
    assert pipeline.value("dynamirror_queue_bytes") == 900
    assert pipeline.value("dynamirror_state", state="running") == 1
    assert pipeline.value("dynamirror_state", state="paused") == 0
    assert pipeline.value("dynamirror_lease_held") == 1
    assert pipeline.value("dynamirror_ready") == 1
    assert pipeline.value("dynamirror_dead_letters") == 0
    assert pipeline.value("dynamirror_pipeline_info", version="0.1.0") == 1

    pipeline.console.add_letter("one")
    pipeline.console.reason = "the replica refuses all writes"
    pipeline.changed = {"role": Role.STANDBY}
    assert pipeline.value("dynamirror_dead_letters") == 1
    assert pipeline.value("dynamirror_ready") == 0
    assert pipeline.value("dynamirror_lease_held") == 0


def test_a_lag_that_is_not_known_is_absent_and_never_zero(pipeline: Pipeline) -> None:
    unknown = LagStatus(
        seconds=None, unapplied_records=None, keys_in_doubt=None, oldest_unapplied_at=None, caught_up=False
    )
    pipeline.changed = {"lag": unknown, "shards": [], "dead_letters": None}

    for name in ("lag_seconds", "unapplied_records", "keys_in_doubt", "dead_letters"):
        assert pipeline.value(f"dynamirror_{name}") is None


def test_the_series_of_a_shard_ends_when_the_shard_is_closed_or_gone(pipeline: Pipeline) -> None:
    shard = pipeline.console.status().shards[0]
    assert pipeline.value("dynamirror_shard_lag_seconds", shard_id=SHARD) is not None

    pipeline.changed = {"shards": [shard.model_copy(update={"state": ShardState.CLOSED})]}
    assert pipeline.value("dynamirror_shard_lag_seconds", shard_id=SHARD) is None
    pipeline.changed = {"shards": []}
    assert pipeline.value("dynamirror_shard_lag_seconds", shard_id=SHARD) is None


def test_the_checkpoint_age_is_zero_while_all_is_saved_and_absent_without_a_flow(pipeline: Pipeline) -> None:
    assert pipeline.value("dynamirror_checkpoint_age_seconds") is None
    pipeline.vital = Vital(
        oldest_read_age=0.1, oldest_read_shard=SHARD, unsaved_age=None, refused_age=None, refusal=None
    )
    assert pipeline.value("dynamirror_checkpoint_age_seconds") == 0
    pipeline.vital = Vital(
        oldest_read_age=0.1, oldest_read_shard=SHARD, unsaved_age=42.5, refused_age=None, refusal=None
    )
    assert pipeline.value("dynamirror_checkpoint_age_seconds") == 42.5


def test_gaps_and_checkpoints_are_counted(pipeline: Pipeline) -> None:
    assert pipeline.value("dynamirror_gaps_total") == 0
    pipeline.totals.observe(GapFound(SHARD, "trimmed"))
    pipeline.totals.observe(CheckpointSaved(3))
    pipeline.totals.observe(CheckpointSaved(3))

    assert pipeline.value("dynamirror_gaps_total") == 1
    assert pipeline.value("dynamirror_checkpoints_total") == 2


def test_the_last_verification_shows_its_time_and_what_it_found(pipeline: Pipeline) -> None:
    assert pipeline.value("dynamirror_last_verification_timestamp_seconds") is None
    ended: datetime = NOW + timedelta(minutes=1)
    pipeline.changed = {
        "last_verification": Verification(
            id="v",
            state=JobState.DONE,
            started_at=NOW,
            finished_at=ended,
            items_compared=100,
            missing=1,
            extra=2,
            different=3,
            repaired=4,
        )  # fmt: skip
    }

    assert pipeline.value("dynamirror_last_verification_timestamp_seconds") == ended.timestamp()
    assert pipeline.value("dynamirror_last_verification_items") == 100
    assert pipeline.value("dynamirror_last_verification_differences", kind="missing") == 1
    assert pipeline.value("dynamirror_last_verification_differences", kind="extra") == 2
    assert pipeline.value("dynamirror_last_verification_differences", kind="different") == 3
    assert pipeline.value("dynamirror_last_verification_repaired") == 4


def test_requests_are_counted_and_timed_by_method_and_route(pipeline: Pipeline) -> None:
    pipeline.metrics.request_seen(RequestSeen("GET", "/replays/{id}", 404, 0.02, "orders"))
    pipeline.metrics.request_seen(RequestSeen("GET", "/replays/{id}", 200, 0.2, "orders"))

    where = {"method": "GET", "route": "/replays/{id}"}
    assert pipeline.value("dynamirror_http_requests_total", status="404", **where) == 1
    assert pipeline.value("dynamirror_http_requests_total", status="200", **where) == 1
    assert pipeline.value("dynamirror_http_request_duration_seconds_bucket", le="0.025", **where) == 1
    assert pipeline.value("dynamirror_http_request_duration_seconds_count", **where) == 2


def test_the_status_document_reads_the_counters_that_prometheus_shows(pipeline: Pipeline) -> None:
    pipeline.totals.observe(PageRead(SHARD, 7, 700))
    pipeline.totals.observe(ChangesSettled(records=6, applied=3, coalesced=2, skipped=1, items_written=3))
    pipeline.totals.observe(DeadLettered("a", SHARD, None, None, "too large", 1))
    pipeline.totals.observe(Retried("replica", "ThrottlingException", is_throttle=True))
    pipeline.totals.observe(Retried("stream", "InternalServerError", is_throttle=False))

    told = pipeline.totals.totals().model_dump()
    assert told.pop("retries") == 2
    assert told == {name: pipeline.value(f"dynamirror_{name}_total") for name in told}
    assert told["records_applied"] == 5


def test_each_pipeline_has_series_of_its_own_and_they_end_with_it(pipeline: Pipeline) -> None:
    other = Pipeline("users", pipeline.metrics)
    pipeline.totals.observe(PageRead(SHARD, 7, 700))
    other.totals.observe(PageRead(SHARD, 2, 200))
    other.totals.observe(ChangesSettled(records=2, applied=2, latencies=[1, 2]))
    other.totals.observe(Retried("stream", "InternalServerError", is_throttle=False))
    pipeline.metrics.request_seen(RequestSeen("GET", "/status", 200, 0.2, "users"))
    other.changed = {"role": Role.STANDBY}

    assert (pipeline.value("dynamirror_records_read_total"), other.value("dynamirror_records_read_total")) == (7, 2)
    assert (pipeline.value("dynamirror_lease_held"), other.value("dynamirror_lease_held")) == (1, 0)
    before = list(pipeline.samples())
    pipeline.metrics.forget("users")
    assert list(other.samples()) == []
    assert list(pipeline.samples()) == before
    assert Pipeline("users", pipeline.metrics).value("dynamirror_records_read_total") == 0


def test_the_metrics_of_one_pipeline_are_its_series_of_all(pipeline: Pipeline) -> None:
    Pipeline("users", pipeline.metrics)
    everything = pipeline.text().splitlines()
    of_one = b"".join(pipeline.metrics.render("orders")).decode().splitlines()
    assert [line for line in of_one if not line.startswith("#")] == [
        line for line in everything if 'pipeline="orders"' in line
    ]


def test_they_are_rendered_a_metric_at_a_time_so_that_the_event_loop_can_turn(pipeline: Pipeline) -> None:
    assert len(list(pipeline.metrics.render())) > 40
    assert all(piece.count(b"# TYPE ") == 1 for piece in pipeline.metrics.render())


def test_every_series_but_those_of_the_process_has_the_label_of_the_pipeline(pipeline: Pipeline) -> None:
    pipeline.metrics.request_seen(RequestSeen("GET", "/healthz", 200, 0.001))
    pipeline.totals.observe(Retried("stream", "InternalServerError", is_throttle=False))
    assert all(each.labels[0] == "pipeline" for each in all_series())
    for family in text_string_to_metric_families(pipeline.text()):
        for sample in family.samples:
            assert ("pipeline" in sample.labels) != family.name.startswith("process_"), sample


def test_every_series_that_is_shown_is_documented_and_every_documented_one_is_shown(pipeline: Pipeline) -> None:
    rendered = re.findall(r"^# TYPE (\S+) (\S+)$", pipeline.text(), re.MULTILINE)
    shown = {name: kind for name, kind in rendered if not name.startswith("process_")}

    assert shown == {each.name: each.kind for each in all_series()}
    assert all(f"| `{each.name}` | {each.kind} |" in documentation() for each in all_series())


def test_names_follow_the_conventions() -> None:
    for each in all_series():
        assert re.fullmatch(r"dynamirror_[a-z_]+", each.name)
        assert each.name.endswith("_total") == (each.kind == "counter")
        assert each.meaning.endswith(".")
