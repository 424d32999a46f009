"""What happened, as far as the proxy saw it: requests, states of the replica's items, and what is not applied yet."""

from __future__ import annotations

import base64
import time
from collections import defaultdict, deque
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

import orjson

from tests.fakes.images import content_of
from tests.support.chaos.faults import Role

METADATA = ("timestamp", "dynamirror_sequence")
Digest = int | None
"""Stands for an item's content without the metadata; None: there is no item."""


def digest_of(image: Any) -> Digest:
    """Equal for equal items, within one process; binary values may be as on the wire or as the SDK decodes them."""
    return None if image is None else hash(content_of(orjson.dumps(image, default=_base64), METADATA))


def _base64(value: Any) -> str:
    return base64.b64encode(value).decode()


@dataclass(frozen=True, slots=True)
class Request:
    """One request of the product: when it came (monotonic), through which door, and what came of it."""

    at: float
    door: str
    role: Role
    operation: str
    writes: int
    outcome: str


@dataclass(slots=True)
class Flight:
    """One write request on its way."""

    door: str
    operation: str
    at: float
    is_given_up: bool = False
    """The client closed the connection before an answer."""


@dataclass(slots=True)
class SourceKey:
    states: list[Digest] = field(default_factory=list)
    unapplied: deque[tuple[float, Digest]] = field(default_factory=deque)
    """What the replica has not shown yet: when the stream showed it, and what it was."""


class Witness:
    """Owned by the proxy; tests read it."""

    def __init__(self, key_names: tuple[str, ...] = ("key",)) -> None:
        self.key_names = key_names
        self.requests: list[Request] = []
        self.source: dict[str, SourceKey] = defaultdict(SourceKey)
        self.replica: dict[str, list[Digest]] = defaultdict(list)
        """Each item's states in the order in which the writes took effect."""
        self.former_replicas: list[tuple[dict[str, list[Digest]], dict[str, set[int]]]] = []
        """`replica` and `late` of tables that were deleted since."""
        self.newest: dict[str, str] = {}
        """The sequence number of each key's newest record, as it was shown."""
        self.late: dict[str, set[int]] = defaultdict(set)
        """The places in `replica` of the states that late writes made: an item may go back to them, in mode auto."""
        self.overlaps: list[tuple[str, Flight, Flight]] = []
        """Two writes of one key on their way at once."""
        self._flights: dict[str, Flight] = {}

    def key_of(self, item: dict[str, Any]) -> str:
        return orjson.dumps({name: item[name] for name in self.key_names}, default=_base64).decode()

    def saw_record(self, key: str, image: Any, visible_at: float, number: str = "") -> None:
        digest = digest_of(image)
        self.newest[key] = number
        seen = self.source[key]
        present = self._present(key)
        if present == (seen.states[-1] if seen.states else None):
            seen.unapplied.clear()
        if present == digest:
            seen.unapplied.clear()
        else:
            seen.unapplied.append((visible_at, digest))
        seen.states.append(digest)

    def held_back(self, keys: Iterable[str]) -> None:
        """The stream holds records of these keys that it has not shown until now, and nobody could know."""
        now = time.monotonic()
        for key in set(keys):
            unapplied = self.source[key].unapplied
            for place, (visible_at, digest) in enumerate(unapplied):
                unapplied[place] = (max(visible_at, now), digest)

    def took_effect(self, key: str, image: Any, *, is_late: bool = False) -> None:
        """A write of the replica did; what a late one took back is unapplied again."""
        digest = digest_of(image)
        self.replica[key].append(digest)
        unapplied = self.source[key].unapplied
        if is_late:
            self.late[key].add(len(self.replica[key]) - 1)
            states = self.source[key].states
            if states and digest != states[-1] and not unapplied:
                unapplied.append((time.monotonic(), states[-1]))
        for count in range(len(unapplied), 0, -1):  # the newest state that it can be
            if unapplied[count - 1][1] == digest:
                for _ in range(count):
                    unapplied.popleft()
                return

    def replica_created_anew(self, noticed_within_seconds: float) -> None:
        """Another table took its place, and holds nothing; so long, nobody can know."""
        self.former_replicas.append((dict(self.replica), dict(self.late)))
        self.replica.clear()
        self.late.clear()
        from_then_on = time.monotonic() + noticed_within_seconds
        for seen in self.source.values():
            seen.unapplied.clear()
            if seen.states and seen.states[-1] is not None:
                seen.unapplied.append((from_then_on, seen.states[-1]))

    def _present(self, key: str) -> Digest:
        states = self.replica.get(key)
        return states[-1] if states else None

    def oldest_unapplied(self, but: Iterable[str] = ()) -> tuple[float, str] | None:
        """When (monotonic) the stream showed the oldest change that a reader of the replica does not see yet; its key.

        A key whose item is what its newest record says counts as applied, however it came about.
        """
        left_out = set(but)
        return min(
            (
                (seen.unapplied[0][0], key)
                for key, seen in self.source.items()
                if seen.unapplied and key not in left_out and self._present(key) != seen.states[-1]
            ),
            default=None,
        )

    def oldest_unapplied_at(self, but: Iterable[str] = ()) -> float | None:
        found = self.oldest_unapplied(but)
        return None if found is None else found[0]

    def takes_off(self, keys: Iterable[str], flight: Flight) -> None:
        for key in keys:
            other = self._flights.get(key)
            if other is not None:
                self.overlaps.append((key, other, flight))
            self._flights[key] = flight

    def lands(self, keys: Iterable[str], flight: Flight) -> None:
        for key in keys:
            if self._flights.get(key) is flight:
                del self._flights[key]

    def real_overlaps(self) -> list[tuple[str, Flight, Flight]]:
        """Those in which the client still waited for the first answer when it sent the second write."""
        return [overlap for overlap in self.overlaps if not overlap[1].is_given_up]

    def noted(self, request: Request) -> None:
        self.requests.append(request)

    def since(self, at: float, role: Role, *, door: str | None = None, writes_only: bool = False) -> list[Request]:
        """Requests that came after a moment (monotonic)."""
        return [
            request
            for request in self.requests
            if request.at > at
            and request.role is role
            and (door is None or request.door == door)
            and (request.writes or not writes_only)
        ]
