"""A command that waits for a job of the service: until it has ended, and not without a word while it can't move."""

from __future__ import annotations

from typing import Any

import httpx
import pytest

from service.cli.admin_client import AdminClient
from service.cli.asking import followed

RUNNING = {"id": "a", "state": "running", "error": None, "items_scanned": 1}
DONE = {**RUNNING, "state": "done"}
MOVED = {**RUNNING, "items_scanned": 2}


def ended(*jobs: dict[str, Any], paused_since: str | None) -> dict[str, Any]:
    """How the command sees it, whose polls are answered with these, one after the other."""
    answers = iter(jobs)

    def answer(request: httpx.Request) -> httpx.Response:
        if request.url.path == "/status":
            return httpx.Response(200, json={"pipeline": "orders", "paused_since": paused_since})
        return httpx.Response(200, json=next(answers))

    with AdminClient("http://mirror.example", None, transport=httpx.MockTransport(answer)) as client:
        return followed(client, "snapshot", RUNNING, poll_seconds=0)


def test_a_job_that_a_pause_holds_up_says_so_once(capsys: pytest.CaptureFixture[str]) -> None:
    assert ended(RUNNING, RUNNING, RUNNING, DONE, paused_since="2026-11-23T10:15:00Z") == DONE
    assert capsys.readouterr().err == (
        "the pipeline is paused, and the snapshot waits: `dynamirror resume` lets it go on\n"
    )


@pytest.mark.parametrize(("jobs", "paused_since"), [([RUNNING], None), ([MOVED], "2026-11-23T10:15:00Z")])
def test_one_that_moves_or_is_only_slow_says_nothing(
    jobs: list[dict[str, Any]], paused_since: str | None, capsys: pytest.CaptureFixture[str]
) -> None:
    assert ended(*jobs, DONE, paused_since=paused_since) == DONE
    assert capsys.readouterr().err == ""
