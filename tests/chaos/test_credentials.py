"""Credentials end in the midst of everything: they are renewed, for the SDK and for the wire, and nothing is lost."""

from __future__ import annotations

from tests.chaos.test_unfit_replica import ANight, put_some
from tests.support.chaos.issuer import Issuer
from tests.support.chaos.verdict import check_witness
from tests.support.chaos.workload import Workload

ROLE = "arn:aws:iam::123456789012:role/writer"


async def test_credentials_that_end_meanwhile_are_renewed_in_time(a_night: ANight) -> None:
    """A container's for the source, and a role's, which are asked for with those, for the replica."""
    async with (
        Issuer(seconds=3, grace_seconds=30) as issuer,
        a_night(replica_role_arn=ROLE, more=issuer.environment) as night,
    ):
        night.proxy.judge = issuer.judge
        await (await night.product.start()).until_running()
        async with Workload(night.dynamodb, night.source, seed=6, per_second=30, big=0):
            await night.until(
                lambda: issuer.used_of("CONTAINER") > 2 and issuer.used_of("ROLE") > 2, what="the third ones are used"
            )
        await night.until_applied()
        assert issuer.refused == []
        await night.check_equal()
        check_witness(night.proxy.witness)
        assert await night.product.stop() == 0


async def test_without_new_credentials_it_waits_and_says_why(a_night: ANight) -> None:
    """E52: whoever gives them is away until the last ones have ended."""
    async with (
        Issuer(seconds=2, grace_seconds=4) as issuer,
        a_night(replica_role_arn=ROLE, more=issuer.environment, lease_seconds=3) as night,
    ):
        night.proxy.judge = issuer.judge
        await (await night.product.start()).until_running()
        await put_some(night, "before")
        await night.until_applied()
        issuer.is_away = True
        await night.until(lambda: any(key.startswith("ROLE") for key in issuer.refused), what="they are refused")
        await put_some(night, "during")
        await night.product.until(
            lambda status: status["state"] == "standby" and "ExpiredToken" in (status["reason"] or "")
        )
        applied = len(night.proxy.witness.replica)
        issuer.is_away = False
        await night.until_applied()
        assert len(night.proxy.witness.replica) == applied + 5
        assert await night.dead_letters() == []
        await night.product.until_caught_up()
        await night.until_ready()
        await night.check_equal()
        check_witness(night.proxy.witness)
        assert await night.product.stop() == 0
