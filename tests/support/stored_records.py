"""What a contract's tests put into a control table."""

import random

from service.model import ItemKey, SequenceNumber, ShardId
from service.pipeline_state import DeadLetter, Lease

NOW = 1_750_000_000.123456


def lease_of(owner: str = "first", generation: int = 1) -> Lease:
    return Lease(owner, generation)


def letter(letter_id: str = "1", record: bytes = b'{"Keys": {}}', version: str = "a") -> DeadLetter:
    return DeadLetter(
        id=letter_id,
        shard_id=ShardId("shardId-1"),
        sequence=SequenceNumber("800000000003126276362"),
        event_name="INSERT",
        key=ItemKey('{"key":{"S":"käse \\u0000 #1"}}'.encode()),
        error="the item is too large",
        attempts=10,
        failed_at=NOW,
        record=record,
        identity=f"of {letter_id}",
        created_at=NOW - 1,
        state="9hX_",
        version=version,
    )


NOISE = random.Random(7).randbytes(1_000_000)
"""Can't be compressed, and is over the 800 KB of two images."""


DOCUMENT = {"id": "1", "nested": [{"deeper": [[], {}, None, True, 1.5, "", "\N{SNOWMAN}\x00"]}], "large": 2**53}
