"""Where every change is judged by the source, both tables are looked at for a whole batch, and no look is overrated."""

from __future__ import annotations

import asyncio

from service.errors import AmbiguousError, RefusedError, ThrottledError
from service.events import Warned, WarningEnded
from service.model import ViewType
from service.replication.guard_window import GuardWindow
from service.replication.writing.prefetch import DENIED, DENIED_SECONDS, FRESH_SECONDS, SLOW_SECONDS
from tests.fakes.world import World
from tests.support.workbench import Bench, item, key


def shared(world: World | None = None, **settings: str) -> Bench:
    return Bench(world, window=GuardWindow(guards_all=True, is_shared=True), **settings)


def after_the_looks(bench: Bench, act):
    """Do this once, right after both tables were looked at for a batch."""
    look, acts = bench.world.source.get_many, [act]

    async def looked(keys):
        found = await look(keys)
        if acts:
            acts.pop()()
        return found

    bench.world.source.get_many = looked


def slow_writes(bench: Bench, *seconds: float):
    """Each put takes effect so late; the last of these counts for all that follow."""
    put, left = bench.world.replica.put, list(seconds)

    async def slow(write, condition):
        await asyncio.sleep(left.pop(0) if len(left) > 1 else left[0])
        return await put(write, condition)

    bench.world.replica.put = slow


async def test_a_batch_costs_two_looks_and_a_conditional_write_for_each_change():
    bench = shared()
    path = await bench.open()
    groups = [[bench.put(f"k{number}", "1")] for number in range(24)] + [[bench.delete("k0")]]
    await path.sink.apply(groups[1:])
    source, replica = bench.world.source.calls, bench.world.replica.calls
    assert (source["get_many"], source["get"]) == (1, 0)
    assert (replica["get_many"], replica["get"], replica["put"], replica["write_batch"]) == (1, 0, 23, 0)
    assert [bench.held(f"k{number}") for number in range(24)] == [None, *[item(f"k{n}", "1") for n in range(1, 24)]]
    assert len(bench.settled) == 24


async def test_what_another_process_writes_after_the_looks_stays():
    bench = shared()
    path = await bench.open()
    changes = [bench.put("a", "1"), bench.put("b", "1")]
    number = {"S": str(int(changes[1].sequence) + 1000).zfill(40)}

    def newer():
        bench.world.source.preset(item("a", "2"))
        bench.world.replica.preset(item("a", "2", dynamirror_sequence=number))

    after_the_looks(bench, newer)
    await path.sink.apply([[change] for change in changes])
    assert (bench.held("a"), bench.held("b")) == (item("a", "2"), item("b", "1"))


async def test_what_another_process_writes_after_the_looks_is_not_deleted():
    bench = shared()
    path = await bench.open()
    bench.world.replica.preset(item("a", "1"))
    bench.put("a", "1")
    changes = [bench.delete("a"), bench.put("b", "1")]

    def born_again():
        bench.world.source.preset(item("a", "2"))
        bench.world.replica.preset(item("a", "2"))

    after_the_looks(bench, born_again)
    await path.sink.apply([[change] for change in changes])
    assert bench.held("a") == item("a", "2")


async def test_a_change_that_the_source_has_overtaken_brings_what_the_source_holds_now():
    bench = shared()
    path = await bench.open()
    changes = [bench.put("a", "1"), bench.put("b", "1")]
    bench.put("a", "2")
    await path.sink.apply([[change] for change in changes])
    assert bench.held("a") == item("a", "2")


async def test_a_look_that_has_grown_old_is_made_again_for_all_that_is_left():
    bench = shared()
    path = await bench.open()
    slow_writes(bench, FRESH_SECONDS * 0.6)
    changes = [bench.put(name, "1") for name in "abcde"]
    await path.sink.apply([[change] for change in changes])
    # a at once and b after 0.6 of that time; then c and d; then e
    assert bench.world.replica.calls["get_many"] == bench.world.source.calls["get_many"] == 3
    assert [bench.held(name) for name in "abcde"] == [item(name, "1") for name in "abcde"]


async def test_a_look_that_is_slow_itself_is_acted_on_and_its_write_looked_at_again():
    bench = shared()
    path = await bench.open()
    look = bench.world.source.get_many

    async def slow(keys):
        found = await look(keys)
        await asyncio.sleep(SLOW_SECONDS * 1.1)
        return found

    bench.world.source.get_many = slow
    await path.sink.apply([[bench.put("a", "1")]])
    assert bench.held("a") == item("a", "1")
    assert bench.world.source.calls["get"] == 1, "after the write"


async def test_an_old_look_brings_nothing_back_that_was_removed_meanwhile():
    """The source and another process go on while the lane is at the batch's first key."""
    bench = shared()
    path = await bench.open()
    slow_writes(bench, SLOW_SECONDS)
    changes = [bench.put("a", "1"), bench.put("b", "1")]
    after_the_looks(bench, lambda: bench.world.source.delete({"key": {"S": "b"}}))  # and another one applies that
    await path.sink.apply([[change] for change in changes])
    assert bench.held("b") is None
    assert all(state.image is None for state in bench.world.replica.history.get(key("b"), []))


async def test_a_write_that_is_slow_since_its_look_is_looked_at_again():
    bench = shared()
    path = await bench.open()
    slow_writes(bench, FRESH_SECONDS * 0.8, SLOW_SECONDS * 0.9)
    changes = [bench.put("a", "1"), bench.put("b", "1")]
    after_the_looks(bench, lambda: bench.world.source.delete({"key": {"S": "b"}}))
    await path.sink.apply([[change] for change in changes])
    assert bench.held("b") is None, "its deletion found nothing to delete, and won't come again"


async def test_records_without_images_are_judged_by_a_look_that_follows_the_replicas():
    bench = shared(World(view_type=ViewType.KEYS_ONLY))
    path = await bench.open()
    changes = [bench.put("a", "1"), bench.put("b", "1"), bench.delete("b")]
    await path.sink.apply([[changes[0]], changes[1:]])
    assert (bench.held("a"), bench.held("b")) == (item("a", "1"), None)


async def test_a_look_that_is_throttled_is_made_again():
    bench = shared()
    path = await bench.open()
    for side in ("source", "replica"):
        bench.world.plan.fail_next(f"{side}.get_many", ThrottledError("slow down", "ThrottlingException"), times=3)
    await path.sink.apply([[bench.put("a", "1")], [bench.put("b", "1")]])
    assert (bench.held("a"), bench.held("b")) == (item("a", "1"), item("b", "1"))
    assert len(bench.settled) == 2


# --- with one writer: only what has to be judged by the source is looked at


def strict(**settings: str) -> Bench:
    return Bench(window=GuardWindow(guards_all=True), **settings)


async def test_creations_cost_one_write_each_and_two_looks_for_all_of_them():
    bench = strict()
    path = await bench.open()
    await path.sink.apply([[bench.put(f"k{number}", "1")] for number in range(25)])
    source, replica = bench.world.source.calls, bench.world.replica.calls
    assert (source["get_many"], source["get"]) == (1, 0)
    assert (replica["get_many"], replica["get"], replica["put"]) == (1, 0, 25)
    assert [bench.held(f"k{number}") for number in range(25)] == [item(f"k{n}", "1") for n in range(25)]


async def test_changes_of_what_is_there_cost_one_write_each_and_no_look():
    bench = strict()
    path = await bench.open()
    await path.sink.apply([[bench.put(name, "1")] for name in "abc"])
    bench.world.source.calls.clear()
    bench.world.replica.calls.clear()
    await path.sink.apply([[bench.put(name, "2")] for name in "ab"] + [[bench.delete("c")]])
    replica = bench.world.replica.calls
    assert (replica["put"], replica["delete"], replica["get_many"], replica["get"]) == (2, 1, 0, 0)
    assert sum(bench.world.source.calls.values()) == 0
    assert [bench.held(name) for name in "abc"] == [item("a", "2"), item("b", "2"), None]


async def test_a_catch_up_looks_first_once_conditions_have_failed_often():
    """The replica lacks the items, the source has gone on: what is overtaken is not written at all then."""
    bench = strict()
    path = await bench.open()
    for number in range(25):
        bench.put(f"k{number}", "0")
    batches = []
    for value in ("1", "2", "3"):
        batches.append([[bench.put(f"k{number}", value)] for number in range(25)])
    replica = bench.world.replica.calls
    await path.sink.apply(batches[0])
    assert (replica["put"], replica["get_many"]) == (25, 0), "refused, each by itself"
    await path.sink.apply(batches[1])
    assert (replica["put"], replica["get_many"]) == (25, 1), "overtaken, as two looks have told"
    await path.sink.apply(batches[2])
    assert (replica["put"], replica["get_many"]) == (50, 2)
    assert all(bench.held(f"k{number}") == item(f"k{number}", "3") for number in range(25))


async def test_a_look_that_shows_an_older_number_leaves_the_condition_as_it_is():
    """An item that was removed and made again, whose removal the lanes have merged with the creation."""
    bench = strict()
    path = await bench.open()
    await path.sink.apply([[bench.put("a", "1")]])
    removal, creation = bench.delete("a"), bench.put("a", "2")
    await path.sink.apply([[removal, creation]])
    assert (bench.held("a"), bench.number("a")) == (item("a", "2"), creation.sequence.guard)


async def test_what_a_late_write_brings_after_the_looks_is_not_taken_back():
    bench = strict()
    path = await bench.open()
    changes = [bench.put("a", "1"), bench.put("b", "1")]
    number = {"S": str(int(changes[1].sequence) + 1000).zfill(40)}

    def land() -> None:
        bench.world.replica.preset(item("a", "2", dynamirror_sequence=number))
        bench.world.source.preset(item("a", "2"))

    after_the_looks(bench, land)
    await path.sink.apply([[change] for change in changes])
    assert (bench.held("a"), bench.held("b")) == (item("a", "2"), item("b", "1"))


async def test_a_key_in_doubt_is_not_looked_at_ahead():
    """What was seen of it may change at any moment."""
    bench = strict()
    path = await bench.open()
    bench.world.plan.fail_next("replica.put", AmbiguousError("lost", "reset"))
    first = bench.put("a", "1")
    await path.sink.apply([[first]])
    assert first.key in path.doubts
    bench.world.replica.calls.clear()
    removal, creation = bench.delete("a"), bench.put("a", "2")
    await path.sink.apply([[removal, creation], [bench.put("b", "1")]])
    assert bench.world.replica.calls["get_many"] == 1, "for b"
    assert (bench.held("a"), bench.held("b")) == (item("a", "2"), item("b", "1"))


async def test_in_auto_a_key_in_doubt_is_written_under_a_condition_and_no_other_key_is():
    bench = Bench()
    path = await bench.open()
    doubted, other = bench.put("a", "1"), bench.put("b", "1")
    path.doubts.note([doubted.key])
    await path.sink.apply([[doubted], [other]])
    replica = bench.world.replica.calls
    assert (replica["put"], replica["write_batch"]) == (2, 1), "older than nothing is refused, then: while absent"
    assert (bench.held("a"), bench.held("b")) == (item("a", "1"), item("b", "1"))


async def test_a_creation_among_several_changes_of_a_key_is_looked_at_ahead():
    bench = strict()
    path = await bench.open()
    await path.sink.apply([[bench.put("a", "1"), bench.put("a", "2")]])
    replica = bench.world.replica.calls
    assert (replica["get_many"], replica["put"]) == (1, 1)
    assert bench.held("a") == item("a", "2")


async def test_a_source_that_denies_reads_of_many_items_is_read_item_by_item():
    """As the policies of former versions do: an upgrade stops nothing, and says what it costs."""
    bench = strict()
    path = await bench.open()
    bench.world.plan.fail_next("source.get_many", RefusedError("denied", "AccessDeniedException"), times=100)
    await path.sink.apply([[bench.put(name, "1")] for name in "abc"])
    await path.sink.apply([[bench.put(name, "1")] for name in "de"])
    assert [bench.held(name) for name in "abcde"] == [item(name, "1") for name in "abcde"]
    assert bench.world.plan.seen["source.get_many RefusedError"] == 1, "it is not asked again and again"
    assert [event.topic for event in bench.log.of(Warned)] == [DENIED]

    bench.world.plan.fail_no_more()  # the right is given, and it is asked again
    await asyncio.sleep(DENIED_SECONDS)
    await path.sink.apply([[bench.put(name, "1")] for name in "fg"])
    assert bench.world.source.calls["get_many"] == 1
    assert [event.topic for event in bench.log.of(WarningEnded)] == [DENIED]


async def test_lambda_waits_for_the_right_that_it_needs():
    bench = shared()
    path = await bench.open()
    bench.world.plan.fail_next("source.get_many", RefusedError("denied", "AccessDeniedException"), times=3)
    await path.sink.apply([[bench.put("a", "1")]])
    assert bench.held("a") == item("a", "1")
    assert bench.world.plan.seen["source.get_many RefusedError"] == 3
