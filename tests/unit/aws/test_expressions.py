"""service.aws.expressions: the members of a conditional write."""

import json

from service.aws.expressions import Conditions
from service.model import Absent, AsSeen, Image, KeyAttribute, Older, SequenceNumber

SCHEMA = (KeyAttribute("pk", "S"), KeyAttribute("sk", "N"))
CONDITIONS = Conditions(SCHEMA, 'the "number"')


def members(condition):
    return json.loads(b'{"x":1' + CONDITIONS.members(condition) + b"}")


def image(**values) -> Image:
    return Image(json.dumps({"pk": {"S": "a"}, "sk": {"N": "1"}, **values}).encode())


def test_no_condition_adds_nothing():
    assert members(None) == {"x": 1}


def test_older_compares_the_number_as_forty_digits():
    found = members(Older(SequenceNumber(5)))

    assert found["ExpressionAttributeNames"] == {"#s": 'the "number"'}
    assert found["ExpressionAttributeValues"] == {":s": {"S": "5".zfill(40)}}
    assert found["ReturnValuesOnConditionCheckFailure"] == "ALL_OLD"


def test_absent_asks_for_the_hash_key():
    found = members(Absent())

    assert found["ExpressionAttributeNames"] == {"#k": "pk"}
    assert "ExpressionAttributeValues" not in found


def test_as_seen_compares_values_as_they_came():
    raw = Image(b'{"pk":{"S":"a"},"sk":{"N":"1"},"n":{"N":"1.50"},"\\u00e9 x":{"M":{"a":{"L":[]}}}}')

    found = members(AsSeen(raw))

    assert found["ConditionExpression"] == "#0 = :0 AND #1 = :1 AND attribute_not_exists(#s)"
    assert found["ExpressionAttributeNames"] == {"#0": "n", "#1": "é x", "#s": 'the "number"'}
    assert found["ExpressionAttributeValues"] == {":0": {"N": "1.50"}, ":1": {"M": {"a": {"L": []}}}}


def test_as_seen_of_a_mere_key_asks_whether_it_is_there():
    found = members(AsSeen(image()))

    assert found["ConditionExpression"] == "attribute_exists(#k) AND attribute_not_exists(#s)"
    assert "ExpressionAttributeValues" not in found


def test_as_seen_compares_the_number_whatever_else_there_is():
    wide = {f"a{number}": {"N": str(number)} for number in range(200)}

    found = members(AsSeen(image(**wide, **{'the "number"': {"S": "5"}})))

    assert len(found["ExpressionAttributeValues"]) == 100
    assert 'the "number"' in found["ExpressionAttributeNames"].values()
    assert len(found["ConditionExpression"]) < 4096


def test_without_a_sequence_attribute_none_is_asked_for():
    found = json.loads(b'{"x":1' + Conditions(SCHEMA, "").members(AsSeen(image())) + b"}")

    assert found["ConditionExpression"] == "attribute_exists(#k)"
