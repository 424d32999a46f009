"""What counts as a difference, item by item."""

from __future__ import annotations

import pytest

from service.events import Observers
from service.operations.verification.comparison import Comparison, Kind, fingerprint, is_in_sample
from service.replication.writing.item_shape import Shape
from service.replication.writing.metadata import Metadata
from tests.fakes.clock import ManualClock
from tests.fakes.images import STRING_KEY, image_of, key_of

METADATA = {"timestamp": {"S": "2026-11-23T10:15:00.000Z"}, "dynamirror_sequence": {"S": "1".zfill(40)}}


def comparison(*, keeps_extra: bool = False, exclude: tuple[str, ...] = ()) -> Comparison:
    shape = Shape(
        key_names=("key",),
        clock=ManualClock(),
        observer=Observers(),
        metadata=Metadata(
            stamp_attribute="timestamp",
            sequence_attribute="dynamirror_sequence",
            keys=STRING_KEY,
            observer=Observers(),
        ),
        exclude=exclude,
    )
    return Comparison(shape, keeps_extra=keeps_extra)


def item(**more):
    return {"key": {"S": "a"}, **more}


@pytest.mark.parametrize(
    ("source", "replica"),
    [
        ({"v": {"N": "1"}}, {"v": {"N": "1"}, **METADATA}),
        ({"v": {"N": "1"}}, {**METADATA, "v": {"N": "1.0"}}),
        ({"v": {"N": "1"}, "w": {"S": ""}}, {"w": {"S": ""}, "v": {"N": "1"}}),
        ({"v": {"SS": ["a", "b"]}}, {"v": {"SS": ["b", "a"]}}),
        ({"timestamp": {"S": "its own"}}, {"timestamp": {"S": "its own"}}),
    ],
)
def test_an_item_and_its_copy_are_the_same(source, replica):
    assert comparison().difference(image_of(item(**source)), image_of(item(**replica))) is None


@pytest.mark.parametrize(
    "replica",
    [
        {"v": {"S": "1"}},
        {"v": {"N": "2"}},
        {"v": {"N": "1"}, "w": {"N": "1"}},
        {"w": {"N": "1"}},
        {},
        {"v": {"N": "1.00000000000000000000000000000000000001"}},
    ],
)
def test_another_type_value_or_attribute_is_a_difference(replica):
    found = comparison().difference(image_of(item(v={"N": "1"})), image_of(item(**replica, **METADATA)))
    assert found is Kind.DIFFERENT


def test_what_one_side_lacks_is_missing_or_extra():
    assert comparison().difference(image_of(item()), None) is Kind.MISSING
    assert comparison().difference(None, image_of(item())) is Kind.EXTRA
    assert comparison().difference(None, None) is None


def test_having_more_is_right_where_extra_items_are_kept():
    assert comparison(keeps_extra=True).difference(None, image_of(item())) is None


def test_what_is_excluded_must_not_be_in_the_replica():
    source = image_of(item(secret={"S": "x"}))
    assert comparison(exclude=("secret",)).difference(source, image_of(item())) is None
    assert comparison(exclude=("secret",)).difference(source, source) is Kind.DIFFERENT


def test_a_value_that_no_table_could_hold_differs_instead_of_raising():
    assert comparison().difference(image_of(item(v={"N": "no number"})), image_of(item(v={"N": "1"}))) is Kind.DIFFERENT


def test_a_fingerprint_does_not_depend_on_the_order_of_attributes():
    one, other = image_of(item(v={"N": "1"})), image_of({"v": {"N": "1"}, "key": {"S": "a"}})
    assert fingerprint(one) == fingerprint(other)
    assert len({fingerprint(one), fingerprint(image_of(item(v={"S": "1"}))), fingerprint(None)}) == 3


def test_a_sample_holds_about_its_fraction_and_a_larger_one_holds_the_smaller():
    keys = [key_of({"key": {"S": str(number)}}) for number in range(2000)]
    tenth = {key for key in keys if is_in_sample(key, 0.1)}
    half = {key for key in keys if is_in_sample(key, 0.5)}
    assert tenth < half
    assert 150 < len(tenth) < 250
    assert all(is_in_sample(key, 1.0) for key in keys)


def test_the_mark_of_an_item_is_that_of_its_copy_and_of_no_other_content():
    compares = comparison(exclude=("secret",))
    mark = compares.mark_of(image_of(item(v={"N": "1"}, secret={"S": "x"})))
    assert mark in compares.marks_in_replica(image_of(item(v={"N": "1"}, **METADATA)))
    assert mark not in compares.marks_in_replica(image_of(item(v={"S": "1"}, **METADATA)))
    assert mark not in compares.marks_in_replica(None)
    assert compares.mark_of(None) in compares.marks_in_replica(None)


def test_the_mark_of_an_item_with_an_attribute_of_the_stamps_name_has_that_attribute():
    mark = comparison().mark_of(image_of(item(timestamp={"S": "own"})))
    assert mark in comparison().marks_in_replica(image_of(item(timestamp={"S": "own"}, dynamirror_sequence={"S": "1"})))
    assert mark not in comparison().marks_in_replica(image_of(item(timestamp={"S": "another"})))


@pytest.mark.parametrize(("own", "held", "kind"), [("1", "1", None), ("1", "2", "different"), ("1", None, "different")])
def test_a_sources_own_attribute_with_the_stamps_name_is_compared(own, held, kind):
    replica = item(dynamirror_sequence={"S": "1"}, **({"timestamp": {"S": held}} if held else {}))
    assert comparison().difference(image_of(item(timestamp={"S": own})), image_of(replica)) == kind


def test_a_deletion_leaves_no_mark_where_extra_items_are_kept():
    assert comparison(keeps_extra=True).mark_of(None) is None
