"""What service.ports.ControlStore promises of the claim on a replica: on the fake, and on the real servers."""

import asyncio
from dataclasses import replace

import pytest

from service.model import TableDescription
from service.pipeline_state import ReplicaClaim
from tests.support.stored_records import NOW


def table_of(name: str, table_id: str = "1") -> TableDescription:
    return TableDescription(
        name, f"arn:aws:dynamodb:us-west-2:123456789012:table/{name}", "us-west-2", (), table_id=table_id
    )


REPLICA, SOURCE, OTHER_SOURCE = table_of("orders-copy"), table_of("orders"), table_of("sales")


CLAIMED = ReplicaClaim("mine", SOURCE.arn, "1", NOW)


async def test_a_claimed_replica_is_refused_to_another_pipeline_which_is_told_whose_it_is(store_for):
    mine, other = store_for("mine"), store_for("other")

    assert await mine.claim_replica(REPLICA, SOURCE, NOW) is None
    assert await other.claim_replica(REPLICA, OTHER_SOURCE, NOW + 1) == CLAIMED
    assert await other.claim_replica(REPLICA, OTHER_SOURCE, NOW + 2) == CLAIMED
    assert await other.claim_replica(table_of("sales-copy"), OTHER_SOURCE, NOW) is None


async def test_a_pipeline_claims_its_replica_as_often_as_it_starts(store_for):
    mine, other = store_for("mine"), store_for("other")
    await mine.claim_replica(REPLICA, SOURCE, NOW)

    assert await mine.claim_replica(REPLICA, SOURCE, NOW + 5) is None

    assert await mine.read_claim(REPLICA) == replace(CLAIMED, claimed_at=NOW + 5)
    assert await other.read_claim(REPLICA) is None
    assert await mine.read_claim(table_of("sales-copy")) is None
    assert await other.claim_replica(REPLICA, OTHER_SOURCE, NOW) == replace(CLAIMED, claimed_at=NOW + 5)


@pytest.mark.needs("conditions hold among many at once")
async def test_one_of_many_pipelines_gets_the_replica(store_for):
    names = [f"pipeline-{number}" for number in range(8)]

    answers = await asyncio.gather(*(store_for(name).claim_replica(REPLICA, SOURCE, NOW) for name in names))

    assert answers.count(None) == 1
    winner = names[answers.index(None)]
    assert {answer.claimed_by for answer in answers if answer is not None} == {winner}


async def test_the_claim_on_a_replica_that_was_created_anew_is_void(store_for):
    mine, other = store_for("mine"), store_for("other")
    await mine.claim_replica(REPLICA, SOURCE, NOW)
    anew = replace(REPLICA, table_id="2")

    assert await other.claim_replica(anew, OTHER_SOURCE, NOW + 1) is None

    assert await mine.claim_replica(anew, SOURCE, NOW + 2) == ReplicaClaim("other", OTHER_SOURCE.arn, "2", NOW + 1)


@pytest.mark.parametrize(("claimed", "present"), [("", "2"), ("1", ""), ("", "")])
async def test_a_replica_whose_id_is_not_known_counts_as_the_same(store_for, claimed, present):
    mine, other = store_for("mine"), store_for("other")
    await mine.claim_replica(replace(REPLICA, table_id=claimed), SOURCE, NOW)

    assert await other.claim_replica(replace(REPLICA, table_id=present), OTHER_SOURCE, NOW) is not None
    assert await mine.claim_replica(replace(REPLICA, table_id=present), SOURCE, NOW) is None
