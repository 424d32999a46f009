"""Which answers are DynamoDB's own: whole JSON objects, their checksum right, with a member that the operation has.

A page of a captive portal, a body that was cut, an array, another service's object: each comes with the status 200 too,
and each is a lost answer. The wire checks what it reads itself; `watch` makes an SDK client check before it parses.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec
from botocore.parsers import ResponseParserError
from isal.isal_zlib import crc32  # a page has a megabyte: zlib's takes twenty times as long

CHECKSUM_HEADER = "x-amz-crc32"
_OBJECT = msgspec.json.Decoder(dict[str, msgspec.Raw])
# botocore, dynamodb 2012-08-10: the members of GetItemOutput, PutItemOutput and DeleteItemOutput. Each may be left out.
_MEMBERS_OF_ONE_ITEM = frozenset({"Item", "Attributes", "ConsumedCapacity", "ItemCollectionMetrics"})
_EMPTY = b"{}"


class ForeignAnswerError(ResponseParserError):
    """An SDK client got what is no answer of its service. service.aws.faults takes it for a lost answer."""


def is_whole(body: bytes, checksum: str | None) -> bool:
    """Whether the body is the one that the service sent, as far as it gave a checksum."""
    return checksum is None or checksum.strip() == str(crc32(body))


def is_absent(member: msgspec.Raw) -> bool:
    """Left out, or null: msgspec has no optional Raw."""
    return not member or bytes(member) == b"null"


def read_one_item_answer(body: bytes) -> None:
    """An answer about one item, of which no member is needed. Raises ValueError for what is none."""
    if body != _EMPTY:
        _check_members(_OBJECT.decode(body), _MEMBERS_OF_ONE_ITEM)


def watch(client: Any) -> None:
    """From now on this SDK client raises ForeignAnswerError for what is no answer of a service that speaks JSON."""
    client.meta.events.register("before-parse", _check)


def _check(operation_model: Any, response_dict: dict[str, Any], **_: Any) -> None:
    """botocore's parser takes a body that is no JSON for an empty object, and trips over an array."""
    status, body = response_dict["status_code"], response_dict["body"]
    if not is_whole(body, response_dict["headers"].get(CHECKSUM_HEADER)):
        raise ForeignAnswerError("the answer's checksum is wrong")
    if status >= 400:
        if not _is_error(body):
            response_dict["body"] = _EMPTY  # an error without a code: the status tells all that is known
        return
    if not 200 <= status < 300:
        raise ForeignAnswerError(f"HTTP status {status}, which the service never sends")
    try:
        found = _OBJECT.decode(body)
        msgspec.json.decode(body)  # what the first one keeps as bytes must be text too
        _check_members(found, _names(operation_model.output_shape))
    except ValueError as error:
        raise ForeignAnswerError(f"the answer is none of the service's ({len(body)} bytes)") from error


def _is_error(body: bytes) -> bool:
    try:
        found = msgspec.json.decode(body)
    except ValueError:
        return False
    return isinstance(found, dict) and isinstance(found.get("__type", ""), str)


def _names(shape: Any) -> frozenset[str]:
    members: Mapping[str, Any] = {} if shape is None else shape.members
    return frozenset(member.serialization.get("name", name) for name, member in members.items())


def _check_members(found: Mapping[str, Any], known: frozenset[str]) -> None:
    if found and known and known.isdisjoint(found):
        raise ValueError("the answer has none of the operation's members")
