"""I2 with Lambda and an operator: what `run --admin-only` writes beside the function's batches."""

from __future__ import annotations

import asyncio
from functools import partial

from hypothesis import example, given, settings
from hypothesis import strategies as st

from service.errors import ThrottledError
from service.events import Observers
from service.lambda_mode.writer_without_stream import SidePipeline
from service.model import ViewType
from service.operations.console import ConflictError
from service.operations.documents.jobs import JobState
from service.operations.jobs.run_beside_flow import beside
from service.operations.pipeline.pipeline import Outside
from service.operations.refresh_item import key_from, replicate_item
from service.operations.snapshot.snapshots import Snapshots
from tests.fakes.clock import run_virtual
from tests.fakes.event_source import Mapping, Poller
from tests.fakes.service import answered, until
from tests.property.test_lambda import STEPS, mappings, perform, settings_of, world_of
from tests.support.invariants import Judge

KEYS = 4


class Admin:
    """One `run --admin-only` on a world; `async with` it."""

    def __init__(self, world, settings):
        self.world, self.settings = world, settings
        self.process = world.process()

    async def __aenter__(self):
        self.source = await self.world.source.describe()

        async def look():
            return Outside(self.process.adapters, self.source, await self.world.replica.describe())

        self.pipeline = SidePipeline(
            settings=self.settings, outside=await look(), look_again=look, owner="admin", observer=Observers()
        )
        self.snapshots = Snapshots(pipeline=self.pipeline, adapters=self.process.adapters, observer=Observers())
        self.running = asyncio.create_task(self.pipeline.run(), name="admin")
        await until(lambda: self.pipeline.replicator is not None)
        return self

    async def __aexit__(self, *error):
        self.pipeline.stop()
        await self.running

    async def copy_all(self):
        job = await self._persistently(lambda flow: self.snapshots.start(self.pipeline))
        while (await answered(lambda: self.snapshots.found(job.id))).state is JobState.RUNNING:  # noqa: ASYNC110 asked
            await asyncio.sleep(0.2)

    async def copy(self, number):
        key = key_from({"key": {"S": f"k{number}"}}, self.source)
        await self._persistently(lambda flow: beside(flow, lambda: replicate_item(flow, key), "one item"))

    async def _persistently(self, ask):
        """Asked again when the lease was lost meanwhile, or another snapshot runs."""
        while True:
            await until(lambda: self.pipeline.replicator is not None)
            try:
                return await answered(partial(ask, self.pipeline.replicator))
            except ConflictError:
                await asyncio.sleep(0.5)


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
