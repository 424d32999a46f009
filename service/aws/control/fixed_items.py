"""The items `KIND-fixed#ID#N`: what a job is made of and never changes, of any size, compressed and split.

They are written before the job and read when it goes on; a write that is repeated, or late, writes the same.
"""

from __future__ import annotations

import zlib

from service.aws.control.attributes import binary, binary_of, integer_of, number, understood
from service.aws.control.table import ControlTable

PART_BYTES = 300_000
"""Well below the 400 KB of an item (Developer Guide, "Service quotas")."""


class FixedItems:
    """Implements service.ports.FixedStore."""

    _table: ControlTable

    async def put_fixed(self, kind: str, job_id: str, content: bytes) -> None:
        compressed = zlib.compress(content)
        parts = [compressed[start : start + PART_BYTES] for start in range(0, len(compressed), PART_BYTES)]
        for index, part in enumerate(parts):
            attributes = {"fixed_part": binary(part), "parts": number(len(parts))}
            await self._table.put(f"{_prefix(kind, job_id)}{index:04d}", attributes, asks_former=False)

    async def get_fixed(self, kind: str, job_id: str) -> bytes | None:
        prefix = _prefix(kind, job_id)
        found = [item async for item in self._table.query(prefix)]
        with understood(self._table.pipeline, f"{prefix}0000"):
            if not found or integer_of(found[0], "parts") != len(found):
                return None
            return _decompressed(b"".join(binary_of(item["fixed_part"]) for item in found))

    async def forget_fixed_before(self, kind: str, job_id: str) -> None:
        names = [item["item"]["S"] async for item in self._table.query(f"{kind}-fixed#", attributes=("item",))]
        for name in names:
            if name < _prefix(kind, job_id):
                await self._table.delete(name)


def _prefix(kind: str, job_id: str) -> str:
    return f"{kind}-fixed#{job_id}#"


def _decompressed(content: bytes) -> bytes:
    try:
        return zlib.decompress(content)
    except zlib.error as error:
        raise ValueError(f"it is damaged: {error}") from error
