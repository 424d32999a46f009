"""A discard can't be undone: a person is asked, and a script says that it is sure."""

from __future__ import annotations

import io

import pytest

from tests.unit.cli.conftest import Shell

NOWHERE = ("--url", "http://127.0.0.1:9")


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.mark.parametrize(
    ("typed", "code", "said"),
    [("y\n", 1, "Nothing answers"), ("n\n", 1, "nothing was discarded"), ("\n", 1, "nothing was discarded")],
)
def test_a_person_is_asked(shell: Shell, monkeypatch: pytest.MonkeyPatch, typed: str, code: int, said: str) -> None:
    monkeypatch.setattr("sys.stdin", Terminal(typed))
    assert shell.run("dead-letters", "discard", "a", "b", *NOWHERE) == code
    assert "Discard 2 dead letters for good? [y/N]" in shell.err
    assert said in shell.err
    assert shell.out.strip() == ""  # click writes a space there


def test_where_nobody_can_be_asked_yes_is_said_beforehand(shell: Shell, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.stdin", io.StringIO("y\n"))
    assert shell.run("dead-letters", "discard", "a", *NOWHERE) == 2
    assert "say --yes" in shell.err
    assert shell.run("dead-letters", "discard", "a", "--yes", *NOWHERE) == 1
    assert "Nothing answers" in shell.err
