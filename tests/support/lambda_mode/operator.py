"""One `run --admin-only` on a world whose stream a function applies."""

from __future__ import annotations

import asyncio
from functools import partial

from service.events import Observers
from service.lambda_mode.writer_without_stream import SidePipeline
from service.operations.console import ConflictError
from service.operations.documents.jobs import JobState
from service.operations.pipeline.outside import Outside
from service.operations.refresh_item import key_from, replicate_item
from service.operations.snapshot.snapshots import Snapshots
from tests.fakes.service import answered, until


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
        self.snapshots = Snapshots(self.pipeline)
        self.running = asyncio.create_task(self.pipeline.run(), name="admin")
        await until(lambda: self.pipeline.replicator is not None)
        return self

    async def __aexit__(self, *error):
        self.pipeline.stop()
        await self.running

    async def copy_all(self):
        job = await self._persistently(lambda flow: self.snapshots.start())
        while (await answered(lambda: self.snapshots.found(job.id))).state is JobState.RUNNING:  # noqa: ASYNC110 asked
            await asyncio.sleep(0.2)

    async def copy(self, number):
        key = key_from({"key": {"S": f"k{number}"}}, self.source)
        await self._persistently(lambda flow: replicate_item(flow, key))

    async def _persistently(self, ask):
        """Asked again when the lease was lost meanwhile, or another snapshot runs."""
        while True:
            await until(lambda: self.pipeline.replicator is not None)
            try:
                return await answered(partial(ask, self.pipeline.replicator))
            except ConflictError:
                await asyncio.sleep(0.5)
