"""Whatever throttles is told: which table, by which of AWS's limits, and what to do."""

from __future__ import annotations

import asyncio

import pytest

from service.errors import ThrottledError
from service.events import Retried
from service.model import ViewType
from service.operations.documents.status import PipelineState
from service.operations.status.counters import Families, Totals
from tests.fakes.clock import FakeClock, run_virtual
from tests.fakes.service import Service
from tests.fakes.world import World
from tests.support.known_pipeline import put

CODE = "ProvisionedThroughputExceededException"
ENDLESS = 100_000


@pytest.mark.parametrize(
    ("call", "view", "told"),
    [
        ("source.get_many", ViewType.KEYS_ONLY, "the source throttles: master-table gives less"),
        ("replica.write_batch", ViewType.NEW_IMAGE, "the replica throttles: replica-table takes less"),
        ("streams.read", ViewType.NEW_IMAGE, "the stream throttles: end other readers of it"),
        ("control.save_progress", ViewType.NEW_IMAGE, "the control table throttles: raise the capacity of"),
    ],
)
def test_what_throttles_is_named_with_the_limit_and_the_step_until_it_ends(
    call: str, view: ViewType, told: str
) -> None:
    async def scenario() -> None:
        world = World(view_type=view)
        async with Service(world) as service:
            await service.until_caught_up()
            limit = ThrottledError("GetItem on it: exceeds the limit of the account", CODE)
            world.plan.fail_next(call, limit, times=ENDLESS)
            put(world, 3)
            await asyncio.sleep(20)
            (warning,) = service.report.status().warnings
            assert warning.startswith(told)
            assert warning.endswith("or the limit that AWS names: GetItem on it: exceeds the limit of the account")
            assert service.report.status().state is PipelineState.RUNNING
            world.plan.fail_no_more()
            await service.until_caught_up()
            await asyncio.sleep(90)
            assert not service.report.status().warnings

    run_virtual(scenario)


def throttled(cause: str, error: str) -> Retried:
    return Retried("replica", cause, is_throttle=True, error=error)


def test_what_is_left_undone_hides_no_limit_that_was_named_and_names_none_itself() -> None:
    clock = FakeClock()
    totals = Totals(Families(), "pipeline", clock)
    totals.observe(throttled("UnprocessedItems", "left 7 items unprocessed"))
    assert totals.throttles() == {"replica": ""}
    totals.observe(throttled(CODE, "the provisioned throughput was exceeded"))
    totals.observe(throttled("UnprocessedItems", "left 8 items unprocessed"))
    assert totals.throttles() == {"replica": "the provisioned throughput was exceeded"}


def test_a_conflict_of_transactions_is_no_lack_of_capacity() -> None:
    totals = Totals(Families(), "pipeline", FakeClock())
    totals.observe(throttled("TransactionConflict", "another request writes the same item"))
    assert totals.throttles() == {}
