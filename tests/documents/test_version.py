"""One version, in pyproject.toml; whatever tells it asks the installed package."""

from __future__ import annotations

import re
import tomllib
from importlib.metadata import version

from service.app import VERSION
from tests.fakes.api import FakeApi
from tests.support.markdown import ROOT, Document

PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]


def test_the_installed_package_has_the_project_s_version() -> None:
    assert version("dynamirror") == VERSION == PROJECT["version"]


def test_the_openapi_document_tells_the_version_that_the_app_was_given() -> None:
    assert FakeApi(version="7.8.9").app.openapi()["info"]["version"] == "7.8.9"


def test_the_newest_version_of_the_changelog_is_the_project_s() -> None:
    versions = [
        heading for heading in Document(ROOT / "CHANGELOG.md").headings() if re.search(r"\d+\.\d+\.\d+", heading)
    ]
    assert PROJECT["version"] in versions[0]


def test_no_code_says_the_version_by_itself() -> None:
    """But for an example of the status document."""
    said = [
        f"{path.relative_to(ROOT)}: {line.strip()}"
        for folder in ("service", "api")
        for path in sorted((ROOT / folder).rglob("*.py"))
        for line in path.read_text().splitlines()
        if PROJECT["version"] in line and "examples=" not in line
    ]
    assert not said
