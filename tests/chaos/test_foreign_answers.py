"""Answers that are not DynamoDB's, with status 200: a lost answer, for a write and for a read, and never a success."""

from __future__ import annotations

import asyncio

from tests.chaos.test_unfit_replica import ANight
from tests.support.chaos.faults import Rates, Role
from tests.support.chaos.night import Night
from tests.support.chaos.verdict import check_witness
from tests.support.chaos.workload import Workload
from tests.support.patience import PATIENCE_SECONDS

SNAPSHOT_EVERY_WRITES = 50
"""A snapshot is asked for: most requests to the source are its."""
ROLES = (Role.SOURCE, Role.STREAM, Role.REPLICA, Role.CONTROL)
TOGETHER = Rates(
    foreign_before=0.01, foreign_after=0.01, truncated=0.01, cut_chunks=0.01, reset_before=0.025, reset_after=0.025
)
"""One in fifty answers is foreign, one in fifty cut short, one in twenty reset."""


async def go_through(night: Night, workload: Workload, rates: dict[Role, Rates], writes: int, *, least: int) -> None:
    """So many writes beside these faults, and as many more as it takes until each happened `least` times."""
    plan = night.proxy.plan
    for role, one in rates.items():
        plan.of[role].rates = one
    wanted = [(role, fault) for role, one in rates.items() for fault in one.named()]
    last = workload.writes + writes
    async with asyncio.timeout(PATIENCE_SECONDS):
        while workload.writes < last or any(plan.injected[one] < least for one in wanted):
            if workload.writes % SNAPSHOT_EVERY_WRITES == 0:
                # 409: the last one goes on; 503: the control table's answer was lost
                assert (await night.product.post("/snapshot")).status_code in (202, 409, 503)
            await workload.write_once()
            await asyncio.sleep(0.005)
    plan.calm()


async def test_what_is_not_dynamodbs_is_no_answer(a_night: ANight) -> None:
    """I2: neither a page of HTML, before or after the effect, nor JSON without the members of an answer.

    Each role is answered so, and then with all that cuts an answer short. Nothing counts as applied that was never
    written, an absent list of records, items or shards is not an empty one, and a flow that began in calm goes on in
    one piece.
    """
    log: list[bytes] = []
    async with a_night(start_at="snapshot", lease_seconds=15) as night:
        night.product.told = log.append
        workload = Workload(night.dynamodb, night.source, seed=11, big=0)
        for _ in range(20):
            await workload.write_once()
        await (await night.product.start()).until_running()
        for fault in ("foreign_before", "foreign_after", "memberless"):
            roles = [role for role in ROLES if role is not Role.CONTROL or fault != "memberless"]
            rates = {role: Rates(**{fault: 0.1 if role is Role.CONTROL else 0.2}) for role in roles}
            await go_through(night, workload, rates, 100, least=1)
            assert all(night.proxy.plan.injected[role, fault] for role in roles)
            await night.until_applied()  # before later changes of the same keys hide what was lost
        await go_through(night, workload, dict.fromkeys(ROLES, TOGETHER), 200, least=0)
        await night.until_applied()
        await night.until_settled()  # writes whose answers were foreign stay in doubt for a while
        await night.check_equal()
        check_witness(night.proxy.witness)
        unexpected = [line for line in log if b"unexpected" in line or b"Traceback" in line]
        assert not unexpected, unexpected[:2]
        leases = [line for line in log if b"lease acquired" in line]
        assert len(leases) == 1, leases
        assert await night.product.stop() == 0


async def test_a_batch_that_was_not_dynamodbs_to_answer_is_written_again(a_night: ANight) -> None:
    """I2, without a snapshot beside the stream: changes go in batches then, which need no condition."""
    async with a_night(start_at="trim_horizon") as night:
        workload = Workload(night.dynamodb, night.source, seed=12, big=0)
        await workload.write_once()
        await (await night.product.start()).until_running()
        await night.until_applied()
        plan = night.proxy.plan
        plan.of[Role.REPLICA].rates = Rates(foreign_before=0.3)
        async with asyncio.timeout(PATIENCE_SECONDS):
            while workload.writes < 150 or plan.injected[Role.REPLICA, "foreign_before"] < 10:
                await workload.write_once()
        await night.until_applied()
        plan.calm()
        await night.until_settled()
        await night.check_equal()
        assert await night.product.stop() == 0
