"""What a pipeline finds in its process: the way to the tables, and who it is."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from typing import Protocol

from service.configuration.settings import Settings
from service.events import Observer
from service.operations.pipeline.outside import Outside
from service.ports import Clock, SourceMappings


class World(Protocol):
    """Both tables, the stream and the control table, as one pipeline's settings name them."""

    @property
    def clock(self) -> Clock: ...

    async def look(self) -> Outside:
        """Raises ConfigurationError, HaltError, RetryableError."""

    def prepare(self, owner: str) -> Awaitable[None]:
        """The control table, where it is missing."""


@dataclass(frozen=True, slots=True)
class Surroundings:
    open_world: Callable[[Settings], AbstractAsyncContextManager[World]]
    open_mappings: Callable[[Settings], AbstractAsyncContextManager[SourceMappings]]
    log_of: Callable[[str], Observer]
    """One for each pipeline, by its name."""
    clock: Clock
    owner: str
    version: str
    is_admin_only: bool = False
    """Lambda replicates."""
    is_alone: bool = False
    """For one pipeline by the environment's settings: when it can't start, or fails, the process ends with it."""
