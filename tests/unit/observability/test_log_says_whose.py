"""Every line of trouble says whose it is: the pipeline, and of a retry what was asked of which table."""

from __future__ import annotations

from typing import Any

import pytest

from service.aws.error_codes import Call, fault
from service.errors import AmbiguousError, RetryableError
from service.events import LeaseLost, Retried
from service.observability.log_observer import SUMMARY_SECONDS, LogObserver
from service.replication.requests.backoff import until_answered
from tests.fakes.clock import FakeClock
from tests.support.captured_log import NEWS, Log
from tests.support.workbench import Bench

THROTTLE = fault(Call("PutItem", "the replica table orders-replica"), "ThrottlingException", "slower", 400)


@pytest.mark.parametrize("event", [row[0] for row in NEWS], ids=[type(row[0]).__name__ for row in NEWS])
def test_each_line_names_its_pipeline(log: Log, event: Any):
    LogObserver(pipeline="orders").observe(event)
    assert [line["pipeline"] for line in log.lines()] == ["orders"]


def test_a_retry_names_what_was_asked_and_of_which_table_at_first_and_as_long_as_it_lasts(log: Log):
    assert isinstance(THROTTLE, RetryableError)
    for _ in range(3):
        log.observer.observe(Retried.after("replica", THROTTLE))
    log.now += SUMMARY_SECONDS
    log.observer.observe(LeaseLost("whatever comes next"))
    first, _, last = log.lines()
    for line, said in ((first, "retrying"), (last, "still retrying")):
        assert line["event"] == said
        assert line["error"].startswith("PutItem on the replica table orders-replica failed: ThrottlingException")


async def test_every_retry_of_the_flow_has_its_sentence():
    bench = Bench()
    path = await bench.open()
    change = bench.put("a", "1")
    bench.world.plan.fail_next("replica.write_batch", AmbiguousError("BatchWriteItem on the replica table failed"))
    await path.sink.apply([[change]])
    left = [change.key]
    bench.world.replica.leaves_unprocessed = lambda write: write.key in left and not left.clear()
    path.doubts.looked_at(change.key, float("inf"))
    await path.sink.apply([[bench.put("a", "2")], [bench.put("b", "1")]])
    retries = bench.log.of(Retried)
    assert [retried.cause for retried in retries] == ["Unknown", "UnprocessedItems"]
    assert all(retried.error.startswith("BatchWriteItem on the replica") for retried in retries)


async def test_a_request_outside_of_the_flow_has_its_sentence_too():
    bench = Bench()
    answers: list[Any] = [AmbiguousError("UpdateItem on the control table failed"), "done"]

    async def ask() -> str:
        answer = answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return str(answer)

    assert await until_answered(ask, FakeClock(), bench.log, "control") == "done"
    (retried,) = bench.log.of(Retried)
    assert (retried.target, retried.error) == ("control", "UpdateItem on the control table failed")
