"""The log, for the tests here."""

from __future__ import annotations

import logging
from collections.abc import Iterator

import pytest
import structlog

from service.observability.log_setup import OWN_LOGGERS
from tests.support.captured_log import Log


@pytest.fixture
def log(capsys: pytest.CaptureFixture[str]) -> Iterator[Log]:
    root = logging.getLogger()
    handlers = list(root.handlers)
    loggers = [root, *map(logging.getLogger, OWN_LOGGERS)]
    levels = [logger.level for logger in loggers]
    found = Log(capsys)
    found.set_up()
    yield found
    root.handlers[:] = handlers
    for logger, level in zip(loggers, levels, strict=True):
        logger.setLevel(level)
    structlog.reset_defaults()
