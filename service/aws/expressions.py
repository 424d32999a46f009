"""Conditions of a write as the JSON members of its request; values are spliced as the bytes that they came as."""

from __future__ import annotations

import msgspec

from service.dynamodb_json.items import attributes, join
from service.model import Absent, AsSeen, Condition, Image, KeyAttribute, Older

# An expression has at most 300 operators and 4 KB (Developer Guide, "Service quotas": expression parameters).
_COMPARED_ATTRIBUTES = 100
_RETURN = b',"ReturnValuesOnConditionCheckFailure":"ALL_OLD"'
_encode = msgspec.json.Encoder().encode


class Conditions:
    """Conditions on the items of one table. `sequence_attribute` is empty where items carry no sequence number."""

    def __init__(self, keys: tuple[KeyAttribute, ...], sequence_attribute: str) -> None:
        self._key_names = frozenset(key.name for key in keys)
        self._sequence_attribute = sequence_attribute
        self._older = (
            b',"ConditionExpression":"#s < :s","ExpressionAttributeNames":{"#s":%b},'
            b'"ExpressionAttributeValues":{":s":{"S":"' % _encode(sequence_attribute)
        )
        self._absent = (
            b',"ConditionExpression":"attribute_not_exists(#k)","ExpressionAttributeNames":{"#k":%b}'
            % _encode(keys[0].name)
        ) + _RETURN
        self._hash_name = keys[0].name

    def members(self, condition: Condition | None) -> bytes:
        """What is spliced into the request before its closing brace; empty without a condition."""
        match condition:
            case None:
                return b""
            case Older(than):
                return self._older + than.guard.encode() + b'"}}' + _RETURN
            case Absent():
                return self._absent
            case AsSeen(item):
                return self._as_seen(item)

    def _as_seen(self, item: Image) -> bytes:
        """Equality of the attributes beside the key; existence alone when there are none."""
        seen = attributes(item)
        compared = [name for name in seen if name not in self._key_names][:_COMPARED_ATTRIBUTES]
        if self._sequence_attribute in seen and self._sequence_attribute not in compared:
            compared[-1] = self._sequence_attribute  # the number is what changes with every write
        tests = [f"#{index} = :{index}" for index in range(len(compared))]
        names = {f"#{index}": name for index, name in enumerate(compared)}
        values = {f":{index}": seen[name] for index, name in enumerate(compared)}
        if not tests:
            tests.append("attribute_exists(#k)")
            names["#k"] = self._hash_name
        if self._sequence_attribute and self._sequence_attribute not in seen:
            tests.append("attribute_not_exists(#s)")
            names["#s"] = self._sequence_attribute
        return (
            b',"ConditionExpression":%b,"ExpressionAttributeNames":%b' % (_encode(" AND ".join(tests)), _encode(names))
            + (b',"ExpressionAttributeValues":' + join(values) if values else b"")
            + _RETURN
        )
