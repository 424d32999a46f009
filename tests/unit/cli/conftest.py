"""What the command line's tests share: a shell without any setting."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from service.cli.commands import main


class Shell:
    """Runs commands in this process, in an empty folder, without any setting."""

    def __init__(self, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
        self._capsys = capsys
        self._monkeypatch = monkeypatch
        self.out = ""
        self.err = ""

    def set(self, **given: str) -> None:
        for name, value in given.items():
            self._monkeypatch.setenv(f"DYNAMIRROR_{name}", value)

    def run(self, *arguments: str) -> int:
        with pytest.raises(SystemExit) as ended:
            main(list(arguments))
        self.out, self.err = self._capsys.readouterr()
        return int(ended.value.code or 0)


@pytest.fixture
def shell(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Shell:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "200")
    for name in os.environ:
        if name.startswith(("DYNAMIRROR_", "AWS_")):
            monkeypatch.delenv(name)
    return Shell(capsys, monkeypatch)
