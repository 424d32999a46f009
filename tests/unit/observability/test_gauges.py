"""The gauges of `/metrics`: the status as it is at the scrape, and absent where something is not known."""

from datetime import datetime, timedelta

import pytest

from service.model import ShardId
from service.operations.documents.jobs import JobState, Verification
from service.operations.documents.status import LagStatus, Role, ShardState
from tests.fakes.console import NOW
from tests.fakes.shown_pipeline import ShownPipeline

SHARD = ShardId("shardId-00000001541626099285-f35f62ef")


@pytest.fixture
def pipeline() -> ShownPipeline:
    return ShownPipeline()


def test_the_clocks_offset_is_absent_until_it_is_known(pipeline: ShownPipeline) -> None:
    assert pipeline.value("dynamirror_clock_offset_seconds") is None
    pipeline.changed = {"clock_offset_seconds": -42.5}
    assert pipeline.value("dynamirror_clock_offset_seconds") == -42.5


def test_gauges_are_the_status_as_it_is_at_the_scrape(pipeline: ShownPipeline) -> None:
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


def test_a_lag_that_is_not_known_is_absent_and_never_zero(pipeline: ShownPipeline) -> None:
    unknown = LagStatus(
        seconds=None, unapplied_records=None, keys_in_doubt=None, oldest_unapplied_at=None, caught_up=False
    )
    pipeline.changed = {"lag": unknown, "shards": [], "dead_letters": None}

    for name in ("lag_seconds", "unapplied_records", "keys_in_doubt", "dead_letters"):
        assert pipeline.value(f"dynamirror_{name}") is None


def test_the_series_of_a_shard_ends_when_the_shard_is_closed_or_gone(pipeline: ShownPipeline) -> None:
    shard = pipeline.console.status().shards[0]
    assert pipeline.value("dynamirror_shard_lag_seconds", shard_id=SHARD) is not None

    pipeline.changed = {"shards": [shard.model_copy(update={"state": ShardState.CLOSED})]}
    assert pipeline.value("dynamirror_shard_lag_seconds", shard_id=SHARD) is None
    pipeline.changed = {"shards": []}
    assert pipeline.value("dynamirror_shard_lag_seconds", shard_id=SHARD) is None


def test_the_checkpoint_age_is_zero_while_all_is_saved_and_absent_without_a_flow(pipeline: ShownPipeline) -> None:
    assert pipeline.value("dynamirror_checkpoint_age_seconds") is None
    pipeline.checkpoint_age = 0.0
    assert pipeline.value("dynamirror_checkpoint_age_seconds") == 0
    pipeline.checkpoint_age = 42.5
    assert pipeline.value("dynamirror_checkpoint_age_seconds") == 42.5


def test_the_last_verification_shows_its_time_and_what_it_found(pipeline: ShownPipeline) -> None:
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
