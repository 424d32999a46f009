"""What must have held, whatever went wrong: the invariants, judged from what the proxy and the emulator remember."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from typing import Any

from tests.servers import read_stream, stream_arn_of
from tests.support.chaos.proxy_record import Digest, Witness, digest_of

IsLate = Callable[[str, int, Digest], bool]
"""Whether a late write made a state: the item's key, the state's place among those of the item, and the state."""


def check_never_back(
    source: Mapping[str, Sequence[Digest]],
    replica: Mapping[str, Sequence[Digest]],
    is_late: IsLate = lambda key, place, state: False,
) -> None:
    """I1, I3: the states of each item in the replica are some of the source's, in the source's order.

    A state may repeat. An item that is absent at first is no state; a source key begins absent. A state that a late
    write made may be an older one, and says nothing about how far the item is: a late deletion must not be taken for
    the source's next one. The next state that is not late has to be where the item was, or further on.
    """
    for key, states in replica.items():
        truth = [None, *source.get(key, [])]
        place = 0
        for count, state in enumerate(states):
            if state == truth[place] or (state in truth and is_late(key, count, state)):
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
    source = {key: seen.states for key, seen in witness.source.items()}
    for replica, late in (*witness.former_replicas, (witness.replica, witness.late)):

        def is_late(key: str, place: int, _: Digest, late: Mapping[str, Collection[int]] = late) -> bool:
            return may_land_late and place in late.get(key, ())

        check_never_back(source, replica, is_late)
    overlaps = witness.real_overlaps()
    assert not overlaps, f"{len(overlaps)} times two writes of one key were on their way at once: {overlaps[:3]}"


async def check_streams(
    dynamodb: Any,
    streams: Any,
    witness: Witness,
    streams_of_source: Iterable[str],
    replica: str,
    *,
    may_land_late: bool = False,
) -> int:
    """I1, I3 by the emulator's own streams of both tables, the source's one after the other as they were.

    Returns how many states the replica's items had.
    """
    of_source: dict[str, list[Digest]] = {}
    for arn in streams_of_source:
        for key, states in (await _histories(streams, witness, arn)).items():
            of_source.setdefault(key, []).extend(states)
    of_replica = await _histories(streams, witness, await stream_arn_of(dynamodb, replica))
    late = {key: {witness.replica[key][place] for place in places} for key, places in witness.late.items()}
    check_never_back(of_source, of_replica, lambda key, _, state: may_land_late and state in late.get(key, ()))
    return sum(map(len, of_replica.values()))


async def _histories(streams: Any, witness: Witness, arn: str) -> dict[str, list[Digest]]:
    found: dict[str, list[Digest]] = {}
    for record in await read_stream(streams, arn):
        change = record["dynamodb"]
        # A write that changes nothing makes no record (Developer Guide, "Change data capture for DynamoDB Streams"); on
        # emulators it does.
        if change.get("NewImage") != change.get("OldImage"):
            found.setdefault(witness.key_of(change["Keys"]), []).append(digest_of(change.get("NewImage")))
    return found
