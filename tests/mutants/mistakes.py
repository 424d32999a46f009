"""The mistakes of mistakes.toml: where each is planted, and the tests that notice it."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]


@dataclass(frozen=True)
class Mistake:
    name: str
    keeps: str
    """The mechanism that it breaks, and the promise that the mechanism keeps."""
    file: str
    right: str
    """Occurs once in the file."""
    wrong: str
    tests: tuple[str, ...]
    """As pytest takes them: `file::name`."""

    def plant(self, folder: Path) -> str:
        """Into a copy of the sources; returns the file's former text. Raises ValueError where there is no such text."""
        path = folder / self.file
        before = path.read_text()
        if before.count(self.right) != 1:
            raise ValueError(f"{self.name}: the text to replace occurs {before.count(self.right)} times in {self.file}")
        path.write_text(before.replace(self.right, self.wrong))
        return before

    @property
    def row(self) -> str:
        return f"| {self.name} | {self.keeps} | {'; '.join(map(_told, self.tests))} |"


def load() -> tuple[Mistake, ...]:
    found = tomllib.loads((Path(__file__).parent / "mistakes.toml").read_text())["mistake"]
    return tuple(Mistake(**{**each, "tests": tuple(each["tests"])}) for each in found)


def table(mistakes: Sequence[Mistake]) -> str:
    """As tests/README.md shows them."""
    return "\n".join(["| planted | breaks | caught by |", "|---|---|---|", *(each.row for each in mistakes)])


def _told(test: str) -> str:
    file, _, name = test.partition("::")
    return f"`{file.removeprefix('tests/')}`: {re.sub('_', ' ', name.removeprefix('test_'))}"
