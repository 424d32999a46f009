"""What the environment and `.env` set, and what of that can be wrong: where it is told, never what stands there."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from service.configuration.environment import ENV_FILE, PREFIX, given_settings
from service.configuration.settings import Settings, known_settings, load_settings
from service.errors import ConfigurationError
from service.health_check import main as health_check

TABLES = {"DYNAMIRROR_SOURCE_TABLE": "master-table", "DYNAMIRROR_REPLICA_TABLE": "replica-table"}
LINES = "".join(f"{name}={value}\n" for name, value in TABLES.items())
SECRET = "a-secret-of-ours"
TOKEN = f"DYNAMIRROR_ADMIN_TOKEN={SECRET}\n"


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The working directory, and an environment without any setting."""
    monkeypatch.chdir(tmp_path)
    for name in os.environ:
        if name.upper().startswith(PREFIX):
            monkeypatch.delenv(name)
    return tmp_path


def wrong() -> str:
    """The one line that says what is wrong, which is the same for the service and for who asks one."""
    with pytest.raises(ConfigurationError) as caught:
        load_settings()
    with pytest.raises(ConfigurationError) as asking:
        known_settings()
    assert str(asking.value) == str(caught.value)
    assert SECRET not in str(caught.value)
    (line,) = str(caught.value).splitlines()
    return line


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (f"{TOKEN}# caf\xe9\n".encode("latin-1"), ".env: not in UTF-8 at byte 46, in line 2; save the file as UTF-8"),
        ((TOKEN + LINES).encode("utf-16"), ".env: the file is in UTF-16; save it as UTF-8"),
        (f"{TOKEN}\n\nA=1\0\n".encode(), ".env: line 4 holds a NUL byte"),
        (f"{TOKEN}\n{SECRET} and more\n".encode(), ".env: line 3 is no assignment such as NAME=value"),
        (f"{LINES}DYNAMIRROR_ADMIN_TOKEN\n".encode(), ".env: line 3 is no assignment such as NAME=value"),
        (f'A="{SECRET}\n{LINES}'.encode(), ".env: line 1 is no assignment such as NAME=value"),
        (
            f"{TOKEN}{LINES}\nexport dynamirror_admin_token=other\n".encode(),
            ".env: line 5 sets DYNAMIRROR_ADMIN_TOKEN again, which line 1 has set",
        ),
    ],
    ids=["latin-1", "utf-16", "nul", "no assignment", "no value", "a quote without its end", "set twice"],
)
def test_what_is_wrong_with_the_env_file_is_one_line_that_shows_nothing_of_it(content: bytes, said: str) -> None:
    Path(ENV_FILE).write_bytes(content)

    assert wrong() == said


def test_a_directory_of_that_name_is_told() -> None:
    Path(ENV_FILE).mkdir()

    assert wrong() == ".env: a directory; settings are read from a file of that name"


def test_a_link_to_nowhere_is_told() -> None:
    Path(ENV_FILE).symlink_to("gone")

    assert wrong() == ".env: a link to a file that is not there"


def test_a_file_that_can_not_be_read_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    Path(ENV_FILE).symlink_to(ENV_FILE)  # whoever runs this, root too, can't read a link to itself

    assert wrong().startswith(".env: can't be read: ")


@pytest.mark.parametrize("begins", ["\ufeff", ""], ids=["a mark of an editor", "nothing"])
def test_a_file_of_another_systems_editor_is_understood(begins: str) -> None:
    Path(ENV_FILE).write_bytes((begins + LINES.replace("\n", "\r\n") + "OTHER=1\r\nOTHER=2").encode())

    assert load_settings().source_table == "master-table"


def test_a_setting_that_is_set_in_two_spellings_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DYNAMIRROR_WRITERS", "1")
    monkeypatch.setenv("dynamirror_writers", "2")

    assert "DYNAMIRROR_WRITERS: set twice in the environment" in wrong()


def test_what_is_no_text_is_told_by_its_name(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in TABLES.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setitem(os.environ, "DYNAMIRROR_STAMP_ATTRIBUTE", os.fsdecode(b"\xe9"))

    assert wrong() == "DYNAMIRROR_STAMP_ATTRIBUTE: what the environment has is no UTF-8 text"


@pytest.mark.parametrize("name", sorted(set(Settings.model_fields) - {"source_table", "replica_table"}))
@pytest.mark.parametrize("blank", ["", "  "], ids=["empty", "spaces"])
def test_a_blank_value_is_none_but_of_the_attributes_that_it_turns_off(name: str, blank: str) -> None:
    default = Settings.model_fields[name].default
    wanted = "" if name in ("stamp_attribute", "sequence_attribute") else default

    assert getattr(load_settings(TABLES | {PREFIX + name.upper(): blank}), name) == wanted


def test_a_blank_value_of_the_environment_leaves_what_the_file_says(monkeypatch: pytest.MonkeyPatch) -> None:
    Path(ENV_FILE).write_text(f"{LINES}DYNAMIRROR_WRITERS=3\n")
    monkeypatch.setenv("DYNAMIRROR_WRITERS", "")
    monkeypatch.setenv("DYNAMIRROR_STAMP_ATTRIBUTE", "")

    settings = load_settings()
    assert (settings.writers, settings.stamp_attribute) == (3, "")


def test_a_blank_table_is_not_set() -> None:
    with pytest.raises(ConfigurationError, match="DYNAMIRROR_SOURCE_TABLE: required, but not set"):
        load_settings(TABLES | {"DYNAMIRROR_SOURCE_TABLE": " "})


def test_names_count_in_any_spelling() -> None:
    assert given_settings({"dynamirror_writers": "3", "PATH": "/bin"}) == {"DYNAMIRROR_WRITERS": "3"}


def test_the_health_check_says_what_is_wrong_with_the_settings_in_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    Path(ENV_FILE).write_text("DYNAMIRROR_ADMIN_PORT=soon\n")
    assert health_check([]) == 1
    assert capsys.readouterr().out == "DYNAMIRROR_ADMIN_PORT: expected a number\n"

    Path(ENV_FILE).write_bytes(TOKEN.encode() + b"\xe9")
    assert health_check([]) == 1
    assert capsys.readouterr().out.startswith(".env: not in UTF-8 at byte ")


def test_a_blank_port_is_the_default_to_the_health_check_too(capsys: pytest.CaptureFixture[str]) -> None:
    Path(ENV_FILE).write_text("DYNAMIRROR_ADMIN_PORT=\nDYNAMIRROR_ADMIN_HOST=127.0.0.2\n")

    health_check([])
    assert "127.0.0.2, port 8080" in capsys.readouterr().out
