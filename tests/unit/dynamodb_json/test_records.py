"""service.dynamodb_json.records: stream records in JSON, whole and broken."""

import json

import pytest

from service.dynamodb_json.record_text import record_of
from service.dynamodb_json.records import RecordReader
from service.model import Change, Effect, KeyAttribute, SequenceNumber, ShardId, Unreadable, ViewType

SCHEMA = (KeyAttribute("k", "S"),)
SHARD = ShardId("shardId-1")
READER = RecordReader(SCHEMA)


def record(name="MODIFY", *, without=(), outside=None, **inside):
    stream = {
        "ApproximateCreationDateTime": 1_700_000_000,
        "Keys": {"k": {"S": "a"}},
        "NewImage": {"k": {"S": "a"}, "v": {"N": "1.0"}},
        "OldImage": {"k": {"S": "a"}},
        "SequenceNumber": "800000000003126276362",
        "SizeBytes": 40,
        "StreamViewType": "NEW_AND_OLD_IMAGES",
    } | inside
    kept = {field: value for field, value in stream.items() if field not in without}
    shown = {"eventID": "1", "eventName": name, "eventVersion": "1.1", "eventSource": "aws:dynamodb", "dynamodb": kept}
    return shown | (outside or {})


def page_of(*records, **more):
    return READER.page(SHARD, json.dumps({"Records": list(records)} | more).encode())


def read(found, reader=READER):
    return reader.read(SHARD, json.dumps(found).encode())


def test_a_record_becomes_a_change_and_its_images_stay_bytes():
    page = page_of(record(), NextShardIterator="next")

    (change,) = page.changes
    assert change.sequence == SequenceNumber(800000000003126276362)
    assert change.key == b'{"k":{"S":"a"}}'
    assert change.effect is Effect.PUT
    assert change.image == b'{"k": {"S": "a"}, "v": {"N": "1.0"}}'
    assert change.old_image == b'{"k": {"S": "a"}}'
    assert change.created_at == 1_700_000_000
    assert change.size == len(change.key) + len(change.image) + len(change.old_image)
    assert page.next_iterator == "next"
    assert page.size > change.size


@pytest.mark.parametrize(
    ("name", "view_type", "expected"),
    [
        ("INSERT", "NEW_IMAGE", Effect.PUT),
        ("MODIFY", "NEW_AND_OLD_IMAGES", Effect.PUT),
        ("REMOVE", "NEW_IMAGE", Effect.DELETE),
        ("REMOVE", "NEW_AND_OLD_IMAGES", Effect.DELETE),
        ("INSERT", "KEYS_ONLY", Effect.LOOK_UP),
        ("REMOVE", "KEYS_ONLY", Effect.LOOK_UP),
        ("MODIFY", "OLD_IMAGE", Effect.LOOK_UP),
        ("REMOVE", "OLD_IMAGE", Effect.LOOK_UP),
    ],
)
def test_the_view_type_decides_what_a_change_does(name, view_type, expected):
    carries_item = ViewType(view_type).carries_item and name != "REMOVE"
    found = read(record(name, without=() if carries_item else ("NewImage",), StreamViewType=view_type))

    assert isinstance(found, Change)
    assert found.effect is expected


def test_a_record_that_does_not_name_its_view_type_has_the_streams():
    reader = RecordReader(SCHEMA, ViewType.KEYS_ONLY)

    found = read(record("REMOVE", without=("StreamViewType", "NewImage", "OldImage")), reader)

    assert found.effect is Effect.LOOK_UP


def test_unknown_fields_and_versions_do_no_harm():  # E33
    found = read(record(NewField=1) | {"eventVersion": "9.9", "other": {"a": [1]}})

    assert isinstance(found, Change)


TTL = {"userIdentity": {"Type": "Service", "PrincipalId": "dynamodb.amazonaws.com", "AccountId": "1"}}
AS_IT_CAME = {
    "everything": record(outside={"awsRegion": "us-west-2"} | TTL),
    "another service's": record(outside={"eventSource": "aws:other"}),
    "a later version": record(outside={"eventVersion": "2.0"}),
    "a new view type": record(StreamViewType="NEWEST"),
    "of Lambda": record(outside={"eventSourceARN": "arn:aws:dynamodb:us-west-2:1:table/t/stream/1"}),
    "a time in milliseconds": record(ApproximateCreationDateTime=1_700_000_000_123),
    "a time in words": record(ApproximateCreationDateTime="2023-11-14T22:13:20Z"),
    "a time with a fraction": record(ApproximateCreationDateTime=1_700_000_000.5),
    "a key's number in another spelling": record(
        Keys={
            "k": {
                "S": "a",
            }
        },
        NewImage={"k": {"S": "\u00e9"}},
    ),
    "more than is known": record(NewField=[1]) | {"other": {"a": "b"}},
    "without an item": record("REMOVE", without=("NewImage", "OldImage"), StreamViewType="KEYS_ONLY"),
}


@pytest.mark.parametrize("came", AS_IT_CAME.values(), ids=AS_IT_CAME.keys())
@pytest.mark.parametrize("is_page", [True, False], ids=["page", "alone"])
def test_a_record_is_given_back_as_it_came(came, is_page):
    change = page_of(came).changes[0] if is_page else read(came)

    assert json.loads(record_of(change)) == came


@pytest.mark.parametrize("is_page", [True, False], ids=["page", "alone"])
def test_the_spelling_of_a_keys_number_is_given_back(is_page):
    reader = RecordReader((KeyAttribute("k", "N"),))
    came = record(Keys={"k": {"N": "1.0"}}, NewImage={"k": {"N": "1.0"}})

    body = json.dumps({"Records": [came]}).encode()
    change = reader.page(SHARD, body).changes[0] if is_page else read(came, reader)

    assert change.key == b'{"k":{"N":"1"}}'
    assert json.loads(record_of(change)) == came


def test_a_usual_record_is_not_kept_beside_its_parts():
    (change,) = page_of(record(outside={"awsRegion": "us-west-2"})).changes

    assert change.record is None


@pytest.mark.parametrize("of_another_version", [{}, {"field": 1}])
@pytest.mark.parametrize("place", ["Keys", "NewImage", "eventName"])
def test_text_that_is_no_unicode_spoils_its_own_record_only(place, of_another_version):
    odd = {"k": {"S": "a\ud800"}}
    spoiled = record(odd if place == "eventName" else "INSERT", **({} if place == "eventName" else {place: odd}))
    if place == "eventName":
        spoiled["eventName"] = "INSERT\ud800"

    before = record(SequenceNumber="1".zfill(21), outside=of_another_version)
    page = page_of(before, spoiled, record(SequenceNumber="9" * 22), NextShardIterator="n")

    assert (len(page.changes), page.next_iterator) == (2, "n")
    (found,) = page.unreadable
    assert found.sequence == SequenceNumber(800000000003126276362)
    assert json.loads(found.record) == spoiled
    assert (found.key is None) == (place == "Keys")
    assert "surrogate" in found.error or "eventName" in found.error


def test_a_record_without_a_key_says_so():
    found = read(record(without=["Keys"]))

    assert isinstance(found, Unreadable)
    assert found.error == "the record has no Keys"


@pytest.mark.parametrize(
    ("number", "is_trusted"), [("2", True), ("1", False), ("3", False), ("4", False), ("0", False)]
)
def test_a_number_out_of_its_order_is_none(number, is_trusted):
    odd = record("EXPLODE", SequenceNumber=number.zfill(21))

    page = page_of(record(SequenceNumber="1".zfill(21)), odd, record(SequenceNumber="3".zfill(21)))

    assert page.unreadable[0].sequence == (SequenceNumber(number) if is_trusted else None)


BROKEN = {
    "an unknown event name": record("TRUNCATE"),
    "no event name": {field: value for field, value in record().items() if field != "eventName"},
    "an event name of another type": record(3),
    "no keys": record(without=("Keys",)),
    "keys of another type": record(Keys={"k": {"N": "1"}}),
    "keys that are none": record(Keys=7),
    "no image": record(without=("NewImage",)),
    "an image that is null": record(NewImage=None),
    "an image that is a word": record(NewImage="a"),
    "an image that is a list": record(NewImage=[{"S": "a"}]),
    "an image of an item that is gone, and is a number": record("REMOVE", NewImage=7),
    "no sequence number": record(without=("SequenceNumber",)),
    "a sequence number that is none": record(SequenceNumber="x1"),
    "a sequence number of another type": record(SequenceNumber=1),
    "no content": {"eventName": "INSERT"},
    "nothing": {},
    "a word": "record",
}


@pytest.mark.parametrize("broken", BROKEN.values(), ids=BROKEN.keys())
def test_a_broken_record_never_spoils_its_page(broken):
    first, last = record(SequenceNumber="1".zfill(21)), record(SequenceNumber="3".zfill(21))

    page = page_of(first, broken, last, NextShardIterator="next")

    assert [int(change.sequence) for change in page.changes] == [1, 3]
    (unreadable,) = page.unreadable
    assert json.loads(unreadable.record) == broken
    assert unreadable.error
    assert page.next_iterator == "next"


def test_a_delete_with_a_null_for_its_image_is_a_delete():
    found = read(record("REMOVE", NewImage=None))

    assert isinstance(found, Change)
    assert (found.effect, found.image) == (Effect.DELETE, None)


def test_a_broken_record_tells_what_can_be_told():
    found = read(record("TRUNCATE"))

    assert isinstance(found, Unreadable)
    assert found.event_name == "TRUNCATE"
    assert found.sequence == SequenceNumber(800000000003126276362)
    assert found.key == b'{"k":{"S":"a"}}'
    assert "TRUNCATE" in found.error


def test_an_answer_that_is_no_page_is_an_error():
    with pytest.raises(ValueError, match=r".+"):
        READER.page(SHARD, b"<html>")


@pytest.mark.parametrize(
    ("identity", "expected"),
    [
        ({"type": "Service", "principalId": "dynamodb.amazonaws.com"}, True),
        ({"Type": "Service", "PrincipalId": "dynamodb.amazonaws.com"}, True),
        ({"type": "Service", "principalId": "other.amazonaws.com"}, False),
        ({"type": "User", "principalId": "dynamodb.amazonaws.com"}, False),
        ({}, False),
        (None, False),
    ],
)
def test_a_delete_by_time_to_live_is_known_by_its_identity(identity, expected):  # E48
    assert read(record("REMOVE", outside={"userIdentity": identity})).is_ttl_delete is expected


@pytest.mark.parametrize(
    ("written", "expected"),
    [
        (1_700_000_000, 1_700_000_000.0),
        (1_700_000_000.5, 1_700_000_000.5),
        (1_700_000_000_500, 1_700_000_000.5),
        ("2023-11-14T22:13:20Z", 1_700_000_000.0),
        ("2023-11-14T22:13:20", 1_700_000_000.0),
        ("yesterday", 0.0),
        (None, 0.0),
        (1e300, 0.0),
        (-1e300, 0.0),
        (10**30, 0.0),
        (-5, 0.0),
    ],
)
def test_the_time_of_a_change_is_read_in_every_form(written, expected):
    assert read(record(ApproximateCreationDateTime=written)).created_at == expected


@pytest.mark.parametrize(
    "original",
    [
        record(),
        record("INSERT", without=("OldImage",)),
        record("REMOVE", without=("NewImage",)),
        record("REMOVE", without=("NewImage", "OldImage"), StreamViewType="NEW_IMAGE"),
        record("REMOVE", without=("NewImage",), StreamViewType="OLD_IMAGE"),
        record("MODIFY", without=("NewImage", "OldImage"), StreamViewType="KEYS_ONLY"),
        record("REMOVE", outside={"userIdentity": {"type": "Service", "principalId": "dynamodb.amazonaws.com"}}),
        record(without=("ApproximateCreationDateTime",)),
    ],
)
def test_a_change_comes_back_from_its_record_as_it_was(original):
    change = read(original)

    assert READER.read(SHARD, record_of(change)) == change


@pytest.mark.parametrize(
    "text", ["7", "0" * 20 + "7", "0" * 24 + "7", "800000000003126276362", "1" * 22, "0" + "9" * 39]
)
def test_a_sequence_number_is_given_back_as_it_was_spelled(text):
    number = SequenceNumber.parse(text)

    assert (str(number), number.guard, number) == (text, text.zfill(40), int(text))
