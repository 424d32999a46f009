"""Answers that are not DynamoDB's, with status 200: a lost answer, for a write and for a read, and never a success."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence

import pytest

from tests.chaos.faults import Rates, Role
from tests.chaos.test_unfit_replica import ANight
from tests.chaos.verdict import check_witness
from tests.chaos.workload import Workload

SNAPSHOT_EVERY_WRITES = 75
"""A snapshot is asked for: most requests to the source are its."""
ROLES = (Role.SOURCE, Role.STREAM, Role.REPLICA, Role.CONTROL)


async def replicate_beside(
    a_night: ANight, phases: Sequence[Mapping[Role, Rates]], writes: int, *, least: int = 0
) -> None:
    """A flow that began in calm goes on in one piece through phases of faults, and both tables are equal in the end.

    Each fault of a phase happens `least` times.
    """
    log: list[bytes] = []
    async with a_night(start_at="snapshot", lease_seconds=5) as night:
        night.product.told = log.append
        workload = Workload(night.dynamodb, night.source, seed=11, big=0)
        for _ in range(20):
            await workload.write_once()
        await (await night.product.start()).until_running()
        for number, rates in enumerate(phases, start=1):
            for role, one in rates.items():
                night.proxy.plan.of[role].rates = one
            wanted = [(role, fault) for role, one in rates.items() for fault in one.named()]
            async with asyncio.timeout(60):
                while workload.writes < number * writes or any(
                    night.proxy.plan.injected[one] < least for one in wanted
                ):
                    if workload.writes % SNAPSHOT_EVERY_WRITES == 0:
                        # 409: the last one goes on; 503: the control table's answer was lost
                        assert (await night.product.post("/snapshot")).status_code in (202, 409, 503)
                    await workload.write_once()
                    await asyncio.sleep(0.005)
            await asyncio.sleep(0.5)
            night.proxy.plan.calm()
        await night.until_applied(20)
        await night.until_settled()  # writes whose answers were foreign stay in doubt for a while
        await night.check_equal()
        check_witness(night.proxy.witness)
        unexpected = [line for line in log if b"unexpected" in line or b"Traceback" in line]
        assert not unexpected, unexpected[:2]
        leases = [line for line in log if b"lease acquired" in line]
        assert len(leases) == 1, leases
        assert await night.product.stop() == 0


@pytest.mark.parametrize("role", ROLES)
async def test_what_is_not_dynamodbs_is_no_answer(a_night: ANight, role: Role) -> None:
    """I2: neither a page of HTML, before or after the effect, nor JSON without the members of an answer.

    Nothing counts as applied that was never written, an absent list of records, items or shards is not an empty one,
    and the flow goes on.
    """
    rate = 0.1 if role is Role.CONTROL else 0.2
    faults = ["foreign_before", "foreign_after"]
    if role is not Role.CONTROL:
        faults.append("memberless")
    await replicate_beside(a_night, [{role: Rates(**{fault: rate})} for fault in faults], 150, least=1)


async def test_foreign_cut_and_reset_answers_together_lose_nothing(a_night: ANight) -> None:
    """One in fifty answers is foreign, one in fifty cut short, one in twenty reset."""
    every = Rates(
        foreign_before=0.01, foreign_after=0.01, truncated=0.01, cut_chunks=0.01, reset_before=0.025, reset_after=0.025
    )
    await replicate_beside(a_night, [dict.fromkeys(ROLES, every)], 500)
