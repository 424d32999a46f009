"""Pauses and resumes at the same moment: each call answers what is true, and none waits for what will not come."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from service.errors import RefusedError
from service.lambda_mode.event_source_mapping import PipelineMapping
from service.operations.console import ConflictError
from service.operations.documents.status import PipelineState
from service.operations.pipeline.pause import Pause
from service.ports import SourceMapping
from tests.fakes.clock import FakeClock
from tests.fakes.service import Service, until
from tests.fakes.world import World
from tests.support.invariants import check_all, check_equal
from tests.support.kinds_of_jobs import console
from tests.support.numbered_items import item


def pauses_of(service: Service) -> Pause:
    return Pause(service.pipeline)


async def busy(service: Service) -> asyncio.Event:
    """Some write is in flight, until the event is set."""
    world, may_end = service.world, asyncio.Event()
    await service.until_caught_up()

    def slowly(call: Any) -> Any:
        async def held(*arguments: Any) -> Any:
            await may_end.wait()
            return await call(*arguments)

        return held

    world.replica.write_batch = slowly(world.replica.write_batch)
    world.replica.put = slowly(world.replica.put)
    world.source.put(item(1))
    flow = await service.flow()
    await until(lambda: flow.gate.in_flight > 0)
    return may_end


async def refusal_of(pausing: asyncio.Task[None]) -> str:
    """At once: no time passes."""
    now = asyncio.get_running_loop().time()
    with pytest.raises(ConflictError) as refused:
        await pausing
    assert asyncio.get_running_loop().time() == now
    return str(refused.value)


async def test_a_resume_ends_the_pauses_that_wait_and_the_pipeline_goes_on():
    async with Service(World()) as service:
        may_end, pausing = await busy(service), pauses_of(service)
        waiting = [asyncio.create_task(pausing.pause()) for _ in range(2)]
        await asyncio.sleep(1)
        assert service.pipeline.state is PipelineState.PAUSED
        assert not any(call.done() for call in waiting)

        await pausing.resume()
        for call in waiting:
            assert "it is not paused" in await refusal_of(call)
        assert service.pipeline.state is PipelineState.RUNNING
        may_end.set()
        await service.until_caught_up()
        check_equal(service.world)
    check_all(service.world)


async def test_a_resume_by_another_process_ends_them_too():
    world = World()
    async with Service(world) as service, Service(world) as standby:
        may_end = await busy(service)
        waiting = asyncio.create_task(pauses_of(service).pause())
        await asyncio.sleep(1)
        await pauses_of(standby).resume()
        await until(waiting.done)
        with pytest.raises(ConflictError):
            await waiting
        may_end.set()


async def test_a_pause_asked_of_the_standby_is_ended_by_a_resume_asked_of_the_active_one():
    world = World()
    async with Service(world, lease_seconds=100) as service, Service(world, lease_seconds=100) as standby:
        await service.until_caught_up()
        waiting = asyncio.create_task(pauses_of(standby).pause())
        await asyncio.sleep(5)
        assert not waiting.done()
        await pauses_of(service).resume()
        await asyncio.sleep(1)
        assert waiting.done()
        with pytest.raises(ConflictError):
            await waiting


async def test_two_pauses_at_once_both_answer_when_nothing_is_in_flight():
    async with Service(World()) as service:
        may_end, pausing = await busy(service), pauses_of(service)
        waiting = [asyncio.create_task(pausing.pause()) for _ in range(2)]
        await asyncio.sleep(1)
        may_end.set()
        await asyncio.gather(*waiting)
        assert service.pipeline.state is PipelineState.PAUSED
        await pausing.pause()


async def test_a_pause_whose_caller_is_gone_stays_a_pause_and_hinders_no_other():
    async with Service(World()) as service:
        may_end, pausing = await busy(service), pauses_of(service)
        gone = asyncio.create_task(pausing.pause())
        await asyncio.sleep(1)
        gone.cancel()
        await asyncio.wait([gone])
        assert service.pipeline.is_paused
        again = asyncio.create_task(pausing.pause())
        await asyncio.sleep(1)
        may_end.set()
        await again
        await pausing.resume()
        await service.until_caught_up()


async def test_what_is_asked_last_holds_although_the_first_answer_comes_later():
    """A pause whose flag is on its way while somebody resumes."""
    async with Service(World()) as service:
        await service.until_caught_up()
        flags, set_paused = [], service.adapters.control.set_paused

        class Slow:
            def __getattr__(self, name: str) -> Any:
                return getattr(service.adapters.control, name)

            async def set_paused(self, is_paused: bool, *more: Any) -> Any:
                told = await set_paused(is_paused, *more)
                flags.append(is_paused)
                await asyncio.sleep(2 if is_paused else 0)
                return told

        pausing = pauses_of(service)
        pausing._control = Slow()
        first = asyncio.create_task(pausing.pause())
        await asyncio.sleep(0.5)
        await pausing.resume()
        await asyncio.wait([first])
        assert flags == [True, False]
        assert not service.pipeline.is_paused


async def test_a_pause_that_waits_is_answered_when_the_service_stops():
    service = await Service(World(), shutdown_timeout_seconds=3).open()
    await busy(service)
    waiting = asyncio.create_task(pauses_of(service).pause())
    await asyncio.sleep(1)
    service.pipeline.stop()
    await service.running
    await waiting
    assert service.world.control.of("source--replica").is_paused


class Switched:
    """ports.SourceMappings, as Lambda does it: a mapping that is on its way to a state takes no order."""

    def __init__(self, clock: FakeClock) -> None:
        self._clock = clock
        self._is_on, self._since = True, float("-inf")

    async def of_stream(self, stream_arn: str) -> list[SourceMapping]:
        moving, there = ("Enabling", "Enabled") if self._is_on else ("Disabling", "Disabled")
        return [SourceMapping("id-1", "arn:function", moving if self._is_moving else there, "OK", True, 0.0)]

    @property
    def _is_moving(self) -> bool:
        return self._clock.monotonic() < self._since + 10

    async def switch(self, mapping_id: str, *, is_on: bool) -> None:
        if self._is_moving:
            raise RefusedError("UpdateEventSourceMapping failed: it is in use", "ResourceInUseException")
        self._is_on, self._since = is_on, self._clock.monotonic()


async def test_a_mapping_that_is_switched_back_ends_the_call_that_waits_and_is_on_in_the_end():
    clock = FakeClock()
    mapping = PipelineMapping(Switched(clock), "arn:stream", clock)
    waiting = [asyncio.create_task(mapping.switch(is_on=False)) for _ in range(2)]
    await asyncio.sleep(3)
    await mapping.switch(is_on=True)
    assert mapping.state is PipelineState.RUNNING
    for call in waiting:
        with pytest.raises(ConflictError, match="asked to be on meanwhile"):
            await call


async def test_the_answer_to_a_pause_tells_who_paused_it_first_and_that_of_a_resume_nobody():
    world = World()
    async with Service(world, lease_seconds=100) as service, Service(world, lease_seconds=100) as standby:
        await service.until_caught_up()
        asked = [(service, service), (standby, service), (service, standby), (standby, standby)]
        for number, (paused, resumed) in enumerate(asked):
            answer = await console(paused).pause(f"admin {number}")
            assert (answer.paused_by, answer.paused_since is None) == (f"admin {number}", False)
            again = await console(service).pause("another")
            assert (again.paused_by, again.paused_since) == (f"admin {number}", answer.paused_since)
            told = await console(resumed).resume()
            assert (told.paused_by, told.paused_since) == (None, None)
            await until(lambda: not service.pipeline.is_paused)
