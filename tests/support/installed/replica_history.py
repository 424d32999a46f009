"""What a reader of the replica would have seen: judged from the replica's own stream, against the source's.

Every value that a test writes is unique, so that a state of an item names its place in the source's history.
"""

from __future__ import annotations

import asyncio
import time
from collections import defaultdict
from typing import Any

from tests.servers import read_stream, scan, stream_arn_of
from tests.support.patience import PATIENCE_SECONDS

METADATA = ("timestamp", "dynamirror_sequence")
History = list[dict[str, Any] | None]


def without_metadata(item: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in item.items() if name not in METADATA}


async def histories(dynamodb: Any, streams: Any, table: str) -> dict[str, History]:
    """Each item's states in order, by its key attribute `key`; None where it was deleted."""
    found: dict[str, History] = defaultdict(list)
    for record in await read_stream(streams, await stream_arn_of(dynamodb, table)):
        change = record["dynamodb"]
        image = change.get("NewImage")
        found[change["Keys"]["key"]["S"]].append(None if image is None else without_metadata(image))
    return found


def check_never_back(source: dict[str, History], replica: dict[str, History]) -> None:
    """I1, I3: the replica's states of each key are some of the source's, in the source's order."""
    for key, states in replica.items():
        place = -1
        truth = source[key]
        for number, state in enumerate(states):
            try:
                place = truth.index(state, max(place, 0))
            except ValueError:
                raise AssertionError(
                    f"{key}: state {number} of the replica, {state}, comes after the source's state {place}: "
                    f"{truth[max(place - 3, 0) : place + 3]}; the replica's: {states[max(number - 4, 0) : number + 3]}"
                ) from None


async def until_equal(dynamodb: Any, source: str, replica: str, seconds: float = PATIENCE_SECONDS) -> int:
    """`check_equal`, once it holds: sooner than "caught up", which keys in doubt put off for half a minute."""
    give_up_at = time.monotonic() + seconds
    while True:
        try:
            return await check_equal(dynamodb, source, replica)
        except AssertionError:
            if time.monotonic() > give_up_at:
                raise
            await asyncio.sleep(0.2)


async def check_equal(dynamodb: Any, source: str, replica: str) -> int:
    """I2, I6: both tables hold the same items, but for the metadata. Returns how many."""
    expected = {item["key"]["S"]: item for item in await scan(dynamodb, source)}
    found = {item["key"]["S"]: without_metadata(item) for item in await scan(dynamodb, replica)}
    different = [key for key in expected.keys() | found.keys() if expected.get(key) != found.get(key)]
    some = [(key, expected.get(key), found.get(key)) for key in different[:3]]
    assert not different, f"{len(different)} of {len(expected)} differ, such as {some}"
    return len(expected)
