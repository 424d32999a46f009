"""Where settings come from: the environment, the .env file, and a transform's module in the working directory."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest

from service.configuration.environment import ENV_FILE
from service.configuration.settings import load_settings
from service.configuration.transform import load_transform
from service.errors import ConfigurationError
from tests.support.given_settings import TABLES, problems


def test_a_transform_is_the_named_function() -> None:
    assert load_transform("tests.unit.configuration.transforms:renamed")({"a": {"S": "1"}}) == {"b": {"S": "1"}}


class Folder:
    """A working directory with a `.env` file, and an environment without any setting."""

    def __init__(self, path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self._path = path
        self._monkeypatch = monkeypatch
        monkeypatch.chdir(path)
        monkeypatch.setattr(sys, "path", list(sys.path))
        for name in os.environ:
            if name.upper().startswith("DYNAMIRROR_"):
                monkeypatch.delenv(name)

    def file(self, text: str) -> None:
        (self._path / ENV_FILE).write_text(text)

    def module(self, name: str, text: str) -> None:
        (self._path / f"{name}.py").write_text(text)

    def set(self, name: str, value: str) -> None:
        self._monkeypatch.setenv(name, value)


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Folder:
    return Folder(tmp_path, monkeypatch)


def test_a_transform_may_lie_in_the_working_directory_beside_the_env_file(folder: Folder) -> None:
    """The installed command does not look there by itself, `python -m service` does."""
    folder.module("a_transform_of_mine", "def renamed(item):\n    return {'c': item['a']}\n")

    assert load_transform("a_transform_of_mine:renamed")({"a": {"S": "1"}}) == {"c": {"S": "1"}}


@pytest.mark.parametrize(
    "text", ["def half(", "raise RuntimeError('a secret')", "raise SystemExit('my secret')", "import no_such_thing"]
)
def test_a_transform_whose_module_is_broken_is_a_problem_of_the_settings(folder: Folder, text: str) -> None:
    name = f"a_broken_one_{len(text)}"
    folder.module(name, text)

    (problem,) = problems(TRANSFORM=f"{name}:half")
    assert problem.startswith(f"DYNAMIRROR_TRANSFORM: the module {name!r} can't be imported: ")
    assert "secret" not in problem  # what the user's code says of its own may be anything


def test_settings_come_from_the_env_file_of_the_working_directory(folder: Folder) -> None:
    folder.file("# both\nDYNAMIRROR_SOURCE_TABLE=from-file\nDYNAMIRROR_REPLICA_TABLE='other-table'\nOTHER=1\n")

    settings = load_settings()
    assert settings.source_table == "from-file"
    assert settings.replica_table == "other-table"


def test_the_environment_wins_over_the_env_file(folder: Folder) -> None:
    folder.file("DYNAMIRROR_SOURCE_TABLE=from-file\nDYNAMIRROR_REPLICA_TABLE=other-table\n")
    folder.set("DYNAMIRROR_SOURCE_TABLE", "from-environment")

    assert load_settings().source_table == "from-environment"


def test_an_unknown_name_in_the_env_file_is_an_error_too(folder: Folder) -> None:
    folder.file("DYNAMIRROR_SOURCE_TABLE=from-file\nDYNAMIRROR_REPLICA_TABLE=other-table\nDYNAMIRROR_WRITTERS=1\n")

    with pytest.raises(ConfigurationError, match="DYNAMIRROR_WRITTERS: unknown setting"):
        load_settings()


def test_a_given_environment_is_all_that_is_read(folder: Folder) -> None:
    folder.file("DYNAMIRROR_WRITERS=3\n")
    folder.set("DYNAMIRROR_MAX_ATTEMPTS", "3")

    settings = load_settings(TABLES)
    assert (settings.writers, settings.max_attempts) == (16, 10)
