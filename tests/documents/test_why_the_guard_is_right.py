"""The page beside the guard names tests that are there, one at least for each of its cases."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
TEXT = (ROOT / "service/replication/writing/README.md").read_text()
NAMED = re.findall(r"`(tests/[\w/]+\.py)::(test_\w+)`", TEXT)
CASES = re.split(r"^(?=\d+\. )", TEXT.partition("## The cases")[2], flags=re.MULTILINE)[1:]


@pytest.mark.parametrize(("file", "name"), NAMED)
def test_a_test_that_the_page_names_is_there(file: str, name: str) -> None:
    assert re.search(rf"^(async )?def {name}\(", (ROOT / file).read_text(), re.MULTILINE)


def test_each_case_of_the_page_names_a_test() -> None:
    assert [int(case.partition(".")[0]) for case in CASES] == list(range(1, len(CASES) + 1))
    assert all("::test_" in case for case in CASES)
    assert len(NAMED) == TEXT.count("`tests/") > len(CASES) > 0
