"""The log's form, its level, and what is heard of libraries and of errors."""

from __future__ import annotations

import io
import logging
import sys

import pytest

from service.errors import HaltError
from service.events import (
    GapFound,
    Paused,
    Warned,
)
from service.observability.log_observer import LogObserver
from service.observability.log_setup import configure_log
from tests.support.captured_log import NEWS, SECRET, SHARD, Log, settings


def test_the_level_is_the_least_that_is_written(log: Log) -> None:
    log.set_up(LOG_LEVEL="ERROR")
    for event, _, _ in NEWS:
        log.observer.observe(event)

    assert {line["level"] for line in log.lines()} == {"error"}


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
