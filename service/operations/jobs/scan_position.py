"""From where a job goes on that scans tables, a snapshot or a verification: saved with its counts, page by page."""

from __future__ import annotations

import base64
from collections.abc import Mapping
from typing import Any

from service.model import ItemKey

SEGMENTS = 8


class ScanPosition:
    """Where each segment goes on: `at` its next start key, `finished` when there is none. JSON both ways."""

    def __init__(self, saved: Mapping[str, Any]) -> None:
        self.segments: int = saved.get("segments", SEGMENTS)
        self.removes_extra: bool = saved.get("removes_extra", False)
        self.kept: int = saved.get("kept", 0)
        """Items that the source lacks and an archive keeps."""
        self.shape_fingerprint: str | None = saved.get("shape_fingerprint")
        """The settings under which the whole job runs, if it brings every item to their shape."""
        self._at: dict[str, str] = dict(saved.get("at", {}))
        self._finished: set[str] = set(saved.get("finished", ()))

    def saved(self) -> dict[str, Any]:
        return {
            "segments": self.segments,
            "removes_extra": self.removes_extra,
            "kept": self.kept,
            "shape_fingerprint": self.shape_fingerprint,
            "at": self._at,
            "finished": sorted(self._finished),
        }

    def start_of(self, table: str, segment: int) -> ItemKey | None:
        text = self._at.get(f"{table}-{segment}")
        return ItemKey(base64.b64decode(text)) if text else None

    def unfinished(self, table: str) -> list[int]:
        """The segments that are left."""
        return [segment for segment in range(self.segments) if not self.is_finished(table, segment)]

    def is_finished(self, table: str, segment: int) -> bool:
        return f"{table}-{segment}" in self._finished

    def move(self, table: str, segment: int, next_key: ItemKey | None) -> None:
        name = f"{table}-{segment}"
        if next_key is None:
            self._finished.add(name)
            self._at.pop(name, None)
        else:
            self._at[name] = base64.b64encode(next_key).decode()
