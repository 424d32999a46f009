"""The log of the records themselves, which is written only where that is asked for."""

from __future__ import annotations

import json

from service.model import Page, ShardId, Unreadable
from service.observability.log_records import LoggedStreams, record_log
from tests.support.captured_log import CHANGE, NUMBER, SECRET, SHARD, Log, settings


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
