"""What a pipeline speaks to."""

from __future__ import annotations

from dataclasses import dataclass

from service.model import TableDescription
from service.ports import Adapters


@dataclass(frozen=True, slots=True)
class Outside:
    """The adapters, and the tables as they were described when these were made."""

    adapters: Adapters
    source: TableDescription
    replica: TableDescription
