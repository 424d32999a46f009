"""What the image says of itself, and what is in it."""

from __future__ import annotations

import tomllib
from typing import Any

import pytest

from tests.support.container.buildah import ISOLATION, buildah, settings_of
from tests.support.container.image import ROOT, SECONDS

# The first test of a run waits for the image to be built.
pytestmark = pytest.mark.timeout(SECONDS)

PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
COMPILERS = ("gcc", "cc", "g++", "c++", "clang", "tcc", "rustc", "cargo", "go", "as", "ld", "make")


@pytest.fixture(scope="module")
def settings(image_name: str) -> dict[str, Any]:
    return settings_of(image_name)


def said_in(box: str, *command: str) -> str:
    return buildah("run", *ISOLATION, box, "--", *command)


def test_it_starts_the_command_and_ends_as_the_command_does(settings: dict[str, Any]) -> None:
    assert settings["Entrypoint"] == ["dynamirror"]
    assert settings["Cmd"] == ["run"]
    assert settings["StopSignal"] == "SIGTERM"
    assert settings["Healthcheck"]["Test"] == ["CMD", "python", "-m", "service.health_check"]
    assert list(settings["ExposedPorts"]) == ["8080/tcp"]


def test_its_user_is_a_number_and_not_root(settings: dict[str, Any], box: str) -> None:
    assert settings["User"] == "10001:10001"
    assert said_in(box, "id", "-u").strip() == "10001"
    assert said_in(box, "id", "-G").strip() == "10001"


def test_its_label_the_command_and_the_project_tell_one_version(settings: dict[str, Any], box: str) -> None:
    labels = {name.removeprefix("org.opencontainers.image."): value for name, value in settings["Labels"].items()}
    assert labels["version"] == PROJECT["version"]
    assert labels["title"] == PROJECT["name"]
    assert labels["description"] == PROJECT["description"]
    assert labels["licenses"] == PROJECT["license"]
    assert said_in(box, "dynamirror", "--version") == f"dynamirror {PROJECT['version']}"


def test_it_has_no_compiler_and_nothing_that_installs_packages_of_python(box: str) -> None:
    found = said_in(box, "sh", "-c", f"for name in {' '.join(COMPILERS)} pip; do command -v $name; done; true")
    assert found == ""
    assert said_in(box, "sh", "-c", "ls /opt; ls -d /build /own 2>/dev/null; true") == "dynamirror"


def test_its_user_can_write_nowhere_but_where_everybody_can(box: str) -> None:
    looked = said_in(box, "sh", "-c", "find / -xdev -writable ! -type l 2>/dev/null; true")
    assert set(looked.splitlines()) <= {"/tmp", "/var/tmp", "/run/lock"}


def test_all_of_it_is_compiled_so_that_no_start_does_it_again(box: str) -> None:
    for folder in ("service", "api", "pydantic", "moto/dynamodb"):
        place = f"/opt/dynamirror/lib/python3*/site-packages/{folder}"
        sources = said_in(box, "sh", "-c", f"ls {place}/*.py | wc -l")
        assert said_in(box, "sh", "-c", f"ls {place}/__pycache__/*.pyc | wc -l") == sources
