"""Two pipelines, one each way, come to rest: what the other side has already is not written again."""

from __future__ import annotations

from service.events import Warned
from service.replication.guard_window import GuardWindow
from tests.support.workbench import Bench, item

NUMBER = {"S": "7".zfill(40)}
STAMP = {"S": "2026-11-23T10:00:00.000Z"}


async def applied(bench: Bench, *changes) -> None:
    path = await bench.open()
    await path.sink.apply([list(changes)])


async def test_an_item_of_another_pipeline_that_the_replica_has_already_is_not_written():
    bench = Bench()
    bench.world.replica.preset(item("a", "1"))
    await applied(bench, bench.put("a", "1", dynamirror_sequence=NUMBER, timestamp=STAMP))
    assert bench.number("a") is None
    assert len(bench.settled) == 1


async def test_one_that_the_replica_has_otherwise_is_written_with_our_own_metadata():
    bench = Bench()
    bench.world.replica.preset(item("a", "0"))
    change = bench.put("a", "1", dynamirror_sequence=NUMBER, timestamp=STAMP)
    await applied(bench, change)
    assert bench.held("a") == item("a", "1")
    assert bench.number("a") == change.sequence.guard
    assert bench.world.replica.item({"key": {"S": "a"}})["timestamp"] != STAMP


async def test_an_attribute_list_that_leaves_the_number_out_hides_no_echo():
    bench = Bench(include_attributes="key,value")
    bench.world.replica.preset(item("a", "1"))
    await applied(bench, bench.put("a", "1", dynamirror_sequence=NUMBER, timestamp=STAMP))
    assert bench.number("a") is None
    assert len(bench.settled) == 1


async def test_several_changes_of_one_key_are_written_so_that_the_number_covers_those_between():
    bench = Bench()
    bench.world.replica.preset(item("a", "1"))
    between = bench.put("a", "2", dynamirror_sequence=NUMBER, timestamp=STAMP)
    last = bench.put("a", "1", dynamirror_sequence=NUMBER, timestamp=STAMP)
    await applied(bench, between, last)
    assert bench.number("a") == last.sequence.guard


async def test_an_item_of_the_source_itself_costs_no_look():
    bench = Bench()
    await applied(bench, bench.put("a", "1"))
    assert bench.world.replica.calls["get_many"] == 0
    assert not bench.log.of(Warned)


async def test_a_warning_says_chain_or_loop_and_what_to_do():
    bench = Bench(window=GuardWindow(guards_all=True))
    await applied(bench, bench.put("a", "1", dynamirror_sequence=NUMBER, timestamp=STAMP))
    (told,) = [warned.text for warned in bench.log.of(Warned) if "another pipeline" in warned.text]
    assert "chain" in told
    assert "loop" in told
    assert "stop one" in told


async def test_a_put_goes_once_each_way_and_both_tables_rest():
    there, back = Bench(), Bench()
    change = there.put("a", "1")
    for _ in range(3):
        await applied(there, change)
        seen = there.world.replica.item({"key": {"S": "a"}})
        back.world.source.put(seen)
        back.world.replica.preset(there.world.source.item({"key": {"S": "a"}}))
        writes = sum(back.world.replica.writes.values())
        await applied(back, back.newest())
        assert sum(back.world.replica.writes.values()) == writes
