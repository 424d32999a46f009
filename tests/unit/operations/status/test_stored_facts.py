"""What a process tells that is stored by another: dead letters, verifications, gaps, and how old that may be."""

from __future__ import annotations

import asyncio
from datetime import timedelta

import pytest

from service.errors import ChangeError
from service.operations.documents.status import PipelineState, Status
from tests.fakes.service import Service, until
from tests.fakes.world import World
from tests.support.known_pipeline import LOST, play, put, refuse_all


def test_a_standby_tells_the_dead_letters_and_the_last_verification_that_are_stored() -> None:
    async def scenario(world: World) -> None:
        async with Service(world) as active:
            await active.until_caught_up()
            world.replica.poison = lambda write: ChangeError("refused")
            put(world, 2)
            await until(lambda: active.report.status().dead_letters == 2)
            world.replica.poison = lambda write: None
            async with Service(world) as standby:
                assert standby.report.status().dead_letters is None, "it has not looked yet"
                standby.start_looking()
                await asyncio.sleep(1)
                status = standby.report.status()
                assert (status.state, status.dead_letters) == (PipelineState.STANDBY, 2)
                assert status.last_verification is None
                job = await active.verify()
                letters, _ = await active.letters.page(10, None)
                await active.letters.discard(letters[0]["id"])
                await asyncio.sleep(12)
                status = standby.report.status()
                assert status.dead_letters == 1
                assert status.last_verification is not None
                assert (status.last_verification.id, status.last_verification.missing) == (job.id, 2)
                sample = await active.verify(sample=0.5)
                await asyncio.sleep(12)
                last = standby.report.status().last_verification
                assert last is not None
                assert last.id == job.id != sample.id, "a sample is no full verification"

    play(scenario)


def test_a_standby_tells_the_last_pass_of_the_endless_verification() -> None:
    async def scenario(world: World) -> None:
        async with Service(world, verify_items_per_second=1000) as active, Service(world) as standby:
            standby.start_looking()
            await active.until_caught_up()
            await asyncio.sleep(60)
            mine, others = active.report.status().last_verification, standby.report.status().last_verification
            assert mine is not None
            assert others is not None
            assert mine.finished_at is not None
            assert others.finished_at is not None
            assert mine.finished_at - others.finished_at < timedelta(seconds=30)

    play(scenario)


def test_a_standby_tells_the_gaps_that_are_stored() -> None:
    async def scenario(world: World) -> None:
        async with Service(world) as active, Service(world) as standby:
            standby.start_looking()
            await active.until_caught_up()
            assert standby.report.status().gaps == []
            world.source.stream.vanish()
            await until(lambda: active.pipeline.state is PipelineState.FAILED)
            await asyncio.sleep(65)
            status = standby.report.status()
            assert status.state is PipelineState.STANDBY
            assert status.gaps == active.report.status().gaps != []

    play(scenario)


def known(status: Status) -> tuple[int | None, bool]:
    return status.dead_letters, status.last_verification is not None


def test_what_was_stored_is_unknown_when_it_was_not_seen_for_half_a_minute() -> None:
    async def scenario(world: World) -> None:
        async with Service(world, lease_seconds=5) as service:
            service.start_looking()
            await service.until_caught_up()
            await service.verify()
            assert known(service.report.status()) == (0, True)
            refuse_all(world, 120)
            await asyncio.sleep(20)
            assert service.report.status().state is PipelineState.STANDBY
            assert known(service.report.status()) == (0, True), "seen a moment ago"
            await asyncio.sleep(60)
            assert known(service.report.status()) == (None, True), "a verification has its date"
            await service.until_caught_up()
            assert known(service.report.status()) == (0, True)

    play(scenario)


@pytest.mark.parametrize("call", ["count_dead_letters", "list_jobs", "get_job"])
def test_a_look_that_fails_is_made_again_soon(call: str) -> None:
    async def scenario(world: World) -> None:
        async with Service(world) as active, Service(world) as standby:
            await active.until_caught_up()
            await active.verify()
            world.plan.fail_next(f"control.{call}", LOST)
            standby.start_looking()
            await asyncio.sleep(3)
            assert known(standby.report.status()) == (0, True)

    play(scenario)


def test_the_looks_of_the_active_process_cost_nothing() -> None:
    async def scenario(world: World) -> None:
        async with Service(world) as active:
            active.start_looking()
            await active.until_caught_up()
            await asyncio.sleep(15)
            made = len(active.process.connection.made)
            await asyncio.sleep(60)
            asked = set(active.process.connection.made[made:])
            assert "control.renew_lease" in asked
            assert not {"control.list_jobs", "control.read_gaps"} & asked

    play(scenario)
