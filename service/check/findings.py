"""What a check found: a line for each thing that was looked at."""

from __future__ import annotations

import enum
from dataclasses import asdict, dataclass, field
from typing import Any


class Outcome(enum.StrEnum):
    RIGHT = "right"
    WARNING = "warning"
    """It works, and somebody should know."""
    PROBLEM = "problem"
    """The service would not start, or would stop at it."""
    NOT_ASKED = "not_asked"
    """It can't be told without changing something, or without what a problem above keeps away."""


@dataclass(frozen=True, slots=True)
class Finding:
    topic: str
    """`source`, `replica`, …: what it is about."""
    name: str
    outcome: Outcome
    text: str
    """For a person; a problem's text ends with what mends it."""


@dataclass(frozen=True, slots=True)
class FirstStart:
    """What a start would do now. Units are those of DynamoDB's billing, None where nothing is copied."""

    text: str
    items: int | None = None
    read_units: int | None = None
    write_units: int | None = None


@dataclass(slots=True)
class Findings:
    """All of one pipeline's, in the order in which they were looked at."""

    pipeline: str
    found: list[Finding] = field(default_factory=list)
    first_start: FirstStart | None = None

    def add(self, topic: str, name: str, outcome: Outcome, text: str) -> None:
        self.found.append(Finding(topic, name, outcome, text))

    @property
    def is_right(self) -> bool:
        """A start would come to replicate, as far as can be told."""
        return not any(finding.outcome is Outcome.PROBLEM for finding in self.found)

    def document(self) -> dict[str, Any]:
        """As JSON has it."""
        return {
            "pipeline": self.pipeline,
            "is_right": self.is_right,
            "findings": [asdict(finding) for finding in self.found],
            "first_start": asdict(self.first_start) if self.first_start else None,
        }
