"""What the command line tells of itself: its help, in plain words, and its completion."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import pytest
import typer.main

from service.cli.commands import app
from tests.unit.cli.conftest import Shell


def commands() -> list[tuple[str, ...]]:
    """Every command, and every group of some, by its words."""

    def walk(words: tuple[str, ...], command: Any) -> Iterator[tuple[str, ...]]:
        yield words
        for name, inner in getattr(command, "commands", {}).items():
            yield from walk((*words, name), inner)

    return list(walk((), typer.main.get_command(app)))


@pytest.mark.parametrize("words", commands(), ids=" ".join)
def test_the_help_names_values_by_words_of_a_person(shell: Shell, words: tuple[str, ...]) -> None:
    assert shell.run(*words, "--help") == 0
    assert f"Usage: {' '.join(('dynamirror', *words))} " in shell.out
    assert not re.search(r"<[a-z ]+>|\[\[|\bTEXT\b|\bFLOAT\b|\bINTEGER\b|\bBOOL", shell.out)


def test_on_80_columns_no_command_s_line_is_cut(shell: Shell, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    for words in ((), ("dead-letters",)):
        assert shell.run(*words, "--help") == 0
        assert "..." not in shell.out.partition("Commands:")[2]


@pytest.mark.parametrize(
    ("typed", "offered"),
    [
        ("dynamirror rep", ["replay", "replicate"]),
        ("dynamirror replay --from-", ["--from-time"]),
        ("dynamirror dead-letters re", ["redrive"]),
    ],
)
def test_a_shell_completes_commands_and_options(
    shell: Shell, monkeypatch: pytest.MonkeyPatch, typed: str, offered: list[str]
) -> None:
    monkeypatch.setenv("_DYNAMIRROR_COMPLETE", "complete_bash")
    monkeypatch.setenv("COMP_WORDS", typed)
    monkeypatch.setenv("COMP_CWORD", str(typed.count(" ")))
    assert shell.run() == 0
    assert shell.out.split() == offered


@pytest.mark.parametrize(("name", "action"), [("zsh", None), ("fish", "get-args")])
def test_zsh_and_fish_are_offered_a_command_with_what_it_does(
    shell: Shell, monkeypatch: pytest.MonkeyPatch, name: str, action: str | None
) -> None:
    monkeypatch.setenv("_DYNAMIRROR_COMPLETE", f"complete_{name}")
    monkeypatch.setenv("_TYPER_COMPLETE_ARGS", "dynamirror ver")
    if action is not None:
        monkeypatch.setenv("_TYPER_COMPLETE_FISH_ACTION", action)
    assert shell.run() == 0
    assert "verify" in shell.out
    assert "Compare source and replica item by item." in shell.out
    assert "version" not in shell.out


@pytest.mark.parametrize(
    ("name", "last"),
    [
        ("bash", "complete -o default -F _dynamirror_completion dynamirror"),
        ("zsh", "compdef _dynamirror_completion dynamirror"),
        ("fish", 'complete --command dynamirror --no-files --arguments "'),
    ],
)
def test_the_completion_is_shown_for_who_installs_it_by_hand(
    shell: Shell, monkeypatch: pytest.MonkeyPatch, name: str, last: str
) -> None:
    monkeypatch.setenv("_TYPER_COMPLETE_TEST_DISABLE_SHELL_DETECTION", "1")
    assert shell.run("--show-completion", name) == 0
    assert last in shell.out.rstrip().splitlines()[-1]
