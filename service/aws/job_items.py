"""The items `KIND#ID`: what an operator asked for, as one JSON text each, so that any nesting survives."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import aclosing
from typing import Any

import orjson

from service.aws.attributes import Attributes, text, text_of, understood
from service.aws.control_table import ControlTable


class JobItems:
    """Implements service.ports.JobStore. A document has room for about 400 KB of JSON."""

    _table: ControlTable

    async def put_job(self, kind: str, job_id: str, document: Mapping[str, Any]) -> None:
        await self._table.put(f"{kind}#{job_id}", {"document": text(orjson.dumps(document).decode())})

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

    def _document(self, item: str, found: Attributes) -> dict[str, Any]:
        with understood(self._table.pipeline, item):
            document: dict[str, Any] = orjson.loads(text_of(found, "document"))
            return document
