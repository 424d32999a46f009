"""What the service tells its log, and how loud."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from service.events import (
    AuditEvent,
    ChangesSettled,
    CheckpointSaved,
    DeadLettered,
    PageRead,
    Retried,
    StampKept,
    key_digest,
)
from service.observability.log_observer import SUMMARY_SECONDS
from tests.support.captured_log import KEY, NEWS, NUMBER, SHARD, Log


@pytest.mark.parametrize(("event", "level", "said"), NEWS, ids=[type(row[0]).__name__ for row in NEWS])
def test_news_is_one_line_of_its_level(log: Log, event: Any, level: str, said: str) -> None:
    log.observer.observe(event)

    (line,) = log.lines()
    assert (line["level"], line["event"]) == (level, said)
    assert datetime.fromisoformat(line["timestamp"]).tzinfo is not None


def test_each_stamp_that_is_kept_is_no_line_of_its_own(log: Log) -> None:
    log.observer.observe(StampKept())

    assert log.lines() == []


BATCHES = [
    PageRead(SHARD, 3, 300),
    ChangesSettled(records=3, applied=2, coalesced=1, items_written=2, latencies=[1.0]),
    CheckpointSaved(1),
]


@pytest.mark.parametrize("event", BATCHES, ids=[type(event).__name__ for event in BATCHES])
def test_what_goes_on_all_the_time_is_there_at_debug_only(log: Log, event: Any) -> None:
    log.observer.observe(event)
    assert log.text == ""
    log.set_up(LOG_LEVEL="DEBUG")
    log.observer.observe(event)
    assert len(log.lines()) == 1


def test_an_empty_page_is_never_news(log: Log) -> None:
    log.set_up(LOG_LEVEL="DEBUG")
    log.observer.observe(PageRead(SHARD, 0, 20))

    assert log.text == ""


def test_a_dead_letter_shows_its_keys_digest_and_the_key_itself_at_debug_only(log: Log) -> None:
    event = DeadLettered("id", SHARD, NUMBER, KEY, "too large", 2)
    log.observer.observe(event)

    line = log.last()
    assert line["key_digest"] == key_digest(KEY)
    assert line["sequence_number"] == str(NUMBER)
    assert line["attempts"] == 2
    assert "personal" not in log.text
    log.set_up(LOG_LEVEL="DEBUG")
    log.observer.observe(event)
    assert log.last()["key"] == KEY.decode()


def test_retries_of_one_cause_are_a_line_and_then_one_for_ten_seconds(log: Log) -> None:
    throttle = Retried("replica", "ThrottlingException", is_throttle=True)
    for _ in range(100):
        log.observer.observe(throttle)
    assert [line["event"] for line in log.lines()] == ["retrying"]

    log.now += SUMMARY_SECONDS
    log.observer.observe(PageRead(SHARD, 0, 20))
    assert log.last()["event"] == "still retrying"
    assert log.last()["retries"] == 99
    assert len(log.lines()) == 2


def test_retries_of_another_cause_or_target_are_news_of_their_own(log: Log) -> None:
    log.observer.observe(Retried("replica", "ThrottlingException", is_throttle=True))
    log.observer.observe(Retried("control", "ThrottlingException", is_throttle=True))
    log.observer.observe(Retried("replica", "InternalServerError", is_throttle=False))

    assert [line["event"] for line in log.lines()] == ["retrying"] * 3


def test_a_cause_that_ended_is_news_again_when_it_returns(log: Log) -> None:
    throttle = Retried("replica", "ThrottlingException", is_throttle=True)
    log.observer.observe(throttle)
    log.now += SUMMARY_SECONDS
    log.observer.observe(PageRead(SHARD, 0, 20))
    assert len(log.lines()) == 1, "there is nothing to sum up"
    log.observer.observe(throttle)

    assert [line["event"] for line in log.lines()] == ["retrying", "retrying"]


def audited(**details: Any) -> AuditEvent:
    return AuditEvent(
        at=datetime(2026, 11, 23, 10, 15, tzinfo=UTC),
        who="admin",
        client="127.0.0.1:5000",
        method="POST",
        path="/pause",
        status=200,
        details=details,
    )


def test_a_call_that_changes_something_is_written_with_who_what_and_when_at_every_level(log: Log) -> None:
    log.set_up(LOG_LEVEL="CRITICAL")
    log.observer.audit(audited(dry_run=True))

    line = log.last()
    assert (line["event"], line["outcome"], line["who"]) == ("audit", "done", "admin")
    assert (line["call"], line["status"], line["asked"]) == ("POST /pause", 200, {"dry_run": True})
    assert line["at"] == "2026-11-23T10:15:00Z"
