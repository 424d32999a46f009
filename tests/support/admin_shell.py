"""The commands that ask a running service, run as a shell runs them: in a process, with an environment of their own."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from tests.fakes.api import ADMIN
from tests.support.installed.loaded import LOADED, Process, launched

REPOSITORY = Path(__file__).parents[2]


@dataclass
class Shell:
    """Runs a command in an empty folder, with only the environment that is given."""

    folder: Path
    url: str | None = None
    token: str | None = ADMIN
    extra: dict[str, str] | None = None

    async def start(self, *arguments: str) -> Process:
        environment = {"PYTHONPATH": str(REPOSITORY), "NO_COLOR": "1"} | (self.extra or {})
        if self.token is not None:
            environment["DYNAMIRROR_ADMIN_TOKEN"] = self.token
        if self.url is not None:
            arguments = (*arguments, "--url", self.url)
        return await launched(LOADED, arguments, environment, str(self.folder))

    async def run(self, *arguments: str) -> tuple[int, str, str]:
        """Exit code, standard output, standard error."""
        process = await self.start(*arguments)
        out, err = await process.communicate()
        assert process.returncode is not None
        return process.returncode, out.decode(), err.decode()
