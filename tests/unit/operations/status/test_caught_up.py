"""I8: the pipeline is not caught up from the very moment on at which it stops to read, or a write is in doubt."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

import pytest

from service.errors import AmbiguousError, RefusedError, RetryableError, ThrottledError, UnavailableError
from service.operations.documents.status import PipelineState
from service.operations.pipeline.pause import Pause
from tests.fakes.clock import VirtualTimeLoop, run_virtual
from tests.fakes.service import Service, until
from tests.fakes.world import World

OUTAGES = [
    UnavailableError("no connection", "EndpointConnectionError"),
    ThrottledError("slow down", "LimitExceededException"),
    RefusedError("access is denied", "AccessDeniedException"),
]


def play(scenario: Callable[[World, Service], Awaitable[None]], **settings: object) -> None:
    """On a service that is caught up."""

    async def run() -> None:
        world = World()
        async with Service(world, **settings) as service:
            await service.until_caught_up()
            await scenario(world, service)

    run_virtual(run)


class Looking:
    """Looks at the status at every turn of the loop: where `holds`, the pipeline must not be caught up."""

    def __init__(self, service: Service, holds: Callable[[], bool]) -> None:
        self.service = service
        self.holds = holds
        self.looks = 0
        self.lies: list[str] = []

    def __enter__(self) -> Looking:
        loop = asyncio.get_running_loop()
        assert isinstance(loop, VirtualTimeLoop)
        self.loop = loop
        loop.on_turn = self._look
        return self

    def __exit__(self, *_: object) -> None:
        self.loop.on_turn = lambda: None
        assert self.looks > 0, "it never came to that"
        assert not self.lies, f"{len(self.lies)} of {self.looks} looks: {self.lies[0]}"

    def _look(self) -> None:
        if not self.holds():
            return
        self.looks += 1
        lag = self.service.report.status().lag
        if lag.caught_up or lag.seconds == 0:
            self.lies.append(f"{self.loop.elapsed:.3f}: {lag}")


def test_a_pause_that_is_asked_for_here() -> None:
    async def scenario(world: World, service: Service) -> None:
        with Looking(service, lambda: service.pipeline.is_paused):
            await Pause(service.pipeline).pause()
            assert not service.report.status().lag.caught_up
            await asyncio.sleep(5)

    play(scenario)


def test_a_pause_that_is_asked_for_elsewhere() -> None:
    async def scenario(world: World, service: Service) -> None:
        with Looking(service, lambda: service.report.status().state is PipelineState.PAUSED):
            async with Service(world) as standby:
                await Pause(standby.pipeline).pause()
            assert not service.report.status().lag.caught_up

    play(scenario)


def test_after_a_pause_the_tip_is_looked_for_again() -> None:
    """A page that is empty right after a pause does not tell that nothing came meanwhile."""

    async def scenario(world: World, service: Service) -> None:
        pause = Pause(service.pipeline)
        await pause.pause()
        read = world.source.stream.calls["read"]
        with Looking(service, lambda: world.source.stream.calls["read"] < read + 3):
            await pause.resume()
            await service.until_caught_up()

    play(scenario)


@pytest.mark.parametrize("error", OUTAGES, ids=lambda error: type(error).__name__)
def test_an_outage_of_the_stream(error: RetryableError) -> None:
    """From the first read that fails until the tip was found again."""

    async def scenario(world: World, service: Service) -> None:
        now = world.clock.now()
        world.plan.outage("streams", now, now + 20, error)
        failed = f"streams.read {type(error).__name__}"
        with Looking(service, lambda: world.plan.seen[failed] > 0 and world.clock.now() < now + 20):
            await asyncio.sleep(30)
        await service.until_caught_up()

    play(scenario)


def test_one_read_that_fails() -> None:
    async def scenario(world: World, service: Service) -> None:
        world.plan.fail_next("streams.read", OUTAGES[0])
        reads = 0

        def tip_is_unknown() -> bool:
            nonlocal reads
            if not world.plan.seen["streams.read UnavailableError"]:
                return False
            reads = reads or world.source.stream.calls["read"]
            return world.source.stream.calls["read"] < reads + 3

        with Looking(service, tip_is_unknown):
            await asyncio.sleep(10)
        assert service.report.status().lag.caught_up

    play(scenario)


def test_one_shard_of_several_that_can_not_be_read() -> None:
    async def scenario(world: World, service: Service) -> None:
        world.source.stream.split()
        await until(lambda: len(service.report.status().shards) == 3)
        await service.until_caught_up()
        world.plan.fail_next("streams.read", OUTAGES[0])
        flow = await service.flow()
        with Looking(service, lambda: any(reader.tip_seen_at is None for reader in flow.readers.open_readers())):
            await asyncio.sleep(5)

    play(scenario)


def test_a_write_whose_fate_is_unknown() -> None:
    async def scenario(world: World, service: Service) -> None:
        world.plan.fail_next("replica.write_batch", AmbiguousError("reset", "ConnectionResetError"))
        lost, flow = "replica.write_batch AmbiguousError", await service.flow()
        with Looking(service, lambda: world.plan.seen[lost] > 0 and bool(flow.doubts)):
            world.source.put({"key": {"S": "a"}, "value": {"N": "1"}})
            await until(lambda: world.plan.seen[lost] > 0)
            await asyncio.sleep(20)
            assert not service.report.status().lag.unapplied_records
            await service.until_caught_up()

    play(scenario)


def test_a_stop_that_takes_its_time() -> None:
    """It reads no more, while it settles what it had read."""

    async def scenario(world: World, service: Service) -> None:
        now = world.clock.now()
        world.plan.outage("control", now, now + 5, OUTAGES[0])
        with Looking(service, lambda: service.pipeline.state is PipelineState.STOPPING):
            service.pipeline.stop()
            await service.running

    play(scenario)


def test_a_lease_that_may_be_anothers() -> None:
    """From the moment on at which nothing may be written any more, although nobody has noticed a failure yet."""

    async def scenario(world: World, service: Service) -> None:
        now, holder = world.clock.now(), service.pipeline.holder
        world.plan.outage("control", now, now + 60, OUTAGES[0])
        renewed = world.clock.monotonic()
        with Looking(service, lambda: world.clock.monotonic() >= renewed + 15 and holder.lease is not None):
            await until(lambda: service.report.status().state is PipelineState.STANDBY)

    play(scenario, lease_seconds=20)
