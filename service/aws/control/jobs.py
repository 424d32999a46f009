"""The items `KIND#ID` and `job#KIND`: what an operator asked for, as one JSON text each, so that any nesting survives.

`job#KIND` has room for the one job of a kind that is under way; each write of it is one conditional request.
"""

from __future__ import annotations

import zlib
from collections.abc import Mapping
from contextlib import aclosing
from typing import Any

import orjson

from service.aws.control.attributes import (
    Attributes,
    attribute,
    binary_of,
    decompressed,
    optional_text_of,
    split,
    understood,
)
from service.aws.control.table import ControlTable, ItemDiffersError
from service.errors import LeaseLostError
from service.pipeline_state import JobSlot

_NOT_A_FORMER_OWNER = "(attribute_not_exists(#generation) OR #generation <= :mine)"
_MINE = "#job_id = :job_id AND #generation = :mine"


class JobItems:
    """Implements service.ports.JobStore. A document has room for about 400 KB of JSON."""

    _table: ControlTable

    async def put_job(self, kind: str, job_id: str, document: Mapping[str, Any]) -> None:
        await self._table.put(f"{kind}#{job_id}", {"document": _text_of(document)})

    async def get_job(self, kind: str, job_id: str) -> dict[str, Any] | None:
        found = await self._table.get(f"{kind}#{job_id}")
        return None if found is None else self._document(f"{kind}#{job_id}", found)

    async def list_jobs(self, kind: str, limit: int) -> list[dict[str, Any]]:
        listed: list[dict[str, Any]] = []
        items = self._table.query(f"{kind}#", limit=limit, is_newest_first=True)
        async with aclosing(items):
            async for found in items:
                listed.append(self._document(found["item"]["S"], found))
                if len(listed) == limit:
                    break
        return listed

    async def read_slot(self, kind: str) -> JobSlot | None:
        found = await self._table.get(_slot(kind))
        return None if found is None else self._job_slot(kind, found)

    async def adopt_slot(self, kind: str, generation: int) -> JobSlot:
        values = {":mine": generation}
        try:
            found = await self._table.update(
                _slot(kind), "SET #generation = :mine", values, only_if=_NOT_A_FORMER_OWNER
            )
        except ItemDiffersError as differs:
            raise self._taken(kind) from differs
        return self._job_slot(kind, found)

    async def begin_job(self, kind: str, job_id: str, generation: int, document: Mapping[str, Any]) -> str | None:
        item = {"job_id": job_id, "generation": generation, "document": _text_of(document)}
        only_if = f"attribute_not_exists(#job_id) AND {_NOT_A_FORMER_OWNER}"
        try:
            await self._table.put(_slot(kind), item, only_if=only_if, values={":mine": generation})
        except ItemDiffersError as differs:
            running = optional_text_of(differs.found, "job_id")
            if running is None:
                raise self._taken(kind) from differs
            return running
        return None

    async def save_job(self, kind: str, job_id: str, generation: int, document: Mapping[str, Any]) -> None:
        values = {":job_id": job_id, ":mine": generation, ":document": _text_of(document)}
        try:
            await self._table.update(_slot(kind), "SET #document = :document", values, only_if=_MINE)
        except ItemDiffersError as differs:
            raise self._taken(kind) from differs

    async def file_job(self, kind: str, job_id: str, generation: int, document: Mapping[str, Any]) -> None:
        await self.put_job(kind, job_id, document)
        values = {":job_id": job_id, ":mine": generation}
        try:
            await self._table.update(_slot(kind), "REMOVE #job_id, #document", values, only_if=_MINE)
        except ItemDiffersError as differs:
            is_mine = attribute(differs.found, "generation", int, 0) == generation
            if not is_mine or "job_id" in differs.found:  # else it is empty already: an earlier answer was lost
                raise self._taken(kind) from differs

    def _job_slot(self, kind: str, found: Attributes) -> JobSlot:
        with understood(self._table.pipeline, _slot(kind)):
            document = self._document(_slot(kind), found) if "job_id" in found else {}
            return JobSlot(attribute(found, "generation", int, 0), optional_text_of(found, "job_id"), document)

    def _taken(self, kind: str) -> LeaseLostError:
        return LeaseLostError(f"the {kind} of pipeline {self._table.pipeline!r} is in another process's hands")

    def _document(self, item: str, found: Attributes) -> dict[str, Any]:
        with understood(self._table.pipeline, item):
            document: dict[str, Any] = orjson.loads(attribute(found, "document", str))
            return document


def _slot(kind: str) -> str:
    return f"job#{kind}"


def _text_of(document: Mapping[str, Any]) -> str:
    return orjson.dumps(document).decode()


class FixedItems:
    """Implements service.ports.FixedStore, by the items `KIND-fixed#ID#N`: compressed, and split.

    They are written before the job and read when it goes on; a write that is repeated, or late, writes the same.
    """

    _table: ControlTable

    async def put_fixed(self, kind: str, job_id: str, content: bytes) -> None:
        parts = split(zlib.compress(content))
        for index, part in enumerate(parts):
            attributes = {"fixed_part": part, "parts": len(parts)}
            await self._table.put(f"{_prefix(kind, job_id)}{index:04d}", attributes)

    async def get_fixed(self, kind: str, job_id: str) -> bytes | None:
        prefix = _prefix(kind, job_id)
        found = [item async for item in self._table.query(prefix)]
        with understood(self._table.pipeline, f"{prefix}0000"):
            if not found or attribute(found[0], "parts", int) != len(found):
                return None
            return decompressed(b"".join(binary_of(item["fixed_part"]) for item in found))

    async def forget_fixed_before(self, kind: str, job_id: str) -> None:
        names = [item["item"]["S"] async for item in self._table.query(f"{kind}-fixed#", attributes=("item",))]
        for name in names:
            if name < _prefix(kind, job_id):
                await self._table.delete(name)


def _prefix(kind: str, job_id: str) -> str:
    return f"{kind}-fixed#{job_id}#"
