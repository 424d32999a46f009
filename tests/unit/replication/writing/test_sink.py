"""Changes become item writes, and every one of them is settled: written, superseded, skipped or parked."""

from __future__ import annotations

import pytest

from service.errors import AmbiguousError, ChangeError, ThrottledError, TransientChangeError, UnavailableError
from service.model import Delete, Put, SequenceNumber, ViewType
from service.replication.guard_window import GuardWindow
from tests.fakes.clock import EPOCH
from tests.fakes.faults import Moment
from tests.fakes.images import item_of, key_of
from tests.fakes.world import World
from tests.support.workbench import Bench, item, key

GUARDED = {"guards_all": False, "until": EPOCH + 1000}


def refusing(*names: str, error: type[ChangeError] = ChangeError):
    """A poison for these keys' puts of the value `bad`."""

    def objection(write):
        is_bad = isinstance(write, Put) and item_of(write.item)["value"] == {"S": "bad"}
        return error("refused") if is_bad and write.key in {key(name) for name in names} else None

    return objection


@pytest.mark.parametrize("window", [{"guards_all": False}, GUARDED, {"guards_all": True}])
async def test_inserts_and_modifications_put_the_whole_item_and_removals_delete_e34(window):
    bench = Bench(window=GuardWindow(**window))
    path = await bench.open()
    first, other = bench.put("a", "1"), bench.put("b", "1")
    await path.sink.apply([[first], [other]])
    assert bench.held("a") == item("a", "1")
    assert bench.number("a") == first.sequence.guard
    await path.sink.apply([[bench.put("a", "2")], [bench.delete("b")]])
    assert bench.held("a") == item("a", "2")
    assert bench.held("b") is None
    assert len(bench.settled) == 4


@pytest.mark.parametrize("window", [GUARDED, {"guards_all": True}])
async def test_changes_that_are_applied_twice_leave_the_replica_as_it_is_e34_e51(window):
    bench = Bench(window=GuardWindow(**window))
    path = await bench.open()
    changes = [bench.put("a", "1"), bench.put("a", "2"), bench.delete("a"), bench.put("a", "3"), bench.put("b", "1")]
    groups = [[change] for change in changes]
    for group in groups:
        await path.sink.apply([group])
    before = dict(bench.world.replica.items)
    for group in groups:
        await path.sink.apply([group])
    assert bench.world.replica.items == before
    states = [state.image for state in bench.world.replica.history[key("a")]]
    assert states == [*dict.fromkeys(states)], "a state was shown twice"


async def test_of_one_keys_group_only_the_newest_is_written_and_all_are_settled_e35():
    bench = Bench()
    path = await bench.open()
    group = [bench.put("a", "1"), bench.delete("a"), bench.put("a", "2")]
    await path.sink.apply([group])
    assert bench.held("a") == item("a", "2")
    assert bench.world.replica.writes[key("a")] == 1
    assert bench.settled == group
    assert bench.log.settled("coalesced") == 2
    group = [bench.put("a", "3"), bench.delete("a")]
    await path.sink.apply([group])
    assert bench.held("a") is None


async def test_what_a_batch_left_unprocessed_is_written_before_the_lane_goes_on_e38():
    bench = Bench()
    path = await bench.open()
    left = [key("b"), key("c")]

    def leaves(write) -> bool:
        return write.key in left and (left.remove(write.key) or True)

    bench.world.replica.leaves_unprocessed = leaves
    changes = [bench.put(name, "1") for name in "abc"]
    await path.sink.apply([[change] for change in changes])
    assert sorted(bench.world.replica.items) == [key("a"), key("b"), key("c")]
    assert sorted(change.sequence for change in bench.settled) == [change.sequence for change in changes]
    assert path.gate.limit < 16  # it asks for less


async def test_an_unprocessed_change_is_not_settled_before_it_is_written_e38():
    bench = Bench()
    path = await bench.open()
    seen: list[tuple[int, int]] = []
    bench.world.replica.leaves_unprocessed = lambda write: len(seen) < 3 and write.key == key("b")

    class Watching:
        def observe(self, event) -> None:
            if type(event).__name__ == "Retried":
                seen.append((len(bench.settled), len(bench.world.replica.items)))

    path.requests._observer = Watching()
    await path.sink.apply([[bench.put("a", "1")], [bench.put("b", "1")]])
    assert seen == [(1, 1)] * 3
    assert len(bench.settled) == 2


async def test_a_throttled_batch_is_no_poison_e39():
    bench = Bench()
    path = await bench.open()
    error = ThrottledError("slow", "ProvisionedThroughputExceededException")
    bench.world.plan.fail_next("replica.write_batch", error, times=40)
    await path.sink.apply([[bench.put("a", "1")]])
    assert bench.held("a") == item("a", "1")
    assert bench.letters == []


async def test_an_item_that_its_metadata_makes_too_large_goes_with_fewer_of_them_e43():
    bench = Bench()
    path = await bench.open()
    room = 400 * 1024 - len("key") - len("a") - len("value")
    await path.sink.apply([[bench.put("a", "x" * (room - 70))]])  # the number fits, the stamp does not
    assert bench.number("a") is not None
    assert "timestamp" not in bench.world.replica.item({"key": {"S": "a"}})
    await path.sink.apply([[bench.put("b", "x" * room)]])
    assert bench.number("b") is None
    assert bench.held("b") == item("b", "x" * room)
    assert bench.letters == []


async def test_an_item_that_is_too_large_by_itself_becomes_a_dead_letter_e43():
    bench = Bench()
    path = await bench.open()
    await path.sink.apply([[bench.put("a", "x" * 410_000)], [bench.put("b", "1")]])
    assert bench.held("a") is None
    assert bench.held("b") == item("b", "1")
    assert len(bench.letters) == 1


async def test_a_ttl_delete_is_applied_or_left_out_as_configured_e48():
    for skips, held in (("false", None), ("true", item("a", "1"))):
        bench = Bench(skip_ttl_deletes=skips)
        path = await bench.open()
        await path.sink.apply([[bench.put("a", "1")]])
        await path.sink.apply([[bench.delete("a", is_ttl=True)]])
        assert bench.held("a") == held
        assert len(bench.settled) == 2
        assert bench.log.settled("skipped") == int(held is not None)


async def test_an_ordinary_delete_is_applied_where_ttl_deletes_are_left_out_e48():
    bench = Bench(skip_ttl_deletes="true")
    path = await bench.open()
    await path.sink.apply([[bench.put("a", "1")]])
    await path.sink.apply([[bench.delete("a")]])
    assert bench.held("a") is None


@pytest.mark.parametrize("window", [{"guards_all": False}, {"guards_all": True}])
async def test_deleting_what_is_not_there_is_a_success_e49(window):
    bench = Bench(window=GuardWindow(**window))
    path = await bench.open()
    bench.put("a", "1")
    await path.sink.apply([[bench.delete("a")]])
    assert len(bench.settled) == 1
    assert bench.letters == []


@pytest.mark.parametrize("window", [{"guards_all": False}, {"guards_all": True}])
async def test_a_poison_is_parked_whole_and_the_others_of_its_batch_are_written_e50(window):
    bench = Bench(window=GuardWindow(**window))
    path = await bench.open()
    bench.world.replica.poison = refusing("b")
    changes = [bench.put("a", "1"), bench.put("b", "bad"), bench.put("c", "1")]
    await path.sink.apply([[change] for change in changes])
    assert sorted(bench.world.replica.items) == [key("a"), key("c")]
    (letter,) = bench.letters
    assert (letter.sequence, letter.key, letter.error) == (changes[1].sequence, key("b"), "refused")
    assert b'"bad"' in letter.record
    assert len(bench.settled) == 3


async def test_behind_a_poison_the_next_older_state_of_its_key_is_brought():
    bench = Bench()
    path = await bench.open()
    bench.world.replica.poison = refusing("a")
    good, bad = bench.put("a", "1"), bench.put("a", "bad")
    bench.world.source.put(item("a", "1"))  # the source holds that state, so it may be shown
    await path.sink.apply([[good, bad]])
    assert bench.held("a") == item("a", "1")
    assert [letter.sequence for letter in bench.letters] == [bad.sequence]
    assert bench.settled == [bad, good]


async def test_a_letter_is_stored_before_its_change_counts_as_settled_e61():
    bench = Bench()
    path = await bench.open()
    bench.world.replica.poison = refusing("a")
    unstored = UnavailableError("no connection")
    bench.world.plan.fail_next("control.put_dead_letters", unstored, times=3)
    stored: list[int] = []
    path.sink._settle = lambda changes: stored.append(len(bench.letters))
    await path.sink.apply([[bench.put("a", "bad")]])
    assert stored == [1]


async def test_a_cause_that_may_pass_is_given_some_tries_and_no_more_e51():
    bench = Bench(max_attempts="4")
    path = await bench.open()
    conflict = TransientChangeError("TransactionConflictException")
    bench.world.plan.fail_next("replica.write_batch", conflict)
    bench.world.plan.fail_next("replica.put", conflict, times=3)
    await path.sink.apply([[bench.put("a", "1")]])
    assert bench.held("a") == item("a", "1")
    assert bench.letters == []
    bench.world.replica.poison = refusing("a", error=TransientChangeError)
    before = bench.process.connection.made.count("replica.put")
    await path.sink.apply([[bench.put("a", "bad")]])
    assert [letter.attempts for letter in bench.letters] == [4]
    assert bench.process.connection.made.count("replica.put") - before == 4


async def test_a_batch_that_is_refused_again_and_again_for_a_passing_cause_is_taken_apart_e51():
    bench = Bench(max_attempts="3")
    path = await bench.open()
    bench.world.plan.fail_next("replica.write_batch", TransientChangeError("conflict"), times=1000)
    await path.sink.apply([[bench.put("a", "1")], [bench.put("b", "1")]])
    assert bench.process.connection.made.count("replica.write_batch") == 3
    assert sorted(bench.world.replica.items) == [key("a"), key("b")]


@pytest.mark.parametrize("moment", list(Moment))
async def test_a_batch_whose_answer_was_lost_is_made_good_item_by_item_e51(moment):
    bench = Bench()
    path = await bench.open()
    lost = AmbiguousError("the answer was lost")
    bench.world.plan.fail_next("replica.write_batch", lost, moment=moment)
    changes = [bench.put(name, "1") for name in "abcd"]
    await path.sink.apply([[change] for change in changes])
    assert sorted(bench.world.replica.items) == [change.key for change in changes]
    assert all(count == 1 for count in bench.world.replica.writes.values())
    assert len(bench.settled) == 4


@pytest.mark.parametrize("view_type", [ViewType.KEYS_ONLY, ViewType.OLD_IMAGE])
async def test_a_record_without_an_image_brings_what_the_source_holds_e26(view_type):
    bench = Bench(World(view_type=view_type))
    path = await bench.open()
    first = bench.put("a", "1")
    bench.put("a", "2")
    gone = bench.put("b", "1")
    bench.delete("b")
    await path.sink.apply([[first], [gone]])
    assert bench.held("a") == item("a", "2")
    assert bench.held("b") is None
    assert bench.world.source.calls["get_many"] == 1


def without_bombs(found):
    if found["value"] == {"S": "bomb"}:
        raise ValueError("boom")
    return found


async def test_of_a_group_the_change_that_the_transform_breaks_on_is_parked_and_not_another():
    bench = Bench(transform="tests.unit.replication.writing.test_sink:without_bombs")
    path = await bench.open()
    good, bad = bench.put("a", "1"), bench.put("a", "bomb")
    await path.sink.apply([[good, bad]])
    assert [letter.sequence for letter in bench.letters] == [bad.sequence]
    assert bench.held("a") == item("a", "1")
    assert bench.settled == [bad, good]


async def test_unconditional_writes_are_made_only_outside_of_the_window():
    made: list[tuple[str, bool]] = []
    bench = Bench(window=GuardWindow(guards_all=False, until=EPOCH + 5))
    path = await bench.open()
    early = bench.put("a", "1")
    await bench.world.clock.sleep(6)
    late = bench.put("b", "1")
    await path.sink.apply([[early], [late]])
    made = [name for name in bench.process.connection.made if name.startswith("replica.")]
    assert made.count("replica.write_batch") == 1
    assert "replica.put" in made


def test_a_delete_has_the_canonical_key():
    assert Delete(key("a")).key == key_of({"key": {"S": "a"}})
    assert SequenceNumber(7).guard == "7".zfill(40)  # E29
