"""Knows the replica by its id: a table of the same name that was created anew is another one, and holds too little."""

from __future__ import annotations

from collections.abc import Callable

from service.errors import GapError, RetryableError
from service.model import TableDescription
from service.ports import Clock, Table
from service.replication.gaps import MENDS

LOOK_EVERY_SECONDS = 10.0
"""DescribeTable is a control-plane call with limits of its own, shared by the account: an idle pipeline has no other
sign of a new table, and a modest rate leaves the limits to others."""


def check_replica(known: str | None, found: TableDescription) -> None:
    """Raises GapError when it is not the table that was written. A table without an id is taken for it."""
    if known and found.table_id and known != found.table_id:
        raise GapError(
            f"the replica {found.name} was re-created: what was written went to the table {known}, and it is "
            f"{found.table_id} now; what was replicated before is missing there; {MENDS}"
        )


class ReplicaWatch:
    def __init__(
        self, replica: Table, known: str | None, clock: Clock, note: Callable[[TableDescription], None]
    ) -> None:
        """`known` is its id; `note` is told of what was found."""
        self._note = note
        self._replica = replica
        self._known = known
        self._clock = clock

    async def watch(self) -> None:
        """Until cancelled. Raises GapError. A table that is not there, or gives no answer, is looked at again."""
        while True:
            await self._clock.sleep(LOOK_EVERY_SECONDS)
            try:
                found = await self._replica.describe()
            except RetryableError:
                continue
            check_replica(self._known, found)
            self._note(found)
