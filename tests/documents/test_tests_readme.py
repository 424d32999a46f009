"""`tests/README.md` names tests that are there, by the words of their names."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

TESTS = Path(__file__).parents[1]
ROW = re.compile(r"^\| (?P<broken>[^|]+) \| (?P<caught>`(?:acceptance|chaos|integration|unit)/[^|]+) \|$", re.MULTILINE)
TEXT = (TESTS / "README.md").read_text()
ROWS = [(found["broken"], found["caught"]) for found in ROW.finditer(TEXT)]


def names_of(words: str) -> list[str]:
    """The parts of test names that a sentence names; `…` stands for the rest of one."""
    said = re.sub(r"['’]", "", words.lower())
    parts = re.split(r"[;…]", said)
    return [name for part in parts if (name := re.sub(r"[^a-z0-9]+", "_", part).strip("_"))]


@pytest.mark.parametrize(("broken", "caught"), ROWS, ids=[broken for broken, _ in ROWS])
def test_a_planted_mistake_is_caught_by_a_test_of_that_name(broken: str, caught: str) -> None:
    files, _, words = caught.rpartition("`: ")
    sources = [(TESTS / name).read_text() for name in re.findall(r"\w+/[\w/]+\.py", files)]
    assert sources
    for name in names_of(words):
        assert all(re.search(rf"def test_\w*{name}", source) for source in sources), f"{caught}: no test {name}"


def test_every_row_of_the_table_of_planted_mistakes_is_read() -> None:
    table = TEXT.partition("## What the nights and the installed command catch")[2]
    assert len(ROWS) == len(re.findall(r"^\| (?!broken)", table, re.MULTILINE)) > 0
