"""A judge that lets everything pass is worse than none: each verdict, both ways."""

from __future__ import annotations

import pytest

from service.model import Delete, Put
from tests.fakes.images import image_of, key_of
from tests.fakes.world import World
from tests.support.invariants import Judge, check_all, check_equal, check_never_back, check_one_in_flight

KEY = {"key": {"S": "a"}}


def item(value, **more):
    return {**KEY, "value": {"S": value}, **more}


async def replicate(world, *values):
    """Write these values into the replica; None deletes."""
    for value in values:
        if value is None:
            await world.replica.delete(Delete(key_of(KEY)), None)
        else:
            written = item(value, timestamp={"S": "now"}, dynamirror_sequence={"S": "0" * 40})
            await world.replica.put(Put(key_of(KEY), image_of(written)), None)


def world_with(*values):
    world = World()
    for value in values:
        if value is None:
            world.source.delete(KEY)
        else:
            world.source.put(item(value))
    return world


@pytest.mark.parametrize(
    ("source", "replica"),
    [
        (["1", "2", "3"], ["1", "2", "3"]),
        (["1", "2", "3"], ["3"]),
        (["1", "2", "3"], ["1", "1", "3", "3"]),
        (["1", None, "1"], ["1", None, "1"]),
        (["1", "2", "1", "2"], ["1", "2", "1", "2"]),
        (["1", None], [None, None]),
        ([], []),
    ],
)
async def test_forward_is_fine(source, replica):
    world = world_with(*source)
    await replicate(world, *replica)

    check_all(world)


@pytest.mark.parametrize(
    ("source", "replica"),
    [
        (["1", "2"], ["2", "1", "2"]),
        (["1", None], ["1", None, "1", None]),
        (["1", "2", "1"], ["1", "2", "1", "2", "1"]),
        (["1", "2"], ["1", None, "2"]),
        (["1"], ["never", "1"]),
    ],
)
async def test_backward_is_not(source, replica):
    world = world_with(*source)
    await replicate(world, *replica)

    check_equal(world)
    with pytest.raises(AssertionError, match="the replica showed"):
        check_never_back(world)


async def test_a_state_that_the_source_gets_only_later_is_not_fine():
    world = world_with("1")
    await replicate(world, "1", None)
    await world.clock.sleep(1)
    world.source.delete(KEY)

    with pytest.raises(AssertionError, match="the replica showed"):
        check_never_back(world)


async def test_what_the_test_itself_broke_is_not_judged():
    world = world_with("1", "2")
    await replicate(world, "1", "2")
    world.replica.preset(item("broken"))
    await replicate(world, "2")

    check_all(world)


async def test_going_back_after_damage_is_judged():
    world = world_with("1", "2")
    await replicate(world, "1", "2")
    world.replica.lose(KEY)
    await replicate(world, "1", "2")

    with pytest.raises(AssertionError, match="the replica showed"):
        check_never_back(world)


async def test_an_item_that_the_source_never_had_may_be_removed():
    world = World()
    world.replica.preset(item("extra"))
    await replicate(world, None)

    check_all(world)


@pytest.mark.parametrize(("source", "replica"), [(["1"], []), (["1", None], ["1"]), (["1", "2"], ["1"])])
async def test_missing_extra_and_different_items_are_found(source, replica):
    world = world_with(*source)
    await replicate(world, *replica)

    check_never_back(world)
    with pytest.raises(AssertionError, match="the tables differ"):
        check_equal(world)
    check_equal(world, but=[key_of(KEY)])


async def test_a_projection_is_expected():
    world = World()
    world.source.put(item("1", secret={"S": "x"}))
    await replicate(world, "1")

    with pytest.raises(AssertionError, match="the tables differ"):
        check_equal(world)
    Judge(world, expected=lambda found: {name: found[name] for name in found if name != "secret"}).check_all()


async def test_a_number_must_be_that_of_the_items_own_state():
    world = World()
    first, second = world.source.put(item("1")), world.source.put(item("2"))
    assert first is not None
    assert second is not None

    async def write(value, number):
        written = item(value, dynamirror_sequence={"S": number.guard})
        await world.replica.put(Put(key_of(KEY), image_of(written)), None)

    await write("1", first)
    await write("2", second)
    Judge(world).check_numbers()
    await write("1", second)
    with pytest.raises(AssertionError, match="not that change's"):
        Judge(world).check_numbers()


async def test_two_writes_at_once_are_found():
    world = World()
    check_one_in_flight(world)
    world.replica.overlaps.add(key_of(KEY))

    with pytest.raises(AssertionError, match="two writes at once"):
        check_one_in_flight(world)
