"""A command that an answer advises, as it can be typed: it asks the same pipeline of the same service."""

from __future__ import annotations

import shlex
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Advised:
    """How the answer was asked for."""

    url: str | None = None
    """None: as the settings say, where another command finds it too."""
    pipeline: str | None = None

    def command(self, words: str, pipeline: str | None = None) -> str:
        """`pipeline`: where each line of the answer is of another one."""
        options = {"--url": self.url, "--pipeline": pipeline or self.pipeline}
        given = "".join(f" {name} {shlex.quote(value)}" for name, value in options.items() if value is not None)
        return f"`dynamirror {words}{given}`"

    def page(self, name: str) -> str:
        """A page of the service that was asked."""
        return f"{self.url}/{name}" if self.url else f"docs/{name}.md, or the service's page /{name}"


PLAIN = Advised()
"""Where the settings say, and of the only pipeline there."""
