"""The consoles of a process with several pipelines, and a file that a test says the errors of."""

from __future__ import annotations

from service.operations.console import Console, InvalidError, NotFoundError
from service.operations.documents.fleet import LeftOut, Reloaded
from tests.fakes.console import FakeConsole


class FakeConsoles:
    """`errors` are the file's; without any, a reload starts the pipelines of `added`."""

    def __init__(self, *names: str) -> None:
        self.consoles = {name: FakeConsole() for name in names}
        self.not_replicated: list[LeftOut] = []
        self.unknown: str | None = None
        self.errors: list[str] = []
        self.added: list[str] = []

    def names(self) -> list[str]:
        return sorted(self.consoles)

    def of(self, name: str) -> Console:
        if name not in self.consoles:
            raise NotFoundError(f"There is no pipeline {name!r}; there are {', '.join(self.names())}.")
        return self.consoles[name]

    def only(self) -> Console | None:
        (only,) = self.consoles.values() if len(self.consoles) == 1 else (None,)
        return only

    def not_ready_reason(self) -> str | None:
        return self.unknown

    def left_out(self) -> list[LeftOut]:
        return self.not_replicated

    async def reload(self) -> Reloaded:
        if self.errors:
            raise InvalidError("; ".join(self.errors), self.errors)
        self.consoles |= {name: FakeConsole() for name in self.added}
        return Reloaded(started=self.added, stopped=[], restarted=[])
