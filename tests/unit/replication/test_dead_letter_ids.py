"""One letter, one id: none takes another's place (I7)."""

from __future__ import annotations

import random

from service.model import SequenceNumber, ShardId
from service.replication.dead_letters import letter_id

SHARD = ShardId("snapshot")


def test_letters_of_many_keys_without_a_sequence_number_have_different_ids() -> None:
    count, names = 300_000, random.Random(13)
    assert (
        len({letter_id(SHARD, None, b'{"pk":{"S":"%032x"}}' % names.getrandbits(128)) for _ in range(count)}) == count
    )


def test_the_same_record_has_the_same_id_and_another_shard_another_one() -> None:
    first = letter_id(SHARD, SequenceNumber(7), b"seen once")
    assert first == letter_id(SHARD, SequenceNumber(7), b"seen again")
    assert first != letter_id(ShardId("other"), SequenceNumber(7))


def test_ids_sort_by_sequence_number_beside_those_of_a_former_version() -> None:
    former = f"{8:040d}-0badcafe"
    ids = [letter_id(SHARD, SequenceNumber(number)) for number in (7, 9, 10**30)]
    assert sorted([former, *ids]) == [ids[0], former, *ids[1:]]
