"""The replica's item: the source's, byte for byte, projected, transformed and stamped (I6)."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import pytest

from service.errors import ChangeError
from service.events import StampKept, Warned
from service.model import Image, SequenceNumber
from service.replication.writing.item_shape import Dressing, Shape
from service.replication.writing.metadata import Metadata
from tests.fakes.clock import ManualClock
from tests.fakes.images import STRING_KEY, image_of, item_of
from tests.support.workbench import Log


def shape(log: Log | None = None, **options: Any) -> Shape:
    log = log or Log()
    names = {f"{kind}_attribute": options.pop(f"{kind}_attribute", name) for kind, name in NAMES.items()}
    metadata = Metadata(keys=STRING_KEY, observer=log, **names)
    return Shape(
        key_names=("key",),
        clock=options.pop("clock", None) or ManualClock(),
        observer=log,
        metadata=metadata,
        **options,
    )


NAMES = {"stamp": "timestamp", "sequence": "seq"}


ITEM = {"key": {"S": "a"}, "b": {"N": "1"}, "c": {"M": {"c": {"S": ""}}}}


def test_what_nothing_changes_is_the_same_bytes():
    odd = Image(b'{ "key" : {"S":"a"}, "n":{"N":"1.50E+2"}, "u":{"S":"\\u00e9"} }')
    assert shape().project(odd) is odd


def test_the_stamp_is_the_time_of_replication_in_utc():
    dressed = item_of(shape().add_metadata(image_of(ITEM), SequenceNumber(7)))
    assert dressed == {"timestamp": {"S": "2025-06-15T15:06:40.000Z"}, "seq": {"S": "7".zfill(40)}, **ITEM}


async def test_a_stamp_has_milliseconds_and_each_item_its_own():
    clock = ManualClock()
    dressing = shape(clock=clock)
    stamps = []
    for seconds in (0.0, 0.007, 0.243, 1.25):
        await clock.advance(seconds)
        stamps.append(item_of(dressing.add_metadata(image_of(ITEM), None))["timestamp"]["S"][-7:])
    assert stamps == ["40.000Z", "40.007Z", "40.250Z", "41.500Z"]


def test_a_sequence_number_is_forty_digits_of_text_e29():
    number = SequenceNumber(10**38)
    assert item_of(shape().add_metadata(image_of(ITEM), number))["seq"] == {"S": str(10**38).zfill(40)}


@pytest.mark.parametrize(
    ("dressing", "names"),
    [(Dressing.FULL, {"timestamp", "seq"}), (Dressing.UNSTAMPED, {"seq"}), (Dressing.BARE, set())],
)
def test_an_item_can_go_with_fewer_attributes_e43(dressing, names):
    assert item_of(shape().add_metadata(image_of(ITEM), SequenceNumber(7), dressing)).keys() - ITEM.keys() == names


def test_empty_names_turn_the_attributes_off():
    bare = shape(stamp_attribute="", sequence_attribute="")
    assert bare.add_metadata(image_of(ITEM), SequenceNumber(7)) == image_of(ITEM)
    assert bare.metadata == frozenset()


def test_a_source_attribute_of_the_stamps_name_is_kept_with_one_warning_and_a_counter_e44():
    log = Log()
    own = {**ITEM, "timestamp": {"N": "5"}}
    dressing = shape(log)
    for _ in range(3):
        assert item_of(dressing.add_metadata(image_of(own), None))["timestamp"] == {"N": "5"}
    assert dressing.kept_stamps == len(log.of(StampKept)) == 3
    assert len(log.of(Warned)) == 1


def test_an_inner_attribute_of_the_stamps_name_is_no_clash_e44():
    inner = {**ITEM, "m": {"M": {"timestamp": {"S": "x"}}}}
    dressing = shape()
    assert "timestamp" in item_of(dressing.add_metadata(image_of(inner), None))
    assert dressing.kept_stamps == 0


def test_a_source_attribute_of_the_sequence_numbers_name_does_not_go_e44():
    log = Log()
    projected = shape(log).project(image_of({**ITEM, "seq": {"S": "theirs"}}))
    assert projected is not None
    assert item_of(projected) == ITEM
    assert len(log.of(Warned)) == 1


def test_attributes_of_global_tables_never_go_e45():
    projected = shape().project(image_of({**ITEM, "aws:rep:updatetime": {"N": "1"}}))
    assert projected is not None
    assert item_of(projected) == ITEM


def test_an_attribute_that_only_mentions_global_tables_goes_e45():
    mention = {**ITEM, "text": {"S": "aws:rep:x"}, "m": {"M": {"aws:rep:inner": {"S": "x"}}}}
    projected = shape().project(image_of(mention))
    assert projected is not None
    assert item_of(projected) == mention


@pytest.mark.parametrize(
    ("options", "names"),
    [
        ({"include": ("b",)}, {"key", "b"}),
        ({"exclude": ("b",)}, {"key", "c"}),
        ({"exclude": ("key", "c")}, {"key", "b"}),
        ({"include": ("nothing",)}, {"key"}),
    ],
)
def test_attributes_are_included_or_excluded_and_keys_always_go(options, names):
    projected = shape(**options).project(image_of(ITEM))
    assert projected is not None
    assert item_of(projected).keys() == names


@pytest.mark.parametrize(
    "value",
    [
        {"N": "99999999999999999999999999999999999999"},
        {"N": "1E-130"},
        {"NS": ["1.0", "-0", "1E-130"]},
        {"SS": ["b", "a"]},
        {"BS": ["AA==", "AQ=="]},
        {"B": ""},
        {"S": ""},
        {"NULL": True},
        {"L": [{"M": {"x": {"L": [{"M": {}}]}}}]},
    ],
)
@pytest.mark.parametrize("options", [{}, {"exclude": ("b",)}, {"transform": dict}])
def test_every_type_goes_through_as_it_is_e46(value, options):
    found = {"key": {"S": "a"}, "value": value}
    projected = shape(**options).project(Image(json.dumps(found).encode()))
    assert projected is not None
    assert item_of(projected) == found


def test_a_transform_may_change_the_rest_of_an_item_or_leave_the_item_out():
    assert shape(transform=lambda item: None).project(image_of(ITEM)) is None
    projected = shape(transform=lambda item: {**item, "d": {"BOOL": True}}).project(image_of(ITEM))
    assert projected is not None
    assert item_of(projected) == {**ITEM, "d": {"BOOL": True}}
    assert shape(transform=lambda item: None).leaves_out(image_of(ITEM))
    assert not shape(transform=dict).leaves_out(image_of(ITEM))
    assert not shape().leaves_out(image_of(ITEM))


def test_a_stamp_of_the_transforms_own_is_not_told_as_the_sources():
    log = Log()
    made = shape(log, transform=lambda item: {**item, "timestamp": {"S": "mine"}})
    projected = made.project(image_of(ITEM))
    assert projected is not None
    assert item_of(made.add_metadata(projected, None))["timestamp"] == {"S": "mine"}
    (warned,) = log.of(Warned)
    assert "or the transform's, have an attribute 'timestamp'" in warned.text


async def test_a_transform_sets_nothing_that_is_dynamodbs_or_ours_e44_e45():
    log = Log()
    mine = {"seq": {"S": "9" * 40}, "aws:rep:deleting": {"BOOL": True}, "d": {"N": "1"}}
    made = shape(log, transform=lambda item: {**item, **mine})
    projected = made.project(image_of(ITEM))
    assert projected is not None
    assert item_of(projected) == {**ITEM, "d": {"N": "1"}}
    assert made.add_metadata(projected, SequenceNumber(7)).count(b'"seq"') == 1
    (warned,) = log.of(Warned)
    assert warned.text.startswith("the transform's items have an attribute 'seq' of their own, which does not go")


def changes_the_key(item: dict[str, Any]) -> dict[str, Any]:
    return {**item, "key": {"S": "another"}}


def raises(item: dict[str, Any]) -> None:
    raise ValueError("the secret value")


def ends_the_process(item: dict[str, Any]) -> None:
    raise SystemExit("the secret value")


def is_cancelled(item: dict[str, Any]) -> None:
    raise asyncio.CancelledError


def keeps_a_copy_of_itself_in_itself(item: dict[str, Any]) -> dict[str, Any]:
    item["copy"] = {"M": item}
    return item


def nests(item: dict[str, Any]) -> dict[str, Any]:
    for _ in range(5000):
        item = {**item, "nested": {"M": item}}
    return item


@pytest.mark.parametrize(
    "transform",
    [
        changes_the_key,
        raises,
        ends_the_process,
        is_cancelled,
        keeps_a_copy_of_itself_in_itself,
        nests,
        lambda item: "text",
        lambda item: {**item, "x": object()},
        lambda item: {},
    ],
)
def test_a_transform_that_misbehaves_makes_its_change_a_dead_letter_and_shows_no_value(transform):
    with pytest.raises(ChangeError) as caught:
        shape(transform=transform).project(image_of(ITEM))
    assert "secret" not in str(caught.value)


def renames_in_place(item):
    item["key"]["S"] = "ALPHA"
    return item


def test_a_transform_that_changes_the_key_in_place_is_noticed():
    with pytest.raises(ChangeError, match="changed the item's key"):
        shape(transform=renames_in_place).project(image_of(ITEM))


def test_a_transform_that_changes_its_argument_changes_nothing_of_ours():
    seen = []

    def deep(item):
        seen.append(dict(item))
        item["nested"] = {"M": {}}
        item.pop("b", None)
        return item

    image, transforming = image_of(ITEM), shape(transform=deep)
    before = bytes(image)
    assert transforming.project(image) == transforming.project(image)
    assert image == before
    assert seen[0] == seen[1]
