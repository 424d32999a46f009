"""I7: what can't be written holds nobody else back; it is kept whole, with its cause."""

from __future__ import annotations

import asyncio

from hypothesis import given
from hypothesis import strategies as st

from service.dynamodb_json.records import RecordReader
from service.errors import ChangeError, TransientChangeError
from service.model import Put, ShardId, ViewType
from tests.fakes.clock import run_virtual
from tests.fakes.images import STRING_KEY, item_of, key_of
from tests.support.histories.arrivals import unreadable_records
from tests.support.histories.player import Stage
from tests.support.histories.random_histories import CRASHES, RESHARDS, Setting, histories, settings_of, slow
from tests.support.invariants import Judge

POISON = {"N": "2"}
kinds = st.sampled_from([ChangeError, TransientChangeError])


def is_poison(image: bytes | None) -> bool:
    return image is not None and item_of(image).get("value") == POISON


def poisoned(keys: set[bytes], kind: type[ChangeError]):
    def objection(write):
        if isinstance(write, Put) and write.key in keys and is_poison(write.item):
            return kind(f"{kind.__name__}: the replica will not take it")
        return None

    return objection


def check_letters(stage: Stage, keys: set[bytes]) -> None:
    """Every key whose last state is poison has that state as a letter, whole; every letter is of a poison."""
    letters = {letter.sequence: letter for letter in stage.operator.items.letters.values()}
    for key in keys:
        states = stage.world.source.history.get(key, [])
        newest = states[-1] if states else None
        if newest is not None and newest.sequence is not None and is_poison(newest.image):
            letter = letters[newest.sequence]
            assert "the replica will not take it" in letter.error
            assert letter.key == key
            kept = RecordReader(STRING_KEY).read(ShardId(letter.shard_id), letter.record)
            assert kept.image == newest.image
            assert kept.sequence == newest.sequence


@slow(1)
@given(
    settings_of(start_at="trim_horizon", view_type=ViewType.NEW_AND_OLD_IMAGES),
    histories(RESHARDS, ("unreadable",), CRASHES),
    st.sets(st.integers(0, 3), min_size=1, max_size=3),
    kinds,
)
def test_poison_becomes_a_dead_letter_and_every_other_key_goes_on(setting, history, bad, kind):
    keys = {key_of({"key": {"S": f"k{number}"}}) for number in bad}

    async def scenario() -> None:
        stage = Stage(setting, max_attempts="3")
        stage.world.replica.poison = poisoned(keys, kind)
        unreadable = 0
        await stage.open()
        for step in history:
            if step[0] == "unreadable":
                unreadable += 1
                stage.world.source.add_unreadable({"key": {"S": f"k{unreadable % 4}"}})
            else:
                await stage.perform(step)
        await stage.close()
        judge = Judge(stage.world)
        judge.check_never_back()
        judge.check_one_in_flight()
        ended_as_poison = {key for key in keys if is_poison(stage.world.source.items.get(key))}
        judge.check_equal(but=ended_as_poison)
        check_letters(stage, keys)
        letters = [letter for letter in stage.operator.items.letters.values() if letter.event_name == "EXPLODE"]
        newest = {record.key: record for record in unreadable_records(stage.world.source.stream.shards.values())}
        assert {letter.key: letter.record for letter in letters} == {key: each.record for key, each in newest.items()}
        assert len(letters) == len(newest)
        assert sum(letter.attempts for letter in letters) >= unreadable
        assert stage.operator.items.count == len(stage.operator.items.letters)

    run_virtual(scenario, seed=setting.seed)


def brittle(item):
    """A transform that breaks on some items and leaves others out."""
    if item.get("value") == POISON:
        raise KeyError("value 2")
    if item.get("value") == {"N": "1"}:
        return None
    return {**item, "seen": {"BOOL": True}}


def as_it_ought_to_be(item):
    return None if item.get("value") == {"N": "1"} else {**item, "seen": {"BOOL": True}}


@slow()
@given(settings_of(start_at="trim_horizon", view_type=ViewType.NEW_AND_OLD_IMAGES), histories(CRASHES, keys=3))
def test_a_transform_that_raises_parks_its_change_alone(setting, history):
    async def scenario() -> None:
        stage = Stage(setting, transform="tests.property.test_isolation:brittle", expected=as_it_ought_to_be)
        await stage.play(history)
        plain = {key for key, image in stage.world.source.items.items() if item_of(image).get("value") == POISON}
        Judge(stage.world, expected=as_it_ought_to_be).check_equal(but=plain)
        letters = {letter.sequence: letter for letter in stage.operator.items.letters.values()}
        for states in stage.world.source.history.values():
            if is_poison(states[-1].image):
                assert "KeyError" in letters[states[-1].sequence].error
                assert "value 2" not in letters[states[-1].sequence].error, "an item's value is in the error"

    run_virtual(scenario, seed=setting.seed)


@slow()
@given(st.integers(0, 2**32 - 1), st.integers(1, 8), kinds)
def test_a_poison_in_a_batch_does_not_stop_the_batch(seed, writers, kind):
    async def scenario() -> None:
        stage = Stage(Setting(seed, writers=writers, is_late=False), max_attempts="2")
        bad = {key_of({"key": {"S": f"k{number}"}}) for number in (3, 11)}
        stage.world.replica.poison = poisoned(bad, kind)
        for number in range(60):
            stage.world.source.put({"key": {"S": f"k{number}"}, "value": POISON})
        actor = await stage.open()
        await asyncio.sleep(30)
        assert len(stage.world.replica.items) == 58
        assert actor.report.status().dead_letters == 2
        await stage.close()
        Judge(stage.world).check_equal(but=bad)
        check_letters(stage, bad)

    run_virtual(scenario, seed=seed)
