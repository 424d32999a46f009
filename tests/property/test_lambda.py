"""I1 to I3 with Lambda: whatever batches it makes, and however often it sends them, the replica comes out right."""

from __future__ import annotations

import asyncio
from collections import Counter

from hypothesis import event, given
from hypothesis import strategies as st

from service.configuration.settings import load_settings
from service.errors import ChangeError, ThrottledError
from service.model import ItemWrite, Put, ViewType
from tests.fakes.clock import run_virtual
from tests.fakes.event_source import Mapping, Poller, beside
from tests.fakes.faults import FaultPlan, Rates
from tests.fakes.images import key_of
from tests.fakes.stream import Timing
from tests.fakes.world import World
from tests.support.histories.arrivals import Watch
from tests.support.histories.random_histories import slow
from tests.support.invariants import Judge

STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("put"), st.integers(0, 3), st.integers(0, 1)),
        st.tuples(st.just("delete"), st.integers(0, 3)),
        st.tuples(st.just("wait"), st.sampled_from([0.0, 0.02, 0.3, 2.0])),
        st.tuples(st.just("slow"), st.integers(1, 7)),
    ),
    min_size=5,
    max_size=60,
)


def mappings(**fixed):
    free = {
        "seed": st.integers(0, 2**32 - 1),
        "batch_size": st.sampled_from([1, 3, 10, 100]),
        "parallelization": st.sampled_from([1, 2, 10]),
        "bisects": st.booleans(),
        "window_seconds": st.sampled_from([0.0, 1.0]),
        "crashes": st.sampled_from([0.0, 0.3]),
        "timeouts": st.sampled_from([0.0, 0.4]),
        "lost_answers": st.sampled_from([0.0, 0.3]),
        "repeats": st.sampled_from([0.0, 0.3]),
        "late_repeats": st.sampled_from([0.0, 0.3]),
    }
    return st.builds(Mapping, **(free | {name: st.just(value) for name, value in fixed.items()}))


def world_of(mapping, view_type=ViewType.NEW_AND_OLD_IMAGES, *, has_faults=False, shards=1):
    rates = dict.fromkeys(("source", "replica", "control"), Rates.wild()) if has_faults else {}
    return World(
        mapping.seed,
        view_type=view_type,
        shards=shards,
        timing=Timing(record_delay=(0.0, 2.0)),
        plan=FaultPlan(mapping.seed, rates),
        max_latency=0.05,
    )


def settings_of(**named):
    tables = {"source_table": "master-table", "replica_table": "replica-table", "writers": "4"}
    return load_settings({f"DYNAMIRROR_{name.upper()}": value for name, value in (tables | named).items()})


async def perform(world, steps):
    for kind, *rest in steps:
        if kind == "put":
            world.source.put({"key": {"S": f"k{rest[0]}"}, "value": {"N": str(rest[1])}})
        elif kind == "delete":
            world.source.delete({"key": {"S": f"k{rest[0]}"}})
        elif kind == "slow":
            for call in ("replica.put", "replica.delete"):
                world.plan.fail_next(call, ThrottledError("slow down", "ThrottlingException"), times=rest[0])
        else:
            await asyncio.sleep(rest[0])
        await asyncio.sleep(0.01)


def play(world, mapping, steps, **named):
    poller = Poller(world, settings_of(**named), mapping)
    run_virtual(lambda: beside(poller, lambda: perform(world, steps)), seed=mapping.seed)
    event(f"{'some' if poller.failures else 'no'} failures")
    return poller


@given(mappings(crashes=0.0, timeouts=0.0, lost_answers=0.0), STEPS, st.booleans(), st.integers(1, 3))
def test_batches_windows_and_parallel_parts_bring_everything_in_order(mapping, steps, has_faults, shards):
    world = world_of(mapping, has_faults=has_faults, shards=shards)
    play(world, mapping, steps)
    Judge(world).check_all()


@given(mappings(), STEPS, st.booleans(), st.integers(1, 3))
def test_nothing_is_lost_and_nothing_goes_back_when_batches_fail_and_come_again(mapping, steps, has_faults, shards):
    world = world_of(mapping, has_faults=has_faults, shards=shards)
    play(world, mapping, steps)
    Judge(world).check_never_back()
    Judge(world).check_equal()


@slow()
@given(mappings(), STEPS, st.sampled_from(ViewType), st.sampled_from(["dynamirror_sequence", ""]))
def test_it_holds_for_every_view_type_and_without_the_sequence_attribute(mapping, steps, view_type, sequence):
    world = world_of(mapping, view_type)
    world.replica.sequence_attribute = sequence
    play(world, mapping, steps, sequence_attribute=sequence)
    Judge(world).check_never_back()
    Judge(world).check_equal()


ONE_KEY = st.lists(
    st.one_of(
        st.tuples(st.just("put"), st.just(0), st.integers(0, 1)),
        st.tuples(st.just("delete"), st.just(0)),
        st.tuples(st.just("wait"), st.sampled_from([0.3, 1.0, 3.0])),
    ),
    min_size=8,
    max_size=40,
)


@given(mappings(lost_answers=0.6, parallelization=1, bisects=True), ONE_KEY)
def test_a_content_that_comes_again_is_not_taken_away_by_the_second_try_of_a_half(mapping, steps):
    world = world_of(mapping)
    play(world, mapping, steps)
    Judge(world).check_never_back()
    Judge(world).check_equal()


@slow()
@given(mappings(), STEPS)
def test_poison_becomes_a_dead_letter_and_holds_nothing_back(mapping, steps):
    world = world_of(mapping)
    poisoned = key_of({"key": {"S": "k0"}})

    def poison(write: ItemWrite) -> ChangeError | None:
        return ChangeError("not this one") if isinstance(write, Put) and write.key == poisoned else None

    world.replica.poison = poison
    world.source.add_unreadable({"key": {"S": "k1"}})
    play(world, mapping, steps)
    Judge(world).check_never_back()
    Judge(world).check_equal(but=[poisoned])
    letters = Counter(letter.event_name for letter in _letters(world))
    assert letters["EXPLODE"] == 1
    watch = Watch(world)
    for shard in world.source.stream.shards.values():
        assert all(watch.is_settled(record) for record in shard.records)


def _letters(world):
    return [letter for pipeline in world.control.pipelines.values() for letter in pipeline.letters.values()]
