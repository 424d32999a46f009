"""The mistakes of `make mutants` can still be planted, and the table in tests/README.md is theirs."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.mutants.mistakes import ROOT, Mistake, load, table

MISTAKES = load()


@pytest.mark.parametrize("mistake", MISTAKES, ids=lambda mistake: mistake.name)
def test_a_mistake_has_a_place_and_tests_that_are_there(mistake: Mistake) -> None:
    """A mechanism that was changed has its mistake changed too: run `make mutants` with a word of it."""
    assert (ROOT / mistake.file).read_text().count(mistake.right) == 1
    assert mistake.right != mistake.wrong
    assert mistake.tests
    for test in mistake.tests:
        file, _, name = test.partition("::")
        assert re.search(rf"def {name}\(", (ROOT / file).read_text()), test


def test_no_two_mistakes_have_one_name() -> None:
    assert len({mistake.name for mistake in MISTAKES}) == len(MISTAKES)


def test_the_table_is_that_of_the_file() -> None:
    """`python -m tests.mutants --table` prints it."""
    assert table(MISTAKES) in (ROOT / "tests" / "README.md").read_text()


def test_a_mistake_whose_place_is_gone_is_told_and_not_planted(tmp_path: Path) -> None:
    (tmp_path / "lag.py").write_text("lag = now - then\n")
    mistake = Mistake("lag is zero", "I8", "lag.py", "now - since", "0", ())
    with pytest.raises(ValueError, match="lag is zero: the text to replace occurs 0 times in lag.py"):
        mistake.plant(tmp_path)
    assert (tmp_path / "lag.py").read_text() == "lag = now - then\n"
