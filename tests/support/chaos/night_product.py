"""The acceptance tests' product, with what a long night needs beside it."""

from __future__ import annotations

from collections.abc import Callable

from tests.support.installed.product import Product

LOG_BYTES = 200_000


class Watched(Product):
    """Keeps the end of its log only, and tells whether the process has ended."""

    told: Callable[[bytes], object] = staticmethod(lambda line: None)
    """What a test does with each line of the log."""

    @property
    def return_code(self) -> int | None:
        """None while it runs; that of a kill is negative."""
        return None if self._process is None else self._process.returncode

    @property
    def is_running(self) -> bool:
        return self._process is not None and self._process.returncode is None

    @property
    def log_end(self) -> str:
        return self.errors[-4000:].decode(errors="replace")

    def log_of(self, word: str) -> str:
        """The log's last line with this word."""
        lines = [line for line in self.errors.decode(errors="replace").splitlines() if word in line]
        return lines[-1] if lines else self.log_end

    async def _keep_errors(self) -> None:
        assert self._process is not None
        assert self._process.stderr is not None
        while line := await self._process.stderr.readline():
            self.told(line)
            self.errors = (self.errors + line)[-LOG_BYTES:]
