"""The log: one line for what is news to a person, on standard error.

Text for a terminal, JSON for machines. No line carries an item's value, at any level; a key is shown as its digest,
and as itself only at DEBUG. The one exception is service.observability.log_records, which
DYNAMIRROR_LOG_RECORDS asks for. Lines are written at once, in the event loop: they are few.
"""

from __future__ import annotations

import json
import logging
import re
import sys
import traceback
from typing import TextIO

import orjson
import structlog
from structlog.typing import EventDict, FilteringBoundLogger, Processor, WrappedLogger

from service.configuration.settings import LogFormat, ProcessSettings
from service.errors import DynamirrorError

OWN_LOGGERS = ("service", "api")
"""Only these follow DYNAMIRROR_LOG_LEVEL. The SDK's loggers show requests and so items below WARNING."""


def log_format_of(settings: ProcessSettings, stream: TextIO) -> LogFormat:
    return settings.log_format or (LogFormat.TEXT if stream.isatty() else LogFormat.JSON)


def configure_log(settings: ProcessSettings) -> None:
    """Set up this process's log, the standard library's included. May be repeated: the last one counts."""
    level = logging.getLevelNamesMapping()[settings.log_level]
    is_json = log_format_of(settings, sys.stderr) is LogFormat.JSON
    before: list[Processor] = [
        structlog.stdlib.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        _failure,
    ]
    renderer: Processor = _json if is_json else structlog.dev.ConsoleRenderer(colors=sys.stderr.isatty())
    structlog.configure(
        processors=[*before, renderer],
        wrapper_class=structlog.make_filtering_bound_logger(level),
        logger_factory=lambda *_: _StandardError(),
        cache_logger_on_first_use=False,
    )
    _adopt_standard_library(level, before, renderer)


def _adopt_standard_library(level: int, before: list[Processor], renderer: Processor) -> None:
    """Loggers of libraries write the same lines to the same place."""
    lines = _StandardErrorLines()
    lines.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=[structlog.stdlib.add_logger_name, _event_loop_line, *before],
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, renderer],
        )
    )
    root = logging.getLogger()
    for old in [each for each in root.handlers if isinstance(each, _StandardErrorLines)]:
        root.removeHandler(old)
    root.addHandler(lines)
    root.setLevel(max(level, logging.WARNING))
    for name in OWN_LOGGERS:
        logging.getLogger(name).setLevel(level)


class _StandardError:
    """What structlog writes to: standard error as it is now, since a live display puts itself before it.

    A log that can't be written must not end the replication.
    """

    def msg(self, line: str) -> None:
        try:
            sys.stderr.write(line + "\n")
            sys.stderr.flush()
        except (OSError, ValueError):  # a closed pipe, a closed file
            return

    debug = info = warning = error = critical = msg


class _StandardErrorLines(logging.Handler):
    def emit(self, record: logging.LogRecord) -> None:
        _StandardError().msg(self.format(record))


def _json(_: WrappedLogger, __: str, event: EventDict) -> str:
    first = {name: event.pop(name) for name in ("timestamp", "level", "event") if name in event}
    try:
        return orjson.dumps({**first, **event}, default=str, option=orjson.OPT_NON_STR_KEYS).decode()
    except TypeError:  # text that is no Unicode, which must not end the replication
        return json.dumps({**first, **event}, default=str)


def _event_loop_line(_: WrappedLogger, __: str, event: EventDict) -> EventDict:
    """What asyncio says of an error that nobody took, without the arguments and the texts that follow."""
    if event.get("logger") == "asyncio":
        event["event"] = re.split(r"[<(\n]", str(event["event"]), maxsplit=1)[0].strip()
    return event


def _failure(_: WrappedLogger, __: str, event: EventDict) -> EventDict:
    """An exception as its place and its class. Its text only where it is our own: another's may hold item values."""
    given = event.pop("exc_info", None)
    if not given:
        return event
    error = given if isinstance(given, BaseException) else (given[1] if isinstance(given, tuple) else sys.exc_info()[1])
    if error is None:
        return event
    event["error"] = f"{type(error).__name__}: {error}" if isinstance(error, DynamirrorError) else type(error).__name__
    frames = traceback.extract_tb(error.__traceback__)
    event["where"] = " < ".join(f"{frame.name} ({frame.filename}:{frame.lineno})" for frame in reversed(frames))
    return event


def logger() -> FilteringBoundLogger:
    """A logger that follows `configure_log`, whenever that is called."""
    found: FilteringBoundLogger = structlog.get_logger()
    return found


def unfiltered_logger() -> FilteringBoundLogger:
    """For what must be written at every level: the audit, and records if they are asked for."""
    found: FilteringBoundLogger = structlog.wrap_logger(
        None, wrapper_class=structlog.make_filtering_bound_logger(logging.NOTSET)
    )
    return found
