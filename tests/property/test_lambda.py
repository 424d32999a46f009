"""I1 to I3 with Lambda: whatever batches it makes, and however often it sends them, the replica comes out right."""

from __future__ import annotations

from collections import Counter

from hypothesis import event, given
from hypothesis import strategies as st

from service.errors import ChangeError
from service.model import ItemWrite, Put, ViewType
from tests.fakes.clock import run_virtual
from tests.fakes.event_source import Poller, beside
from tests.fakes.images import key_of
from tests.support.histories.arrivals import Watch
from tests.support.histories.random_histories import slow
from tests.support.invariants import Judge
from tests.support.lambda_mode.world import STEPS, mappings, perform, settings_of, world_of


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
