"""Which answers are DynamoDB's own: whole JSON objects, their checksum right, with a member that the operation has.

A page of a captive portal, a body that was cut, an array, another service's object: each comes with the status 200 too,
and each is a lost answer.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec
from isal.isal_zlib import crc32  # a page has a megabyte: zlib's takes twenty times as long

CHECKSUM_HEADER = "x-amz-crc32"
_OBJECT = msgspec.json.Decoder(dict[str, msgspec.Raw])
# botocore, dynamodb 2012-08-10: the members of GetItemOutput, PutItemOutput and DeleteItemOutput. Each may be left out.
_MEMBERS_OF_ONE_ITEM = frozenset({"Item", "Attributes", "ConsumedCapacity", "ItemCollectionMetrics"})
_EMPTY = b"{}"


def is_whole(body: bytes, checksum: str | None) -> bool:
    """Whether the body is the one that the service sent, as far as it gave a checksum."""
    return checksum is None or checksum.strip() == str(crc32(body))


def is_absent(member: msgspec.Raw) -> bool:
    """Left out, or null: msgspec has no optional Raw."""
    return not member or bytes(member) == b"null"


def read_one_item_answer(body: bytes) -> None:
    """An answer about one item, of which no member is needed. Raises ValueError for what is none."""
    if body != _EMPTY:
        check_members(_OBJECT.decode(body), _MEMBERS_OF_ONE_ITEM)


def check_members(found: Mapping[str, Any], known: frozenset[str]) -> None:
    if found and known and known.isdisjoint(found):
        raise ValueError("the answer has none of the operation's members")
