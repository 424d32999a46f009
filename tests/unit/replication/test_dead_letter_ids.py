"""One cause of one key is one letter, and none takes another's place (I7)."""

from __future__ import annotations

import json
import random

import pytest

from service.model import ItemKey, SequenceNumber
from service.replication.dead_letters import identity_of, identity_of_record, letter_id

KEY = ItemKey(b'{"pk":{"S":"a"}}')


def test_letters_of_many_keys_have_different_ids() -> None:
    count, names = 300_000, random.Random(13)
    keys = (ItemKey(b'{"pk":{"S":"%032x"}}' % names.getrandbits(128)) for _ in range(count))
    assert len({letter_id(None, identity_of(key, "refused")) for key in keys}) == count


def test_a_cause_is_told_by_its_words_and_not_by_its_numbers() -> None:
    assert identity_of(KEY, "413,000 bytes are too many") == identity_of(KEY, "509,123 bytes are too many")
    assert identity_of(KEY, "too large") != identity_of(KEY, "no index takes it")
    assert identity_of(KEY, "too large") != identity_of(ItemKey(b'{"pk":{"S":"b"}}'), "too large")


def test_ids_sort_by_sequence_number_beside_those_of_a_former_version() -> None:
    former = f"{8:040d}-0badcafe"
    ids = [letter_id(SequenceNumber(number), "x") for number in (7, 9, 10**30)]
    assert sorted([former, *ids]) == [ids[0], former, *ids[1:]]


def unreadable(**more: object) -> dict[str, object]:
    inside = {"SequenceNumber": "x", "Keys": {"pk": {"Q": "a"}}, "ApproximateCreationDateTime": 1_700_000_000}
    return {"eventName": "INSERT", "dynamodb": inside | more}


def test_lambda_and_the_service_see_the_same_record_that_names_no_key() -> None:
    of_stream = json.dumps(unreadable() | {"awsRegion": "us-west-2"}).encode()
    of_lambda = json.dumps(
        {"eventSourceARN": "arn", **unreadable(ApproximateCreationDateTime=1_700_000_000.0)}, separators=(",", ":")
    ).encode()
    assert identity_of_record(of_stream) == identity_of_record(of_lambda)
    assert identity_of_record(of_stream) != identity_of_record(json.dumps(unreadable(SequenceNumber="y")).encode())


@pytest.mark.parametrize("record", [b"{", b"[]", b"7", b'{"dynamodb": 7}', b'{"dynamodb": {"a": "\\ud800"}}', b"\xff"])
def test_anything_has_an_identity(record: bytes) -> None:
    assert identity_of_record(record) == identity_of_record(record) != identity_of_record(record + b" 1")
