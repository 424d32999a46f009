"""The command line: its commands, its exit codes, and one clear line for what went wrong."""

from __future__ import annotations

import asyncio
import errno
import io
import re
import subprocess
import sys
import time
from pathlib import Path

import pytest
from rich.console import Console

from service.cli.commands import tell
from service.cli.progress_bar import JobBar
from service.configuration.settings import load_settings
from service.errors import ConfigurationError, HaltError
from tests.unit.cli.conftest import Shell

COMMANDS = (
    *("run", "check", "demo", "migrate", "snapshot", "verify", "status", "pause", "resume"),
    *("replay", "replicate", "jobs", "cancel", "dead-letters"),
)


def test_the_version_is_told(shell: Shell) -> None:
    assert shell.run("--version") == 0
    assert shell.out.startswith("dynamirror ")


def test_help_names_every_command_of_the_contract(shell: Shell) -> None:
    assert shell.run("--help") == 0
    for command in COMMANDS:
        assert f" {command} " in shell.out


@pytest.mark.parametrize(
    "arguments",
    [
        [],
        ["nonsense"],
        ["run", "--nonsense"],
        ["verify", "--sample", "3"],
        ["verify", "--sample", "0"],
        ["verify", "--settle-seconds", "-1"],
        ["verify", "--settle-seconds", "inf"],
        ["status", "--watch", "--every", "inf"],
        ["status", "--watch", "--every", "nan"],
        ["demo", "--seconds", "soon"],
        ["demo", "--seconds", "nan"],
        ["migrate", "extra"],
    ],
)
def test_a_wrong_usage_is_exit_code_2(shell: Shell, arguments: list[str]) -> None:
    assert shell.run(*arguments) == 2


@pytest.mark.parametrize("sample", ["0", "nan"])
def test_a_sample_of_nothing_is_refused_rather_than_found_equal(shell: Shell, sample: str) -> None:
    assert shell.run("verify", "--sample", sample, "--url", "http://127.0.0.1:1") == 2
    assert "above 0, at most 1" in shell.err


@pytest.mark.parametrize("command", ["run", "migrate", "snapshot", "verify"])
def test_bad_settings_are_exit_code_2_and_a_line_each(shell: Shell, command: str) -> None:
    shell.set(WRITERS="0", SUORCE_TABLE="x")

    assert shell.run(command) == 2
    assert shell.err.splitlines() == [
        "dynamirror: DYNAMIRROR_SUORCE_TABLE: unknown setting (did you mean DYNAMIRROR_SOURCE_TABLE?)",
        "dynamirror: DYNAMIRROR_SOURCE_TABLE: required, but not set",
        "dynamirror: DYNAMIRROR_REPLICA_TABLE: required, but not set",
        "dynamirror: DYNAMIRROR_WRITERS: Input should be greater than or equal to 1",
    ]
    assert shell.out == ""


ASKING = [
    ["status"],
    ["pause"],
    ["resume"],
    ["replay", "--from", "trim_horizon"],
    ["dead-letters"],
    ["dead-letters", "show", "x"],
    ["dead-letters", "redrive", "--all"],
    ["dead-letters", "discard", "x", "--yes"],
    ["snapshot", "--url", "http://127.0.0.1:9"],
    ["verify", "--url", "http://127.0.0.1:9"],
]


@pytest.mark.parametrize("arguments", ASKING, ids=" ".join)
def test_a_misspelled_setting_is_exit_code_2_for_who_asks_a_service_too(shell: Shell, arguments: list[str]) -> None:
    shell.set(ADMIN_TOKN="a-secret")

    assert shell.run(*arguments) == 2
    assert shell.err.splitlines() == [
        "dynamirror: DYNAMIRROR_ADMIN_TOKN: unknown setting (did you mean DYNAMIRROR_ADMIN_TOKEN?)"
    ]


@pytest.mark.parametrize("command", ["run", "migrate", "snapshot", "verify", "status"])
def test_an_env_file_that_is_not_utf_8_is_exit_code_2_and_one_line(shell: Shell, command: str) -> None:
    Path(".env").write_bytes("DYNAMIRROR_ADMIN_TOKEN=a-secret\n# caf\xe9\n".encode("latin-1"))

    assert shell.run(command) == 2
    (said,) = shell.err.splitlines()
    assert said.startswith("dynamirror: .env: not in UTF-8 at byte ")
    assert "a-secret" not in said + shell.out


def test_a_token_that_no_header_can_carry_is_exit_code_2_and_not_shown(shell: Shell) -> None:
    shell.set(ADMIN_TOKEN="open\nsesame")

    assert shell.run("status") == 2
    (said,) = shell.err.splitlines()
    assert said.startswith("dynamirror: DYNAMIRROR_ADMIN_TOKEN: expected visible ASCII characters")


@pytest.mark.parametrize("command", ["snapshot", "verify"])
def test_a_service_that_is_not_there_is_exit_code_1_and_one_line(shell: Shell, command: str) -> None:
    assert shell.run(command, "--url", "http://127.0.0.1:9") == 1
    (said,) = shell.err.splitlines()
    assert "Nothing answers at http://127.0.0.1:9" in said


def test_the_error_that_counts_among_those_of_several_tasks_is_told(capsys: pytest.CaptureFixture[str]) -> None:
    halted = ExceptionGroup("tasks", [OSError("closed"), ExceptionGroup("inner", [HaltError("switch the stream on")])])
    assert tell(halted) == 1
    assert capsys.readouterr().err == "dynamirror: switch the stream on\n"
    assert tell(ExceptionGroup("tasks", [ConfigurationError("one\ntwo")])) == 2
    assert capsys.readouterr().err == "dynamirror: one\ndynamirror: two\n"


def test_a_defect_is_one_line_of_kind_and_place_without_its_text(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(AttributeError) as caught:
        load_settings(7)  # type: ignore[arg-type]  # a defect, as it were
    caught.value.args = ("a-secret\nof two lines",)

    assert tell(BaseExceptionGroup("tasks", [caught.value])) == 1
    (said,) = capsys.readouterr().err.splitlines()
    assert re.fullmatch(
        r"dynamirror: an unexpected error, which is a defect: AttributeError at service/[\w/]+\.py:\d+", said
    )


def test_a_full_disk_behind_the_output_is_no_defect(capsys: pytest.CaptureFixture[str]) -> None:
    assert tell(OSError(errno.ENOSPC, "No space left on device")) == 1
    assert capsys.readouterr().err == (
        "dynamirror: the output can't be written: No space left on device; give it another place\n"
    )


def test_what_no_one_catches_shows_no_text_either() -> None:
    program = (
        "import sys, threading\n"
        "from service.defects import hide_texts\n"
        "hide_texts()\n"
        "class Late:\n    def __del__(self): raise ValueError('a-secret')\n"
        "def fail(): raise ValueError('a-secret')\n"
        "Late()\nthreading.Thread(target=fail).start()\nfail()\n"
    )
    ran = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)

    assert ran.returncode == 1
    assert ran.stderr.count("an unexpected error, which is a defect: ValueError at ") == 3
    assert "a-secret" not in ran.stderr


@pytest.mark.parametrize(
    "error", [asyncio.CancelledError("a-secret"), BaseExceptionGroup("two", [GeneratorExit("a-secret")])]
)
def test_no_error_leaves_the_command_with_its_traceback(
    shell: Shell, error: BaseException, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(config: None, name: None) -> None:
        raise error

    monkeypatch.setattr("service.cli.job_commands.one_pipeline", fail)
    assert shell.run("snapshot") == 1
    (said,) = shell.err.splitlines()
    assert "a-secret" not in said


def test_without_a_terminal_the_progress_of_a_job_is_no_bar() -> None:
    written = io.StringIO()
    with JobBar("verify", Console(file=written, force_terminal=False)) as bar:
        bar.show(1, 10, "1 item compared")

    assert written.getvalue() == ""


def test_on_a_terminal_a_bar_shows_the_counts() -> None:
    written = io.StringIO()
    with JobBar("verify", Console(file=written, force_terminal=True, width=120)) as bar:
        bar.show(5, 10, "5 items compared")

    assert "5 items compared" in written.getvalue()
    assert "50%" in written.getvalue()


def test_the_last_line_tells_the_last_counts() -> None:
    """Not `0 differ` above the result that 3 do."""
    written = io.StringIO()
    with JobBar("verify", Console(file=written, force_terminal=False), line_seconds=0) as bar:
        bar.show(1, 10, "1 compared, 0 differ")
        bar.show(10, 10, "10 compared, 3 differ", is_over=True, is_good=False)

    assert written.getvalue().splitlines() == ["verify: 1 compared, 0 differ", "verify: 10 compared, 3 differ"]


def test_a_job_that_is_over_at_once_needs_no_line() -> None:
    written = io.StringIO()
    with JobBar("verify", Console(file=written, force_terminal=False)) as bar:
        bar.show(10, 10, "10 compared, 3 differ", is_over=True, is_good=False)

    assert written.getvalue() == ""


@pytest.mark.parametrize(("estimated", "is_told"), [(40, True), (1, False), (0, False)])
def test_an_estimate_that_is_passed_already_gives_no_percentage(estimated: int, is_told: bool) -> None:
    written = io.StringIO()
    with JobBar("snapshot", Console(file=written, force_terminal=True, color_system=None, width=120)) as bar:
        bar.show(10, estimated, "10 scanned")

    assert ("25%" in written.getvalue()) == is_told
    assert "100%" not in written.getvalue()


@pytest.mark.parametrize("is_good", [True, False])
def test_the_bar_of_a_verification_that_found_differences_is_not_green(is_good: bool) -> None:
    written = io.StringIO()
    with JobBar("verify", Console(file=written, force_terminal=True, color_system="standard", width=120)) as bar:
        bar.show(10, 10, "10 compared, 3 differ", is_over=True, is_good=is_good)

    assert ("\x1b[33m\N{BOX DRAWINGS HEAVY HORIZONTAL}" in written.getvalue()) == (not is_good)
    assert "100%" in written.getvalue()


def test_on_a_terminal_of_80_columns_a_bar_shows_the_rate_and_the_time_that_is_left() -> None:
    written = io.StringIO()
    with JobBar("snapshot", Console(file=written, force_terminal=True, color_system=None, width=80)) as bar:
        for scanned in (100_000, 100_010, 100_020):
            bar.show(scanned, 1_000_000, f"{scanned} scanned, {scanned} written")
            time.sleep(0.02)

    assert re.search(r"10% 100020 scanned, 100020 written [\d,]+/s [\d:]+ left", written.getvalue())
