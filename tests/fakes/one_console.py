"""The consoles of a process that runs one pipeline."""

from __future__ import annotations

from service.operations.console import ConflictError, Console, NotFoundError
from service.operations.documents.fleet import LeftOut, Reloaded


class OneConsole:
    """Implements console.Consoles."""

    def __init__(self, console: Console, name: str) -> None:
        self._console = console
        self._name = name

    def names(self) -> list[str]:
        return [self._name]

    def of(self, name: str) -> Console:
        if name != self._name:
            raise NotFoundError(f"There is no pipeline {name!r} here; there is {self._name!r}.")
        return self._console

    def only(self) -> Console:
        return self._console

    def not_ready_reason(self) -> None:
        """It knows its pipeline."""

    def left_out(self) -> list[LeftOut]:
        return []

    async def reload(self) -> Reloaded:
        raise ConflictError(
            "There is no file to read again: this process was started without --config. Restart it to change settings."
        )
