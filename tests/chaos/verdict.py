"""What must have held, whatever went wrong: the invariants, judged from what the proxy and the emulator remember."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from tests.chaos.witness import Digest, Witness, digest_of
from tests.servers import read_stream, stream_arn_of


def check_never_back(source: Mapping[str, Sequence[Digest]], replica: Mapping[str, Sequence[Digest]]) -> None:
    """I1, I3: the states of each item in the replica are some of the source's, in the source's order.

    A state may repeat. An item that is absent at first is no state; a source key begins absent.
    """
    for key, states in replica.items():
        truth = [None, *source.get(key, [])]
        place = 0
        for count, state in enumerate(states):
            if state == truth[place]:
                continue
            try:
                place = truth.index(state, place + 1)
            except ValueError:
                known = [number for number, one in enumerate(truth) if one == state]
                raise AssertionError(
                    f"{key}: the replica's state {count} of {len(states)} is the source's {known or 'never seen'}, "
                    f"after it had shown {place} of {len(truth) - 1}"
                ) from None


def check_witness(witness: Witness) -> None:
    """I1, I3 by what was written through the proxy, and never two writes of a key at once."""
    check_never_back({key: seen.states for key, seen in witness.source.items()}, witness.replica)
    overlaps = witness.real_overlaps()
    assert not overlaps, f"{len(overlaps)} times two writes of one key were on their way at once: {overlaps[:3]}"


async def check_streams(dynamodb: Any, streams: Any, witness: Witness, source: str, replica: str) -> int:
    """I1, I3 by the emulator's own streams of both tables. Returns how many states the replica's items had."""
    of_source = await _histories(dynamodb, streams, witness, source)
    of_replica = await _histories(dynamodb, streams, witness, replica)
    check_never_back(of_source, of_replica)
    return sum(map(len, of_replica.values()))


async def _histories(dynamodb: Any, streams: Any, witness: Witness, table: str) -> dict[str, list[Digest]]:
    found: dict[str, list[Digest]] = {}
    for record in await read_stream(streams, await stream_arn_of(dynamodb, table)):
        change = record["dynamodb"]
        found.setdefault(witness.key_of(change["Keys"]), []).append(digest_of(change.get("NewImage")))
    return found
