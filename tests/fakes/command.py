"""`dynamirror snapshot` and `dynamirror verify` on a fake world, without any terminal."""

from __future__ import annotations

from typing import Any

from service.events import Observers
from service.operations.documents.jobs import Snapshot, Verification
from service.operations.pipeline.outside import Outside
from service.operations.pipeline.pipeline import Pipeline
from service.operations.standalone import repair_standalone, snapshot_standalone
from service.operations.verification.look import look
from tests.fakes.service import settings_of
from tests.fakes.world import Process, World


class Command:
    """One run of a command on a world; `shown` is what its progress bar was told."""

    def __init__(self, world: World, process: Process | None = None, **overrides: Any) -> None:
        self._world = world
        self.process = process or world.process()
        self._settings = settings_of(**overrides)
        self.shown: list[Any] = []

    async def snapshot(self) -> Snapshot:
        return await snapshot_standalone(await self._pipeline(), self.shown.append)

    async def repair(self, sample: float | None = None) -> Verification:
        return await repair_standalone(await self._pipeline(), self.shown.append, sample=sample)

    async def look(self) -> Verification:
        source = await self._world.source.describe()
        return await look(self.process.adapters, self._settings, source, Observers(), self.shown.append)

    async def _pipeline(self) -> Pipeline:
        async def look_again() -> Outside:
            described = await self._world.source.describe(), await self._world.replica.describe()
            return Outside(self.process.adapters, *described)

        return Pipeline(
            settings=self._settings,
            outside=await look_again(),
            look_again=look_again,
            owner=f"command-{id(self)}",
            observer=Observers(),
        )
