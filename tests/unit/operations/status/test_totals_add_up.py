"""Of what was read, each record is in one of the totals: a person can see what became of all."""

from __future__ import annotations

from service.events import ChangesSettled, DeadLettered, PageRead
from service.model import ShardId
from service.operations.status.counters import Families, Totals
from tests.fakes.clock import FakeClock


def test_what_was_applied_is_written_coalesced_unchanged_or_stale() -> None:
    totals = Totals(Families(), "pipeline", FakeClock())
    totals.observe(PageRead(ShardId("shard"), 21, 900))
    totals.observe(
        ChangesSettled(21, applied=6, coalesced=5, unchanged=4, stale=3, skipped=2, dead_lettered=1, items_written=6)
    )
    totals.observe(DeadLettered("1", ShardId("shard"), None, None, "refused", 1))
    told = totals.totals()
    needless = told.records_coalesced + told.records_unchanged + told.records_stale
    assert (needless, told.records_applied) == (5 + 4 + 3, told.items_written + needless)
    assert told.records_read == told.records_applied + told.records_skipped + told.records_dead_lettered
