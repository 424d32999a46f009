"""What must hold in a world, whatever went wrong in it: the invariants, judged from the histories."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from typing import Any

from service.model import Image, ItemKey
from tests.fakes.images import Content, content_of, image_of, item_of
from tests.fakes.replica import FakeReplica, ReplicaState
from tests.fakes.source import FakeSource, SourceState
from tests.fakes.world import World

STAMP = "timestamp"
Expected = Callable[[dict[str, Any]], Mapping[str, Any] | None]
"""How a source item ought to look in the replica (a projection, a transform); None: not at all."""


class Judge:
    """Compares a world's two tables. `metadata` are the attributes that the service adds."""

    def __init__(self, world: World, *, expected: Expected | None = None, stamp: str = STAMP) -> None:
        self._source: FakeSource = world.source
        self._replica: FakeReplica = world.replica
        self._metadata = {name for name in (stamp, world.replica.sequence_attribute) if name}
        self._expected = expected

    def check_all(self, but: Collection[ItemKey] = ()) -> None:
        """All of them; `but` keys whose changes are dead letters."""
        self.check_never_back()
        self.check_equal(but)
        self.check_one_in_flight()

    def check_never_back(self) -> None:
        """I1, I3: the states that the replica showed of a key are the source's, in the source's order.

        States may be left out, and may repeat. A state counts only if the source had had it by then. What the test
        itself put there is not judged, and neither is the absence before the first write.
        """
        for key, states in self._replica.history.items():
            problem = self._goes_back(key, states)
            assert problem is None, problem

    def check_equal(self, but: Collection[ItemKey] = ()) -> None:
        """I2, I6: both tables hold the same items now."""
        expected = {key: self._of_source(image) for key, image in self._source.items.items() if key not in but}
        wanted = {key: content for key, content in expected.items() if content is not None}
        found = {key: self._of_replica(image) for key, image in self._replica.items.items() if key not in but}
        missing, extra = sorted(wanted.keys() - found.keys()), sorted(found.keys() - wanted.keys())
        different = sorted(key for key in wanted.keys() & found.keys() if wanted[key] != found[key])
        problems = {"missing": missing, "extra": extra, "different": different}
        assert not any(problems.values()), f"the tables differ: {problems}"

    def check_one_in_flight(self) -> None:
        """I1: no key ever had two writes on their way at once."""
        assert not self._replica.overlaps, f"two writes at once: {sorted(self._replica.overlaps)}"

    def check_numbers(self) -> None:
        """An item's sequence number never falls, and names the very state that the item holds.

        Not for streams without images: there a write carries what the source holds, under an older number.
        """
        for key, states in self._replica.history.items():
            by_number = {
                state.sequence.guard: state for state in self._source.history.get(key, []) if state.sequence is not None
            }
            newest = ""
            for state in states:
                number = _text(state.image, self._replica.sequence_attribute)
                if number is None or state.is_foreign:
                    continue
                assert number >= newest, f"{key!r}: {number} was written over {newest}"
                newest = number
                truth = by_number.get(number)
                assert truth is not None, f"{key!r}: no change has the number {number}"
                same = self._of_source(truth.image) == self._of_replica(state.image)
                assert same, f"{key!r}: the item under {number} is not that change's: {state.image!r}"

    def _goes_back(self, key: ItemKey, states: list[ReplicaState]) -> str | None:
        """The earliest match is the best one: whatever may follow a later one may follow it too."""
        truth = self._source.history.get(key, [SourceState(0.0, None, None)])
        place = 0
        before: Content | None = None
        for state in states:
            content = self._of_replica(state.image)
            if state.is_foreign or content == before:
                before = content
                continue
            before = content
            match = self._match(truth, place, content, state.at)
            if match is None:
                return f"{key!r}: at {state.at} the replica showed {state.image!r} after {_told(truth[: place + 1])}"
            place = match
        return None

    def _match(self, truth: list[SourceState], start: int, content: Content | None, at: float) -> int | None:
        for place in range(start, len(truth)):
            if truth[place].at > at:
                return None
            if self._of_source(truth[place].image) == content:
                return place
        return None

    def _of_source(self, image: Image | None) -> Content | None:
        if image is None or self._expected is None:
            return content_of(image, self._metadata)
        shaped = self._expected(item_of(image))
        return None if shaped is None else content_of(image_of(shaped), self._metadata)

    def _of_replica(self, image: Image | None) -> Content | None:
        return content_of(image, self._metadata)


def check_all(world: World, but: Collection[ItemKey] = ()) -> None:
    Judge(world).check_all(but)


def check_never_back(world: World) -> None:
    Judge(world).check_never_back()


def check_equal(world: World, but: Collection[ItemKey] = ()) -> None:
    Judge(world).check_equal(but)


def check_one_in_flight(world: World) -> None:
    Judge(world).check_one_in_flight()


def _text(image: Image | None, attribute: str) -> str | None:
    if image is None or not attribute:
        return None
    text: str | None = item_of(image).get(attribute, {}).get("S")
    return text


def _told(states: list[SourceState]) -> str:
    return " → ".join(f"{state.sequence}: {state.image!r}" for state in states[-3:])
