"""What `/metrics` shows: counters, each pipeline's own, and that each series is documented."""

import re

import pytest
from prometheus_client.parser import text_string_to_metric_families

from service.events import (
    ChangesSettled,
    CheckpointSaved,
    DeadLettered,
    GapFound,
    PageRead,
    RequestSeen,
    Retried,
    StampKept,
)
from service.model import ItemKey, SequenceNumber, ShardId
from service.operations.documents.status import Role
from service.operations.status.counters import MAX_CAUSES
from tests.fakes.shown_pipeline import ShownPipeline
from tests.support.metric_series import all_series, documentation

SHARD = ShardId("shardId-00000001541626099285-f35f62ef")


@pytest.fixture
def pipeline() -> ShownPipeline:
    return ShownPipeline()


def test_counters_add_up_what_was_read_and_settled(pipeline: ShownPipeline) -> None:
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


def test_stamps_that_the_sources_own_attribute_kept_out_are_counted(pipeline: ShownPipeline) -> None:
    assert pipeline.value("dynamirror_stamps_kept_total") == 0
    pipeline.totals.observe(StampKept())
    pipeline.totals.observe(StampKept())
    assert pipeline.value("dynamirror_stamps_kept_total") == 2


def test_a_dead_letter_is_counted_once_whether_its_record_was_readable_or_not(pipeline: ShownPipeline) -> None:
    number = SequenceNumber.parse("1100000000017454423009")
    pipeline.totals.observe(DeadLettered("a", SHARD, number, ItemKey(b'{"key":{"S":"1"}}'), "too large", 1))
    pipeline.totals.observe(ChangesSettled(records=1, dead_lettered=1))
    pipeline.totals.observe(DeadLettered("b", SHARD, None, None, "unknown eventName", 1))

    assert pipeline.value("dynamirror_records_dead_lettered_total") == 2
    assert pipeline.value("dynamirror_records_applied_total") == 0


def test_latencies_fall_into_the_bucket_that_their_bound_names(pipeline: ShownPipeline) -> None:
    pipeline.totals.observe(ChangesSettled(records=4, applied=4, latencies=[0.1, 0.25, 0.3, 1e6]))

    name = "dynamirror_replication_latency_seconds"
    assert pipeline.value(f"{name}_bucket", le="0.25") == 2
    assert pipeline.value(f"{name}_bucket", le="0.5") == 3
    assert pipeline.value(f"{name}_bucket", le="86400.0") == 3
    assert pipeline.value(f"{name}_bucket", le="+Inf") == 4
    assert pipeline.value(f"{name}_count") == 4
    assert pipeline.value(f"{name}_sum") == pytest.approx(1e6 + 0.65)


def test_retries_are_counted_by_target_and_cause_and_throttles_among_them(pipeline: ShownPipeline) -> None:
    assert pipeline.value("dynamirror_throttles_total", target="replica") == 0
    pipeline.totals.observe(Retried("replica", "ThrottlingException", is_throttle=True))
    pipeline.totals.observe(Retried("replica", "ThrottlingException", is_throttle=True))
    pipeline.totals.observe(Retried("stream", "InternalServerError", is_throttle=False))

    assert pipeline.value("dynamirror_retries_total", target="replica", cause="ThrottlingException") == 2
    assert pipeline.value("dynamirror_retries_total", target="stream", cause="InternalServerError") == 1
    assert pipeline.value("dynamirror_throttles_total", target="replica") == 2
    assert pipeline.value("dynamirror_throttles_total", target="stream") == 0


def test_a_cause_that_is_a_text_and_ever_new_causes_make_no_series_of_their_own(pipeline: ShownPipeline) -> None:
    pipeline.totals.observe(Retried("replica", "the item key1 is in a transaction", is_throttle=False))
    for number in range(3 * MAX_CAUSES):
        pipeline.totals.observe(Retried("replica", f"Cause{number}", is_throttle=False))

    retries = [value for name, _, value in pipeline.samples() if name == "dynamirror_retries_total"]
    assert len(retries) <= MAX_CAUSES + 1
    assert sum(retries) == 3 * MAX_CAUSES + 1
    assert "key1" not in pipeline.text()


def test_gaps_and_checkpoints_are_counted(pipeline: ShownPipeline) -> None:
    assert pipeline.value("dynamirror_gaps_total") == 0
    pipeline.totals.observe(GapFound(SHARD, "trimmed"))
    pipeline.totals.observe(CheckpointSaved(3))
    pipeline.totals.observe(CheckpointSaved(3))

    assert pipeline.value("dynamirror_gaps_total") == 1
    assert pipeline.value("dynamirror_checkpoints_total") == 2


def test_requests_are_counted_and_timed_by_method_and_route(pipeline: ShownPipeline) -> None:
    pipeline.metrics.request_seen(RequestSeen("GET", "/replays/{id}", 404, 0.02, "orders"))
    pipeline.metrics.request_seen(RequestSeen("GET", "/replays/{id}", 200, 0.2, "orders"))

    where = {"method": "GET", "route": "/replays/{id}"}
    assert pipeline.value("dynamirror_http_requests_total", status="404", **where) == 1
    assert pipeline.value("dynamirror_http_requests_total", status="200", **where) == 1
    assert pipeline.value("dynamirror_http_request_duration_seconds_bucket", le="0.025", **where) == 1
    assert pipeline.value("dynamirror_http_request_duration_seconds_count", **where) == 2


def test_the_status_document_reads_the_counters_that_prometheus_shows(pipeline: ShownPipeline) -> None:
    pipeline.totals.observe(PageRead(SHARD, 7, 700))
    pipeline.totals.observe(ChangesSettled(records=6, applied=3, coalesced=2, skipped=1, items_written=3))
    pipeline.totals.observe(DeadLettered("a", SHARD, None, None, "too large", 1))
    pipeline.totals.observe(Retried("replica", "ThrottlingException", is_throttle=True))
    pipeline.totals.observe(Retried("stream", "InternalServerError", is_throttle=False))

    told = pipeline.totals.totals().model_dump()
    assert told.pop("retries") == 2
    assert told == {name: pipeline.value(f"dynamirror_{name}_total") for name in told}
    assert told["records_applied"] == 5


def test_each_pipeline_has_series_of_its_own_and_they_end_with_it(pipeline: ShownPipeline) -> None:
    other = ShownPipeline("users", pipeline.metrics)
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
    assert ShownPipeline("users", pipeline.metrics).value("dynamirror_records_read_total") == 0


def test_the_metrics_of_one_pipeline_are_its_series_of_all(pipeline: ShownPipeline) -> None:
    ShownPipeline("users", pipeline.metrics)
    everything = pipeline.text().splitlines()
    of_one = b"".join(pipeline.metrics.render("orders")).decode().splitlines()
    assert [line for line in of_one if not line.startswith("#")] == [
        line for line in everything if 'pipeline="orders"' in line
    ]


def test_they_are_rendered_a_metric_at_a_time_so_that_the_event_loop_can_turn(pipeline: ShownPipeline) -> None:
    assert len(list(pipeline.metrics.render())) > 40
    assert all(piece.count(b"# TYPE ") == 1 for piece in pipeline.metrics.render())


def test_every_series_but_those_of_the_process_has_the_label_of_the_pipeline(pipeline: ShownPipeline) -> None:
    pipeline.metrics.request_seen(RequestSeen("GET", "/healthz", 200, 0.001))
    pipeline.totals.observe(Retried("stream", "InternalServerError", is_throttle=False))
    assert all(each.labels[0] == "pipeline" for each in all_series())
    for family in text_string_to_metric_families(pipeline.text()):
        for sample in family.samples:
            assert ("pipeline" in sample.labels) != family.name.startswith("process_"), sample


def test_every_series_that_is_shown_is_documented_and_every_documented_one_is_shown(pipeline: ShownPipeline) -> None:
    rendered = re.findall(r"^# TYPE (\S+) (\S+)$", pipeline.text(), re.MULTILINE)
    shown = {name: kind for name, kind in rendered if not name.startswith("process_")}

    assert shown == {each.name: each.kind for each in all_series()}
    assert all(f"| `{each.name}` | {each.kind} |" in documentation() for each in all_series())


def test_names_follow_the_conventions() -> None:
    for each in all_series():
        assert re.fullmatch(r"dynamirror_[a-z_]+", each.name)
        assert each.name.endswith("_total") == (each.kind == "counter")
        assert each.meaning.endswith(".")
