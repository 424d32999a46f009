"""The items `claim`: which pipeline a replica belongs to. They lie beside all pipelines, in a partition per replica."""

from __future__ import annotations

from service.aws.control.attributes import Attributes, attributes_of, understood, value_of
from service.aws.control.table import ControlTable, ItemDiffersError
from service.model import TableDescription
from service.pipeline_state import CLAIM, ReplicaClaim, claim_partition


class ClaimItems:
    """Implements service.ports.ClaimStore."""

    _table: ControlTable

    async def claim_replica(
        self, replica: TableDescription, source: TableDescription, now: float
    ) -> ReplicaClaim | None:
        claims = self._table.of(claim_partition(replica))
        values = {":mine": self._table.pipeline}
        only_if = "attribute_not_exists(#claimed_by) OR #claimed_by = :mine"
        if replica.table_id:
            only_if += " OR (#replica_id <> :present AND #replica_id <> :unknown)"
            values |= {":present": replica.table_id, ":unknown": ""}
        claim = ReplicaClaim(self._table.pipeline, source.arn, replica.table_id, now)
        try:
            await claims.put(CLAIM, attributes_of(claim), only_if=only_if, values=values)
        except ItemDiffersError as failed:
            return _claim(claims, failed.found)
        return None

    async def read_claim(self, replica: TableDescription) -> ReplicaClaim | None:
        claims = self._table.of(claim_partition(replica))
        found = await claims.get(CLAIM)
        claim = None if found is None else _claim(claims, found)
        return claim if claim is not None and claim.claimed_by == self._table.pipeline else None


def _claim(claims: ControlTable, found: Attributes) -> ReplicaClaim:
    with understood(claims.pipeline, CLAIM):
        return value_of(ReplicaClaim, found)
