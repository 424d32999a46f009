"""The site's contents. `make site`, which the workflow runs, checks its links."""

from __future__ import annotations

import re
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
TEXT = (ROOT / "mkdocs.yml").read_text()
NAMED = re.findall(r"([\w/.-]+\.md)$", TEXT, re.MULTILINE)


def test_the_site_names_each_document_once_and_none_that_is_not_there():
    assert len(NAMED) == len(set(NAMED))
    assert [name for name in NAMED if not (ROOT / name).is_file()] == []
    assert {f"docs/{path.name}" for path in (ROOT / "docs").glob("*.md")} <= set(NAMED)
    assert {str(path.relative_to(ROOT)) for path in (ROOT / "deploy").rglob("README.md")} <= set(NAMED)


def test_the_site_asks_nothing_of_other_hosts():
    assert re.search(r"^  font: false\b", TEXT, re.MULTILINE)
    assert "http" not in TEXT
