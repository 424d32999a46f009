"""Markdown as the tests of the documents need it: sections, tables, fenced blocks, links."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
_HEADING = re.compile(r"^(#+) (.+)$")
_FENCE = re.compile(r"^( *)```(\S*) ?(.*)$")


def anchor(heading: str) -> str:
    """As GitHub makes it."""
    return re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-")


@dataclass(frozen=True)
class Block:
    """A fenced block. `tag` is what follows the language on the fence's line."""

    heading: str
    language: str
    tag: str
    text: str

    @property
    def commands(self) -> list[str]:
        """Its lines, with those that end in a backslash joined, without comments and empty lines."""
        joined = self.text.replace("\\\n", " ")
        return [line.strip() for line in joined.splitlines() if line.strip() and not line.lstrip().startswith("#")]


@dataclass(frozen=True)
class Document:
    path: Path

    @property
    def text(self) -> str:
        return self.path.read_text()

    def blocks(self) -> list[Block]:
        """Every fenced block, in order."""
        return self._read()[0]

    def prose(self) -> str:
        """The text without its fenced blocks."""
        return "\n".join(line for _, line in self._read()[1])

    def headings(self) -> list[str]:
        return [found[2] for _, line in self._read()[1] if (found := _HEADING.match(line))]

    def section(self, heading: str) -> str:
        """What stands between a heading and the next one, whatever its level, without fenced blocks."""
        assert heading in self.headings(), f"{self.path.name} has no heading {heading!r}"
        return "\n".join(line for under, line in self._read()[1] if under == heading and not _HEADING.match(line))

    def table(self, heading: str) -> list[dict[str, str]]:
        """The rows of the first table below a heading, by the names of its columns."""
        lines = [line for line in self.section(heading).splitlines() if line.startswith("|")]
        assert lines, f"{self.path.name} has no table below {heading!r}"
        names, _, *rows = ([cell.strip() for cell in re.split(r"(?<!\\)\|", line.strip().strip("|"))] for line in lines)
        return [dict(zip(names, row, strict=True)) for row in rows]

    def links(self) -> list[str]:
        """The targets of all links."""
        return re.findall(r"\]\(([^)\s]+)\)", self.prose())

    def anchors(self) -> set[str]:
        """What `#…` may name here."""
        return {anchor(heading) for heading in self.headings()}

    def _read(self) -> tuple[list[Block], list[tuple[str, str]]]:
        heading, blocks, prose = "", [], []
        inside: tuple[str, str, str] | None = None
        content: list[str] = []
        for line in self.text.splitlines():
            fence = _FENCE.match(line)
            if fence and inside is None:
                inside, content = (fence[1], fence[2], fence[3].strip()), []
            elif fence and inside is not None:
                blocks.append(Block(heading, inside[1], inside[2], "\n".join(content) + "\n"))
                inside = None
            elif inside is not None:
                content.append(line.removeprefix(inside[0]))
            else:
                if found := _HEADING.match(line):
                    heading = found[2]
                prose.append((heading, line))
        return blocks, prose


README = Document(ROOT / "README.md")


def docs(name: str) -> Document:
    """A document of `docs/`, by its name without `.md`."""
    return Document(ROOT / "docs" / f"{name}.md")


def documents() -> list[Document]:
    """Every document of the project that people read."""
    found = [ROOT / f"{name}.md" for name in ("README", "CONTRIBUTING", "CHANGELOG")]
    for folder in ("benchmarks", "deploy", "docs", "schemas", "tests"):
        found += sorted((ROOT / folder).rglob("*.md"))
    return [Document(path) for path in found]


def code(cell: str) -> list[str]:
    """What stands in `backticks`."""
    return re.findall(r"`([^`]+)`", cell)


def quoted(cell: str) -> list[str]:
    """What stands in "quotes"."""
    return re.findall(r'"([^"]+)"', cell)
