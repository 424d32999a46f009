"""I2 with Lambda and an operator: what `run --admin-only` writes beside the function's batches."""

from __future__ import annotations

import asyncio

from hypothesis import example, given, settings
from hypothesis import strategies as st

from service.errors import ThrottledError
from service.model import ViewType
from tests.fakes.clock import run_virtual
from tests.fakes.event_source import Mapping, Poller
from tests.support.invariants import Judge
from tests.support.lambda_mode.operator import Admin
from tests.support.lambda_mode.world import STEPS, mappings, perform, settings_of, world_of

KEYS = 4


ASKED = st.lists(st.tuples(st.integers(-1, KEYS - 1), st.sampled_from([0, 0, 3, 6])), min_size=1, max_size=6)
"""What is copied, -1 for everything; and how often the next writes are throttled first, so that they are late."""


COPIED_TOO_LATE = (
    Mapping(seed=617083, batch_size=3, bisects=False, window_seconds=1.0, lost_answers=0.3, late_repeats=0.3),
    [("wait", 0.02), ("slow", 7), ("delete", 3), ("slow", 1), ("delete", 2), ("wait", 0.3), ("delete", 1),
     ("wait", 0.0), ("delete", 3), ("slow", 4), ("wait", 0.3)],
    True,
    [(3, 3)],
)  # fmt: skip
"""A snapshot wrote an item, and lost its lease before it saw that the source had deleted it meanwhile."""


@settings(max_examples=30)
@given(mappings(), STEPS, st.booleans(), ASKED)
@example(*COPIED_TOO_LATE)
def test_what_an_operator_copies_beside_lambda_leaves_both_tables_equal(mapping, steps, has_faults, asked):
    world = world_of(mapping, ViewType.NEW_AND_OLD_IMAGES, has_faults=has_faults)
    world.source.preset(*[{"key": {"S": f"k{number}"}, "value": {"N": "0"}} for number in range(KEYS)])
    settings = settings_of(lease_seconds="10")
    poller = Poller(world, settings, mapping)

    async def operate():
        async with Admin(world, settings) as admin:
            await admin.copy_all()  # what the stream does not have
            for number, times in asked:
                for call in ("replica.put", "replica.delete"):
                    world.plan.fail_next(call, ThrottledError("slow down", "ThrottlingException"), times=times)
                await (admin.copy_all() if number < 0 else admin.copy(number))

    async def work():
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(poller.run(), name="poller")
            operating = tasks.create_task(operate(), name="operator")
            await perform(world, steps)
            await operating
            poller.drain()

    run_virtual(work, seed=mapping.seed)
    Judge(world).check_equal()
