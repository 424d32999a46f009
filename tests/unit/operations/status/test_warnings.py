"""What the status warns of, and until when."""

from __future__ import annotations

import asyncio

import pytest

from service.errors import RefusedError, ThrottledError
from tests.fakes.service import Service, until
from tests.fakes.world import World
from tests.support.known_pipeline import outage, play, put


def test_a_throttling_replica_is_a_warning_that_passes() -> None:
    async def scenario(world: World) -> None:
        async with Service(world) as service:
            await service.until_caught_up()
            throttle = ThrottledError("slow down", "ThrottlingException")
            world.plan.fail_next("replica.write_batch", throttle, times=3)
            put(world, 3)
            await service.until_caught_up()
            await until(lambda: service.report.status().totals.items_written == 3)
            status = service.report.status()
            assert status.totals.retries >= 3
            assert any("throttles" in warning for warning in status.warnings)
            await asyncio.sleep(120)
            assert not service.report.status().warnings

    play(scenario)


def test_a_stream_that_can_not_be_listed_is_a_warning_though_its_known_shards_are_read() -> None:
    async def scenario(world: World) -> None:
        async with Service(world) as service:
            await service.until_caught_up()
            denied = RefusedError("access to DescribeStream is denied", "AccessDeniedException")
            world.plan.fail_next("streams.describe", denied, times=1000)
            await asyncio.sleep(90)
            (warning,) = service.report.status().warnings
            assert "can't be listed" in warning
            assert warning.endswith("access to DescribeStream is denied")
            world.plan.fail_no_more()
            await asyncio.sleep(60)
            assert not service.report.status().warnings

    play(scenario)


@pytest.mark.parametrize(("skew", "told"), [(-120.0, " s behind AWS's"), (3600.0, " s ahead of AWS's")])
def test_a_clock_that_is_off_is_a_warning_and_a_figure(skew: float, told: str) -> None:
    async def scenario(world: World) -> None:
        world.dates_answers = True
        async with Service(world, world.process(skew=skew)) as service:
            await service.until_caught_up()
            await asyncio.sleep(30)
            status = service.report.status()
            assert status.clock_offset_seconds is not None
            assert abs(status.clock_offset_seconds + skew) < 2
            (warning,) = status.warnings
            assert "NTP" in warning
            assert told in warning

    play(scenario)


@pytest.mark.parametrize("skew", [0.0, -28.0, 28.0])
def test_a_clock_that_is_nearly_right_is_no_warning(skew: float) -> None:
    async def scenario(world: World) -> None:
        world.dates_answers = True
        async with Service(world, world.process(skew=skew)) as service:
            await service.until_caught_up()
            await asyncio.sleep(30)
            assert not service.report.status().warnings

    play(scenario)


def test_the_offset_is_null_until_an_answer_has_told_it() -> None:
    async def scenario(world: World) -> None:
        async with Service(world) as service:
            await service.until_caught_up()
            assert service.report.status().clock_offset_seconds is None

    play(scenario)


def test_a_sequence_attribute_that_is_turned_off_is_a_warning_for_good() -> None:
    async def scenario(world: World) -> None:
        async with Service(world, sequence_attribute="") as service:
            await service.until_caught_up()
            (warning,) = service.report.status().warnings
            assert warning.startswith("DYNAMIRROR_SEQUENCE_ATTRIBUTE is empty")

    play(scenario)


def test_a_table_that_may_not_be_read_is_a_warning_while_a_job_waits_for_it() -> None:
    async def scenario(world: World) -> None:
        async with Service(world, lease_seconds=3600) as service:
            put(world, 5)
            await service.until_caught_up()
            await outage(world, "source", 300)
            job = await service.verifications.start(await service.flow())
            await asyncio.sleep(60)
            assert any("denied" in warning for warning in service.report.status().warnings)
            await asyncio.sleep(300)
            await service.ended(job.id)
            assert not service.report.status().warnings

    play(scenario)
