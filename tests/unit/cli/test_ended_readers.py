"""Whoever reads what a command prints may end first, as `head` does: no defect to tell of, and no exit code."""

from __future__ import annotations

import os
import sys
from datetime import UTC, datetime

import pytest

from service.cli.job_commands import _print
from service.cli.tables import console
from service.operations.documents.jobs import JobState, Verification


def test_the_differences_of_a_verification_end_with_their_reader(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    keys = [{"kind": "missing", "key": {"pk": {"S": f"key{number}"}}} for number in range(2000)]
    at = datetime(2026, 11, 28, tzinfo=UTC)
    job = Verification(id="1", state=JobState.DONE, started_at=at, missing=2000, differing_keys=keys)
    reader, writer = os.pipe()
    os.close(reader)
    with os.fdopen(writer, "w") as output:
        monkeypatch.setattr(sys, "stdout", output)
        _print(job)


def test_so_does_what_other_commands_show(monkeypatch: pytest.MonkeyPatch) -> None:
    reader, writer = os.pipe()
    os.close(reader)
    with os.fdopen(writer, "w") as output:
        monkeypatch.setattr(sys, "stdout", output)
        page = console()
        page.print("a line")
        page.print("another one")
        assert page.quiet
