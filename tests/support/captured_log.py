"""The service's log, set up as the command does it and read line by line."""

from __future__ import annotations

import json
from typing import Any

import pytest

from service.configuration.settings import Settings, load_settings
from service.events import (
    DeadLettered,
    GapFound,
    Halted,
    JobChanged,
    LeaseAcquired,
    LeaseLost,
    LeaseReleased,
    Paused,
    Retried,
    ShardEnded,
    ShardStarted,
    Warned,
)
from service.model import Change, Effect, Image, ItemKey, SequenceNumber, ShardId
from service.observability.log_observer import LogObserver
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
