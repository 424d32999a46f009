"""service.fleet: a reload, or a stop, right while a pipeline takes its lease leaves nobody waiting for a lease time."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager

from service.configuration.settings import Settings
from tests.fakes.fleet import FleetProcess, Outlook, Worlds, entries_of

LEASE_SECONDS = 60.0
ANSWER_SECONDS = 1.0


class SlowToAcquire(FleetProcess):
    """The lease is taken at once; its answer comes a second later."""

    def __init__(self, worlds: Worlds, entries: Mapping[str, Settings], owner: str) -> None:
        super().__init__(worlds, entries, owner)
        self.has_acquired = asyncio.Event()

    @asynccontextmanager
    async def _open(self, settings: Settings) -> AsyncIterator[Outlook]:
        async with super()._open(settings) as outlook:
            store = self.processes[settings.pipeline_name].control._port
            store.after_call = self._answer_late
            yield outlook

    async def _answer_late(self, name: str) -> None:
        if name == "acquire_lease":
            self.has_acquired.set()
            await asyncio.sleep(ANSWER_SECONDS)


async def test_a_reload_that_restarts_a_pipeline_while_it_takes_its_lease_does_not_lock_it_out():
    worlds = Worlds()
    before, after = (entries_of("orders", writers=writers, lease_seconds=LEASE_SECONDS) for writers in (2, 3))
    async with SlowToAcquire(worlds, before, "first") as process:
        await process.has_acquired.wait()
        process.plans.entries = after
        assert (await process.fleet.reload()).restarted == ["orders"]
        async with asyncio.timeout(LEASE_SECONDS / 2):
            await process.until_caught_up()
    assert worlds.control.of("orders").lease.is_released


async def test_a_stop_while_a_pipeline_takes_its_lease_lets_a_standby_in_at_once():
    worlds = Worlds()
    entries = entries_of("orders", lease_seconds=LEASE_SECONDS)
    first = await SlowToAcquire(worlds, entries, "first").start()
    await first.has_acquired.wait()
    await first.stop()
    assert worlds.control.of("orders").lease.is_released
    async with worlds.process(entries, "second") as second, asyncio.timeout(LEASE_SECONDS / 2):
        await second.until_caught_up()


async def test_a_stop_does_not_wait_longer_for_the_lease_than_it_has_time():
    worlds = Worlds()
    first = await SlowToAcquire(
        worlds, entries_of("orders", lease_seconds=LEASE_SECONDS, shutdown_timeout_seconds=0.5), "first"
    ).start()
    await first.has_acquired.wait()
    began = asyncio.get_running_loop().time()
    await first.stop()
    assert asyncio.get_running_loop().time() - began <= 0.6
