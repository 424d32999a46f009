"""The log, for the tests here."""

from __future__ import annotations

import logging
from collections.abc import Iterator

import pytest
import structlog

from tests.support.captured_log import Log


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
