"""What must have held, whatever went wrong: the invariants, judged from what the proxy and the emulator remember."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Any

from tests.chaos.witness import Digest, Witness, digest_of
from tests.servers import read_stream, stream_arn_of


def check_never_back(
    source: Mapping[str, Sequence[Digest]],
    replica: Mapping[str, Sequence[Digest]],
    late: Mapping[str, Collection[Digest]] | None = None,
) -> None:
    """I1, I3: the states of each item in the replica are some of the source's, in the source's order.

    A state may repeat. An item that is absent at first is no state; a source key begins absent. A state that a late
    write made, by `late`, may be an older one, and says nothing about how far the item is: a late deletion must not
    be taken for the source's next one. The next state that is not late has to be where the item was, or further on.
    """
    for key, states in replica.items():
        truth = [None, *source.get(key, [])]
        place = 0
        for count, state in enumerate(states):
            if state == truth[place] or (late and state in late.get(key, ()) and state in truth):
                continue
            try:
                place = truth.index(state, place + 1)
            except ValueError:
                known = [number for number, one in enumerate(truth) if one == state]
                raise AssertionError(
                    f"{key}: the replica's state {count} of {len(states)} is the source's {known or 'never seen'}, "
                    f"after it had shown {place} of {len(truth) - 1}"
                ) from None


def check_witness(witness: Witness, *, may_land_late: bool = False) -> None:
    """I1, I3 by what was written through the proxy, and never two writes of a key at once.

    `may_land_late`: mode auto, whose late writes may show an older state until it is mended.
    """
    late = witness.late if may_land_late else None
    check_never_back({key: seen.states for key, seen in witness.source.items()}, witness.replica, late)
    overlaps = witness.real_overlaps()
    assert not overlaps, f"{len(overlaps)} times two writes of one key were on their way at once: {overlaps[:3]}"


async def check_streams(
    dynamodb: Any, streams: Any, witness: Witness, source: str, replica: str, *, may_land_late: bool = False
) -> int:
    """I1, I3 by the emulator's own streams of both tables. Returns how many states the replica's items had."""
    of_source = await _histories(dynamodb, streams, witness, source)
    of_replica = await _histories(dynamodb, streams, witness, replica)
    check_never_back(of_source, of_replica, witness.late if may_land_late else None)
    return sum(map(len, of_replica.values()))


async def _histories(dynamodb: Any, streams: Any, witness: Witness, table: str) -> dict[str, list[Digest]]:
    found: dict[str, list[Digest]] = {}
    for record in await read_stream(streams, await stream_arn_of(dynamodb, table)):
        change = record["dynamodb"]
        found.setdefault(witness.key_of(change["Keys"]), []).append(digest_of(change.get("NewImage")))
    return found
