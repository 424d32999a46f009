"""I4: memory does not grow with lag; the queue is bounded in records and bytes, and a full queue stops the reads."""

from __future__ import annotations

import asyncio

from hypothesis import given
from hypothesis import strategies as st

from service.errors import ThrottledError
from service.model import Change, Effect, ItemKey, SequenceNumber, ShardId
from service.replication.change_queue import ChangeQueue
from tests.fakes.clock import run_virtual, settle
from tests.support.histories.player import Stage
from tests.support.histories.random_histories import Setting, slow

sizes = st.lists(st.integers(1, 120), min_size=1, max_size=12)


def changes_of(shard: int, found: list[int]) -> list[Change]:
    return [
        Change(ShardId(f"s{shard}"), SequenceNumber(number), Effect.DELETE, ItemKey(b"{}"), None, 0.0, size)
        for number, size in enumerate(found)
    ]


@given(st.lists(sizes, min_size=1, max_size=6), st.integers(1, 8), st.integers(1, 150), st.integers(0, 2**32 - 1))
def test_the_queue_stays_within_its_bounds_and_keeps_each_readers_order(pages, max_records, max_bytes, seed):
    async def scenario() -> None:
        queue = ChangeQueue(max_records, max_bytes)
        readers = [asyncio.create_task(queue.put(changes_of(number, page))) for number, page in enumerate(pages)]
        held: list[Change] = []
        seen: list[Change] = []
        total = sum(map(len, pages))
        while len(seen) < total or held:
            await settle(3)
            waiting = queue.records - len(held)
            assert queue.records <= max_records
            assert queue.bytes <= max_bytes or queue.records == 1
            if waiting:
                got = await queue.get()
                held += got
                seen += got
            if held:
                done, held = held[:1], held[1:]
                queue.release(1, done[0].size)
        assert queue.records == queue.bytes == 0
        for number, page in enumerate(pages):
            assert [change.size for change in seen if change.shard_id == f"s{number}"] == page
        await asyncio.gather(*readers)

    run_virtual(scenario, seed=seed)


@slow(1)
@given(
    st.integers(0, 2**32 - 1),
    st.integers(1, 20),
    st.integers(50, 3000),
    st.integers(1, 3),
    st.lists(st.integers(0, 400), min_size=40, max_size=120),
)
def test_while_the_replica_takes_nothing_the_reads_stop_and_memory_stays_bounded(
    seed, max_records, max_bytes, shards, payloads
):
    async def scenario() -> None:
        stage = Stage(
            Setting(seed, shards=shards, is_late=False),
            queue_max_records=str(max_records),
            queue_max_bytes=str(max_bytes),
        )
        actor = await stage.open()
        await asyncio.sleep(5)
        now = stage.world.clock.now()
        stage.world.plan.outage("replica", now, now + 200, ThrottledError("slow down"))
        for number, length in enumerate(payloads):
            stage.world.source.put({"key": {"S": f"k{number}"}, "value": {"S": "x" * length}})
        held = sum(len(key) + len(image) for key, image in stage.world.source.items.items())
        must_stop = shards == 1 and (len(payloads) > max_records or held > max_bytes)
        reads: set[int] = set()
        while asyncio.get_running_loop().time() < 1150:
            await asyncio.sleep(0.3)
            flow = actor.pipeline.replicator
            assert flow is not None
            queue = flow.queue
            assert queue.records <= max_records
            assert queue.bytes <= max_bytes or queue.records == 1
            # Beyond the queue there is only what a page at a time brings, for as many as may be asked for at once.
            assert flow.progress.unsettled <= max_records * (1 + min(queue.pages_beside, shards))
            if asyncio.get_running_loop().time() > 1100:
                reads.add(stage.world.source.stream.calls["read"])
        assert len(reads) == 1 or not must_stop, "a full queue goes on reading"
        await stage.close()
        stage.judge().check_all()

    run_virtual(scenario, seed=seed)


@slow()
@given(st.integers(0, 2**32 - 1), st.integers(1, 5))
def test_a_flood_of_one_key_takes_no_more_memory_than_any_other(seed, max_records):
    """It is coalesced, and never holds more than the queue's bound (E57)."""

    async def scenario() -> None:
        stage = Stage(Setting(seed, is_late=False), queue_max_records=str(max_records))
        actor = await stage.open()
        for number in range(60):
            stage.world.source.put({"key": {"S": "hot"}, "value": {"N": str(number)}})
            if number % 10 == 0:
                stage.world.source.put({"key": {"S": f"cold{number}"}, "value": {"N": "1"}})
            await asyncio.sleep(0.01)
            if actor.pipeline.replicator is not None:
                assert actor.pipeline.replicator.queue.records <= max_records
        await stage.close()
        stage.judge().check_all()

    run_virtual(scenario, seed=seed)
