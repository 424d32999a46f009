"""The commands that ask a running service, as a shell runs them."""

from __future__ import annotations

import asyncio
import json
import signal
import socket
from pathlib import Path

import pytest

from service.operations.console import ConflictError, TrimmedAlreadyError
from service.operations.documents.jobs import JobState
from tests.fakes.api import ADMIN, READ, FakeApi
from tests.fakes.console import SECRET
from tests.fakes.served_api import Serve
from tests.support.admin_shell import Shell


@pytest.fixture
def api() -> FakeApi:
    return FakeApi(admin_token=ADMIN, read_token=READ)


@pytest.fixture
async def shell(serve: Serve, api: FakeApi, tmp_path: Path) -> Shell:
    server = await serve(api)
    return Shell(tmp_path, server.url)


async def test_status_shows_what_a_person_looks_for_at_night(shell: Shell, api: FakeApi):
    api.console.add_letter("a")
    api.console.warnings = ["The replica throttles. [red]Really[/red]\x1b[2J"]
    code, out, err = await shell.run("status")
    assert (code, err) == (0, "")
    for shown in (
        "master-table--replica-table",
        "running",
        "active",
        "master-table in us-west-2",
        "1.5 s, 3 records unapplied",
        "3 of 10,000 records",
        "1.2 records/s read",
        "12 records read",
        "shardId-00000001541626099285-f35f62ef",
        "warning: The replica throttles. [red]Really[/red]",
    ):
        assert shown in out
    assert [line.split()[2] for line in out.splitlines() if line.startswith("dead letters")] == ["1:"]
    assert "\x1b" not in out


async def test_status_as_json_is_the_document(shell: Shell, api: FakeApi):
    code, out, _ = await shell.run("status", "--json")
    assert code == 0
    assert json.loads(out) == api.console.status().model_dump(mode="json")


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
async def test_status_watches_until_a_signal_and_through_an_absence_of_the_service(
    shell: Shell, api: FakeApi, number: signal.Signals
):
    process = await shell.start("status", "--json", "--watch", "--every", "0.1")
    assert process.stdout
    assert process.stderr
    first, second = [json.loads(await process.stdout.readline()) for _ in range(2)]
    assert first["state"] == second["state"] == "running"
    api.console.refusal = ConflictError("not now")
    assert (await process.stderr.readline()).decode().strip() == "not now"
    api.console.refusal = None
    while json.loads(await process.stdout.readline())["state"] != "running":
        pass
    process.send_signal(number)
    _, err = await process.communicate()
    assert process.returncode == 0
    assert "Traceback" not in err.decode()


async def test_status_watches_as_a_table(shell: Shell, api: FakeApi):
    process = await shell.start("status", "--watch", "--every", "0.1")
    while len(api.console.asked) < 3:  # noqa: ASYNC110  # the fake tells nobody
        await asyncio.sleep(0.01)
    process.send_signal(signal.SIGINT)
    out, _ = await process.communicate()
    assert process.returncode == 0
    assert "master-table--replica-table" in out.decode()


async def test_pause_and_resume_tell_the_state(shell: Shell, api: FakeApi):
    assert await shell.run("pause") == (0, "master-table--replica-table is paused\n", "")
    assert await shell.run("resume") == (0, "master-table--replica-table is running\n", "")
    api.console.reason = "the replica refuses all writes"
    told = "master-table--replica-table is running: the replica refuses all writes\n"
    assert await shell.run("resume") == (0, told, "")
    code, out, _ = await shell.run("pause", "--json")
    assert (code, json.loads(out)["state"]) == (0, "paused")


@pytest.mark.parametrize(
    ("options", "asked"),
    [
        (["--sequence-number", "1" * 22], {"sequence_number": "1" * 22}),
        (["--sequence-number", "1" * 22, "--shard-id", "s"], {"sequence_number": "1" * 22, "shard_id": "s"}),
        (["--from", "trim_horizon", "--dry-run"], {"from_": "trim_horizon", "dry_run": True}),
    ],
)
async def test_replay_asks_for_a_replay(shell: Shell, api: FakeApi, options, asked):
    code, out, err = await shell.run("replay", *options, "--json")
    assert (code, err) == (0, "")
    assert json.loads(out)["state"] == "running"
    assert asked.items() <= api.console.asked[0][1].items()


async def test_one_item_is_copied_by_its_key(shell: Shell, api: FakeApi):
    key = '{"pk": {"S": "key1"}, "sk": {"N": "42"}}'
    assert await shell.run("replicate", key) == (0, "outcome  written\n", "")
    assert api.console.asked == [("replicate", {"keys": json.loads(key)})]
    api.console.outcome = "deleted"
    assert await shell.run("replicate", key, "--json") == (0, '{"outcome": "deleted"}\n', "")
    code, out, err = await shell.run("replicate", '{"pk": "key1"}')
    assert (code, out, err.count("\n")) == (2, "", 1)
    assert "body.keys.pk" in err


async def test_replay_from_a_time_with_any_offset(shell: Shell):
    code, out, _ = await shell.run("replay", "--from-time", "2026-11-23T12:15+02:00", "--json")
    assert (code, json.loads(out)["from_time"]) == (0, "2026-11-23T10:15:00Z")


async def test_a_redrive_tells_which_letters_failed_and_why(shell: Shell, api: FakeApi):
    for letter_id in ("a", "b"):
        api.console.add_letter(letter_id)
    api.console.refused = {"b": "too large"}
    code, out, _ = await shell.run("dead-letters", "redrive", "a", "b")
    assert code == 1
    assert [line.split(maxsplit=1) for line in out.splitlines()[-1:]] == [["b", "too large"]]
    code, out, _ = await shell.run("dead-letters", "redrive", "b", "--json")
    failures = [{"id": "b", "error": "too large"}]
    assert (code, json.loads(out)) == (1, {"redriven": 0, "superseded": 0, "failed": 1, "failures": failures})


@pytest.mark.parametrize(
    ("ending", "expected"),
    [
        ({"state": JobState.DONE, "redriven": 1234}, 0),
        ({"state": JobState.DONE, "redriven": 1234, "failed": 1}, 1),
        ({"state": JobState.CANCELLED, "redriven": 1234}, 1),
        ({"redriven": 1234, "error": "interrupted"}, 1),
    ],
)
async def test_a_redrive_that_takes_long_is_waited_for(shell: Shell, api: FakeApi, ending, expected):
    api.console.held = asyncio.Event()
    process = await shell.start("dead-letters", "redrive", "--all")
    while not api.console.jobs_begun:  # noqa: ASYNC110  # the fake tells nobody
        await asyncio.sleep(0.01)
    ((job_id, job),) = api.console.jobs_begun.items()
    api.console.jobs_begun[job_id] = job.model_copy(update=ending)
    out, _ = await process.communicate()
    assert (process.returncode, "1,234" in out.decode()) == (expected, True)


async def test_a_replay_that_its_failed_pipeline_holds_up_is_not_waited_for(shell: Shell, api: FakeApi):
    process = await shell.start("replay", "--from", "trim_horizon", "--wait")
    while not api.console.jobs_begun:  # noqa: ASYNC110  # the fake tells nobody
        await asyncio.sleep(0.01)
    ((job_id, job),) = api.console.jobs_begun.items()
    api.console.jobs_begun[job_id] = job.model_copy(update={"error": "interrupted, since the pipeline has failed"})
    out, _ = await process.communicate()
    assert (process.returncode, "interrupted" in out.decode()) == (1, True)


@pytest.mark.parametrize(("state", "expected"), [(JobState.DONE, 0), (JobState.FAILED, 1)])
async def test_replay_waits_for_its_end_and_tells_it(shell: Shell, api: FakeApi, state, expected):
    process = await shell.start("replay", "--from", "trim_horizon", "--wait")
    while not api.console.jobs_begun:  # noqa: ASYNC110  # the fake tells nobody
        await asyncio.sleep(0.01)
    ((job_id, job),) = api.console.jobs_begun.items()
    api.console.jobs_begun[job_id] = job.model_copy(update={"state": state, "records_read": 1234})
    out, _ = await process.communicate()
    assert process.returncode == expected
    assert "1,234" in out.decode()


async def test_dead_letters_lists_pages_shows_redrives_and_discards(shell: Shell, api: FakeApi):
    for letter_id in ("a", "b", "c/d"):
        api.console.add_letter(letter_id)
    code, out, err = await shell.run("dead-letters", "--limit", "2")
    assert code == 0
    assert "over DynamoDB's limit" in out
    assert SECRET not in out
    assert "--cursor b" in err
    assert "c/d" in (await shell.run("dead-letters", "--cursor", "b"))[1]
    assert SECRET in (await shell.run("dead-letters", "show", "a"))[1]
    code, out, _ = await shell.run("dead-letters", "redrive", "a", "--json")
    assert (code, json.loads(out)) == (0, {"redriven": 1, "superseded": 0, "failed": 0})
    assert json.loads((await shell.run("dead-letters", "--json", "show", "b"))[1])["id"] == "b"
    assert await shell.run("dead-letters", "discard", "b", "--yes") == (0, "discarded b\n", "")
    api.console.add_letter("d")
    assert await shell.run("dead-letters", "discard", "d", "--yes", "--json") == (0, '{"discarded": ["d"]}\n', "")
    assert (await shell.run("dead-letters", "redrive", "--all"))[0] == 0
    assert json.loads((await shell.run("dead-letters", "--json"))[1]) == {"items": [], "cursor": None}


async def test_a_long_cursor_stays_on_one_line(shell: Shell, api: FakeApi):
    for letter_id in ("b" * 150, "c"):
        api.console.add_letter(letter_id)
    _, _, err = await shell.run("dead-letters", "--limit", "1")
    assert f"--cursor {'b' * 150}\n" in err


async def test_a_wrong_token_is_one_line_that_says_what_to_set(shell: Shell):
    shell.token = "wrong"
    code, out, err = await shell.run("status")
    assert (code, out, err.count("\n")) == (1, "", 1)
    assert "DYNAMIRROR_ADMIN_TOKEN" in err


async def test_the_read_token_reads_and_a_change_with_it_is_refused_in_one_line(shell: Shell):
    shell.token = None
    shell.extra = {"DYNAMIRROR_READ_TOKEN": READ}
    assert (await shell.run("status"))[0] == 0
    code, _, err = await shell.run("pause")
    assert (code, err.count("\n")) == (1, 1)
    assert "for reading" in err


async def test_a_service_that_is_not_there_is_one_line(tmp_path: Path):
    with socket.create_server(("127.0.0.1", 0)) as nobody:
        port = nobody.getsockname()[1]
    code, out, err = await Shell(tmp_path, f"http://127.0.0.1:{port}").run("status")
    assert (code, out, err.count("\n")) == (1, "", 1)
    assert f"Nothing answers at http://127.0.0.1:{port}" in err


@pytest.mark.parametrize("url", ["nonsense", "ftp://127.0.0.1", "http://"])
async def test_a_url_that_is_none_is_one_line_and_a_wrong_usage(tmp_path: Path, url):
    code, _, err = await Shell(tmp_path, url).run("status")
    assert (code, err.count("\n")) == (2, 1)
    assert "is not a URL" in err


async def test_another_server_than_dynamirror_is_told_as_such(tmp_path: Path):
    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\nConnection: close\r\n\r\n<p>x")
        writer.close()
        await writer.wait_closed()

    async with await asyncio.start_server(answer, "127.0.0.1", 0) as server:
        port = server.sockets[0].getsockname()[1]
        code, _, err = await Shell(tmp_path, f"http://127.0.0.1:{port}").run("status")
    assert (code, err.count("\n")) == (1, 1)
    assert "is not dynamirror's admin API" in err


async def test_what_the_service_refuses_is_told_in_its_words(shell: Shell, api: FakeApi):
    api.console.refusal = TrimmedAlreadyError("That is trimmed; the oldest that is left is 5.", oldest="5")
    assert await shell.run("replay", "--from", "trim_horizon") == (1, "", f"{api.console.refusal}\n")


@pytest.mark.parametrize(
    "arguments",
    [
        ["replay"],
        ["replay", "--from", "latest"],
        ["replay", "--from", "trim_horizon", "--sequence-number", "1"],
        ["replay", "--from", "trim_horizon", "--shard-id", "s"],
        ["replay", "--from-time", "yesterday"],
        ["replicate"],
        ["replicate", "key1"],
        ["dead-letters", "redrive"],
        ["dead-letters", "redrive", "a", "--all"],
        ["dead-letters", "discard"],
        ["dead-letters", "discard", "a"],
        ["dead-letters", "--limit", "0"],
        ["status", "--watch", "--every", "0"],
        ["status", "--nothing"],
    ],
)
async def test_a_command_that_makes_no_sense_is_exit_code_2(tmp_path: Path, arguments):
    code, out, err = await Shell(tmp_path).run(*arguments)
    assert (code, out) == (2, "")
    assert "Traceback" not in err


async def test_the_url_and_token_come_from_the_service_s_own_settings(shell: Shell):
    port = str(shell.url).rpartition(":")[2]
    shell.url, shell.token = None, None
    lines = ["DYNAMIRROR_ADMIN_HOST=0.0.0.0", f"DYNAMIRROR_ADMIN_PORT={port}", f"DYNAMIRROR_ADMIN_TOKEN={ADMIN}"]
    (shell.folder / ".env").write_text("\n".join(lines))
    assert (await shell.run("status"))[0] == 0


async def test_a_proxy_of_the_environment_is_not_asked_for_loopback(shell: Shell):
    shell.extra = {"HTTP_PROXY": "http://127.0.0.1:9", "ALL_PROXY": "http://127.0.0.1:9"}
    assert (await shell.run("status"))[0] == 0
