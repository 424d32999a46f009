"""What is written to the log, how loud, and what never is."""

from __future__ import annotations

import io
import json
import logging
import sys
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import pytest
import structlog

from api.audit import AuditEvent
from service.configuration.settings import Settings, load_settings
from service.errors import HaltError
from service.events import (
    ChangesSettled,
    CheckpointSaved,
    DeadLettered,
    GapFound,
    Halted,
    JobChanged,
    LeaseAcquired,
    LeaseLost,
    LeaseReleased,
    PageRead,
    Paused,
    Retried,
    ShardEnded,
    ShardStarted,
    StampKept,
    Warned,
    key_digest,
)
from service.model import Change, Effect, Image, ItemKey, Page, SequenceNumber, ShardId, Unreadable
from service.observability.log_observer import SUMMARY_SECONDS, LogObserver
from service.observability.log_records import LoggedStreams, record_log
from service.observability.log_setup import configure_log

SHARD = ShardId("shardId-00000001541626099285-f35f62ef")
NUMBER = SequenceNumber.parse("1100000000017454423009")
KEY = ItemKey(b'{"key":{"S":"personal"}}')
SECRET = "a value that no log may show"
CHANGE = Change(
    shard_id=SHARD,
    sequence=NUMBER,
    effect=Effect.PUT,
    key=KEY,
    image=Image(b'{"key":{"S":"personal"},"value":{"S":"%b"}}' % SECRET.encode()),
    created_at=1.0,
    size=100,
    event_name="INSERT",
)


def settings(**given: str) -> Settings:
    values = {"SOURCE_TABLE": "master-table", "REPLICA_TABLE": "replica-table", "LOG_FORMAT": "json"} | given
    return load_settings({f"DYNAMIRROR_{name}": value for name, value in values.items()})


class Log:
    """The process's log as a test reads it, with a clock that the test moves."""

    def __init__(self, capsys: pytest.CaptureFixture[str]) -> None:
        self._capsys = capsys
        self._written = ""
        self.now = 0.0
        self.observer = LogObserver(lambda: self.now)

    def set_up(self, **given: str) -> Settings:
        found = settings(**given)
        configure_log(found)
        return found

    @property
    def text(self) -> str:
        self._written += self._capsys.readouterr().err
        return self._written

    def lines(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self.text.splitlines()]

    def last(self) -> dict[str, Any]:
        return self.lines()[-1]


@pytest.fixture
def log(capsys: pytest.CaptureFixture[str]) -> Iterator[Log]:
    root = logging.getLogger()
    handlers, level = list(root.handlers), root.level
    found = Log(capsys)
    found.set_up()
    yield found
    root.handlers[:] = handlers
    root.setLevel(level)
    structlog.reset_defaults()


NEWS = [
    (ShardStarted(SHARD, "TRIM_HORIZON"), "info", "shard started"),
    (ShardEnded(SHARD), "info", "shard read to its end"),
    (LeaseAcquired("me", 3), "info", "lease acquired"),
    (LeaseLost("another has it"), "warning", "lease lost"),
    (LeaseReleased(is_clean=True), "info", "lease released"),
    (Paused(is_paused=True), "info", "paused"),
    (Paused(is_paused=False), "info", "resumed"),
    (JobChanged("snapshot", "1", "done", "5 items"), "info", "snapshot done"),
    (JobChanged("replay", "1", "failed", "trimmed"), "error", "replay failed"),
    (GapFound(SHARD, "trimmed"), "error", "gap"),
    (Halted("an answer that nobody foresaw"), "error", "failed"),
    (Warned("stamp", "The source uses it."), "warning", "The source uses it."),
    (DeadLettered("id", SHARD, NUMBER, KEY, "too large", 1), "warning", "dead letter"),
    (Retried("replica", "ThrottlingException", is_throttle=True), "warning", "retrying"),
]


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


def test_the_level_is_the_least_that_is_written(log: Log) -> None:
    log.set_up(LOG_LEVEL="ERROR")
    for event, _, _ in NEWS:
        log.observer.observe(event)

    assert {line["level"] for line in log.lines()} == {"error"}


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


def test_records_are_written_only_when_that_is_asked_for() -> None:
    assert record_log(settings()) is None


def test_records_are_written_as_json_with_their_values_at_every_level(log: Log) -> None:
    write = record_log(log.set_up(LOG_RECORDS="true", LOG_LEVEL="CRITICAL"))
    assert write is not None
    write([CHANGE, Unreadable(SHARD, None, "ODD", b'{"eventName":"ODD"}', "unknown eventName")])

    first, second = log.lines()
    assert first["record"]["eventName"] == "INSERT"
    assert first["record"]["dynamodb"]["NewImage"]["value"] == {"S": SECRET}
    assert first["record"]["dynamodb"]["SequenceNumber"] == str(NUMBER)
    assert second["record"] == {"eventName": "ODD"}


def test_in_a_text_log_a_record_is_json_too(log: Log) -> None:
    write = record_log(log.set_up(LOG_RECORDS="true", LOG_FORMAT="text"))
    assert write is not None
    write([CHANGE])

    (line,) = log.text.splitlines()
    assert json.loads(line[line.index("{") :])["dynamodb"]["Keys"] == {"key": {"S": "personal"}}


class OnePage:
    """As much of ports.Streams as is asked here."""

    async def read(self, shard_id: ShardId, iterator: str, limit: int) -> Page:
        return Page([CHANGE], [Unreadable(SHARD, None, "ODD", b'{"eventName":"ODD"}', "unknown eventName")], "next")


async def test_records_are_written_as_they_are_read_and_handed_on_unchanged(log: Log) -> None:
    write = record_log(log.set_up(LOG_RECORDS="true"))
    assert write is not None
    page = await LoggedStreams(OnePage(), write).read(SHARD, "first", 10)  # type: ignore[arg-type]  # see OnePage

    assert page.changes == [CHANGE]
    assert [line["record"]["eventName"] for line in log.lines()] == ["INSERT", "ODD"]


def test_the_format_is_json_where_standard_error_is_no_terminal(log: Log) -> None:
    configure_log(settings(LOG_FORMAT=""))
    log.observer.observe(Paused(is_paused=True))

    assert log.last()["event"] == "paused"


def test_text_is_one_line_for_an_event_without_colours_where_nobody_sees_them(log: Log) -> None:
    log.set_up(LOG_FORMAT="text")
    log.observer.observe(GapFound(SHARD, "one\ntwo"))

    (line,) = log.text.splitlines()
    assert "gap" in line
    assert "\x1b" not in line


def test_text_that_is_no_unicode_is_written_as_its_escape(log: Log) -> None:
    LogObserver().observe(Warned("odd", "half of a pair: \ud800"))
    assert log.last()["event"] == "half of a pair: \ud800"
    assert "\\ud800" in log.text.splitlines()[-1]


def test_errors_of_libraries_are_written_in_the_same_form(log: Log) -> None:
    logging.getLogger("uvicorn.error").error("it fell over: %s", "why")

    assert (log.last()["event"], log.last()["logger"]) == ("it fell over: why", "uvicorn.error")


@pytest.mark.parametrize("name", ["botocore", "aiobotocore", "asyncio", "werkzeug"])
def test_libraries_stay_silent_below_warning_since_they_would_show_items(log: Log, name: str) -> None:
    log.set_up(LOG_LEVEL="DEBUG")
    logging.getLogger(name).info(SECRET)
    logging.getLogger(name).debug(SECRET)

    assert log.text == ""


def test_our_own_loggers_follow_the_level(log: Log) -> None:
    logging.getLogger("api.middleware").debug("first")
    log.set_up(LOG_LEVEL="DEBUG")
    logging.getLogger("api.middleware").debug("second")

    assert [line["event"] for line in log.lines()] == ["second"]


def failing(error: Exception) -> None:
    raise error


def test_a_foreign_error_shows_its_place_and_never_its_text(log: Log) -> None:
    try:
        failing(ValueError(SECRET))
    except ValueError:
        logging.getLogger("asyncio").exception("a task failed")

    assert log.last()["error"] == "ValueError"
    assert "test_a_foreign_error_shows_its_place_and_never_its_text" in log.last()["where"]
    assert SECRET not in log.text
    assert len(log.lines()) == 1


@pytest.mark.parametrize(
    ("said", "written"),
    [
        (f"Task exception was never retrieved\nfuture: <Task exception=ValueError('{SECRET}')>", "never retrieved"),
        (f"Exception in callback done(<Future exception=ValueError('{SECRET}')>)", "Exception in callback done"),
        (f"Unclosed <Thing {SECRET}>", "Unclosed"),
    ],
)
def test_what_the_event_loop_says_of_a_forgotten_error_shows_no_text(log: Log, said: str, written: str) -> None:
    logging.getLogger("asyncio").error(said)

    assert log.last()["event"].endswith(written)
    assert SECRET not in log.text


def test_our_own_errors_say_what_a_person_must_do(log: Log) -> None:
    try:
        failing(HaltError("switch the stream on"))
    except HaltError:
        logging.getLogger("service").exception("halted")

    assert log.last()["error"] == "HaltError: switch the stream on"


def test_setting_up_twice_does_not_write_twice(log: Log) -> None:
    log.set_up()
    log.set_up()
    logging.getLogger("uvicorn.error").error("once")

    assert len(log.lines()) == 1


def test_a_log_that_can_not_be_written_does_no_harm(log: Log, monkeypatch: pytest.MonkeyPatch) -> None:
    closed = io.StringIO()
    closed.close()
    monkeypatch.setattr(sys, "stderr", closed)

    log.observer.observe(Paused(is_paused=True))
    logging.getLogger("uvicorn.error").error("unheard")
