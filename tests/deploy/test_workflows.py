"""The files of .github: right by their published schemas, careful with rights, and true about this repository."""

from __future__ import annotations

import re
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).resolve().parents[2]
GITHUB = ROOT / ".github"
WORKFLOWS = sorted((GITHUB / "workflows").glob("*.yml"))
SCHEMAS = {
    **dict.fromkeys(WORKFLOWS, "github-workflows"),
    **dict.fromkeys(sorted((GITHUB / "ISSUE_TEMPLATE").glob("*.yml")), "github-issue-forms"),
    GITHUB / "dependabot.yml": "dependabot",
}
_TARGET = re.compile(r"\bmake ([a-z-]+)")


def loaded(path: Path) -> dict[str, Any]:
    found: dict[str, Any] = yaml.safe_load(path.read_text())
    return found


def steps(workflow: dict[str, Any]) -> list[dict[str, Any]]:
    return [step for job in workflow["jobs"].values() for step in job["steps"]]


@pytest.mark.parametrize("path", SCHEMAS, ids=lambda path: path.name)
def test_each_file_fits_its_schema(path: Path) -> None:
    command = [sys.executable, "-m", "check_jsonschema", "--builtin-schema", f"vendor.{SCHEMAS[path]}", str(path)]
    ended = subprocess.run(command, capture_output=True, text=True, check=False)
    assert ended.returncode == 0, ended.stdout + ended.stderr


@pytest.mark.parametrize("path", WORKFLOWS, ids=lambda path: path.name)
def test_a_workflow_has_no_right_that_a_job_does_not_ask_for(path: Path) -> None:
    assert loaded(path)["permissions"] == {"contents": "read"}
    for step in steps(loaded(path)):
        if step.get("uses", "").startswith("actions/checkout@"):
            assert step["with"]["persist-credentials"] is False


@pytest.mark.parametrize("path", WORKFLOWS, ids=lambda path: path.name)
def test_every_job_ends_in_time_and_every_make_target_is_there(path: Path) -> None:
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    asked = set(_TARGET.findall(path.read_text()))
    assert asked
    assert asked <= targets
    assert all("timeout-minutes" in job for job in loaded(path)["jobs"].values())


def test_the_checks_run_on_every_python_that_the_package_names() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    named = {each.rpartition(" ")[2] for each in project["classifiers"] if re.search(r":: 3\.\d+$", each)}
    checked = set(loaded(GITHUB / "workflows" / "checks.yml")["jobs"]["checks"]["strategy"]["matrix"]["python"])
    assert named <= checked
    assert min(named, key=lambda version: int(version[2:])) == project["requires-python"].removeprefix(">=")


def test_nothing_is_published_before_the_tests_have_passed() -> None:
    jobs = loaded(GITHUB / "workflows" / "release.yml")["jobs"]

    def waits_for(job: str) -> set[str]:
        needs = jobs[job].get("needs", [])
        direct = {needs} if isinstance(needs, str) else set(needs)
        return direct.union(*(waits_for(each) for each in direct)) if direct else set()

    assert all("tests" in waits_for(job) for job in jobs if job != "tests")


def test_each_night_plays_what_takes_too_long_for_a_change() -> None:
    text = (GITHUB / "workflows" / "nightly.yml").read_text()
    ran = {step["run"].removeprefix('sudo env "PATH=$PATH" ') for step in steps(yaml.safe_load(text)) if "run" in step}
    assert {"make mutants", "make chaos", "TEST_THOROUGHLY=1 make test"} <= ran
    assert re.search(r"^on:\n  schedule:\n    - cron: .+\n  workflow_dispatch:\n", text, re.MULTILINE)


def test_the_security_policy_names_tests_that_are_there() -> None:
    named = re.findall(r"`(tests/[^`]+)`", (ROOT / "SECURITY.md").read_text())
    assert named
    assert [each for each in named if not (ROOT / each).exists()] == []
