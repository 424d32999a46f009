"""The control table, for one pipeline: the only memory that outlives the process.

It lies beside the replica. A process that crashes in any call here leaves each item as it was or as it should be.
"""

from __future__ import annotations

import asyncio

from service.aws.control.claims import ClaimItems
from service.aws.control.dead_letters import DeadLetterItems
from service.aws.control.jobs import FixedItems, JobItems
from service.aws.control.lease import LeaseItems
from service.aws.control.progress import ProgressItem
from service.aws.control.table import ControlTable
from service.aws.http.wire import Wire


class DynamoControlStore(LeaseItems, ProgressItem, DeadLetterItems, JobItems, FixedItems, ClaimItems):
    """Implements service.ports.ControlStore on a wire to DynamoDB, which stays its maker's to close."""

    def __init__(self, wire: Wire, table: str, pipeline: str) -> None:
        """`table` is a name or an ARN."""
        self._table = ControlTable(wire, table, pipeline)
        self._saving = asyncio.Lock()
