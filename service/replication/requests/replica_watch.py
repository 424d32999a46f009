"""Knows the replica by its id: a table of the same name that was created anew is another one, and holds too little."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable

from service.errors import GapError, RetryableError
from service.model import TableDescription
from service.ports import ClaimStore, Clock, Table
from service.replication.claim import check_claim
from service.replication.gaps import MENDS

LOOK_EVERY_SECONDS = 10.0
"""DescribeTable is a control-plane call with limits of its own, shared by the account: an idle pipeline has no other
sign of a new table, and a modest rate leaves the limits to others. One whose writes found no table looks at once."""
LOOK_FOR_MISSING_EVERY_SECONDS = 1.0
"""While the table is not there, all lanes together look so often."""
MISSING = "ResourceNotFoundException"
CREATED = "created "
"""Begins an id that a creation time stands in for, where a server gives no TableId."""


def check_replica(known: str | None, found: TableDescription) -> None:
    """Raises GapError when it is not the table that was written. A table without an id is taken for it."""
    if not known or not found.table_id or known.startswith(CREATED) != found.table_id.startswith(CREATED):
        return  # a server that gives ids by now is no other table
    if known != found.table_id:
        raise GapError(
            f"the replica {found.name} was re-created, or another table is named by now: what was written went to the "
            f"table {known}, and it is {found.table_id} now; what was replicated before is missing there; {MENDS}"
        )


class ReplicaWatch:
    """`watch` runs beside the flow; `make_sure` stands before its requests to the replica."""

    def __init__(
        self,
        replica: Table,
        claims: ClaimStore,
        known: str | None,
        clock: Clock,
        note: Callable[[TableDescription], None],
    ) -> None:
        """`known` is its id; `note` is told of what was found."""
        self._note = note
        self._replica = replica
        self._claims = claims
        self._known = known
        self._clock = clock
        self._was_missing = False
        self._looking = asyncio.Lock()
        self._looked_at = float("-inf")
        self._trouble: RetryableError | None = None

    async def watch(self) -> None:
        """Until cancelled. Raises GapError, ReplicaTakenError. A table that gives no answer is looked at again."""
        while True:
            await self._clock.sleep(LOOK_EVERY_SECONDS)
            with contextlib.suppress(RetryableError):
                await check_claim(self._claims, await self._look())

    async def _look(self) -> TableDescription:
        found = await self._replica.describe()
        check_replica(self._known, found)
        self._note(found)
        return found

    def heard(self, error: RetryableError) -> None:
        """A request to the replica was refused: a table that was not there may be another one when it is back."""
        self._was_missing = self._was_missing or error.cause == MISSING

    @property
    def is_unsure(self) -> bool:
        """`make_sure` has something to do."""
        return self._was_missing

    async def make_sure(self) -> None:
        """Before a request, so that none goes to another table. Raises GapError; RetryableError while none is there."""
        if not self._was_missing:
            return
        async with self._looking:
            if not self._was_missing:
                return
            now = self._clock.monotonic()
            if self._trouble is not None and now - self._looked_at < LOOK_FOR_MISSING_EVERY_SECONDS:
                raise self._trouble
            self._looked_at, self._trouble = now, None
            try:
                await self._look()
            except RetryableError as error:
                self._trouble = error
                raise
            self._was_missing = False
