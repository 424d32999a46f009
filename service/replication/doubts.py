"""Keys whose writes are in doubt: a request was given up, and may still take effect after a newer change (I3).

A time-out, a reset or an answer that is not DynamoDB's leaves the fate of a write unknown. The next writes of its keys
are guarded, but nothing can stop the lost request itself. So its keys are looked at again until such a request has
surely ended, and what went back, or came back, is mended (`second_looks`). Meanwhile the pipeline is not caught up.

A pipeline whose requests are all answered has no such keys and pays nothing. A crash loses this memory, but for the
keys that were saved with the checkpoints; the changes that the successor reads again bring the others back.
"""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import Iterable

import msgspec

from service.model import Change, Image, ItemKey, ItemWrite, Put, SequenceNumber
from service.pipeline_state import KeysInDoubt
from service.ports import Clock

DOUBT_SECONDS = 30.0
"""So long after it was given up, a request may still take effect. Nobody gives a number: it is six times the longest
time-out of this service's requests (5 s)."""
LEASES = 1.5
"""… and it is longer than the lease, by which a successor reckons."""
BIRTH_SECONDS = 5.0
"""So long, mode `strict` waits before it deletes an item whose creation is in doubt: no condition can tell the late
creation of a deleted item from that of a new one. As long as the longest time-out of a request."""
FIRST_LOOKS_SECONDS = (1.0, 5.0, 10.0)
"""After so many seconds a key is looked at again: most late writes are late by a moment."""
LOOK_EVERY_SECONDS = 10.0
MAX_KEYS = 100_000
"""Some 25 MB; of more, the oldest are looked at once more and let go."""
MAX_IMAGE_BYTES = 16 * 1024 * 1024
"""Of the settled items that are kept to be written again; a key whose item is not kept is refreshed from the source."""
MAX_SAVED_KEYS = 2000
MAX_SAVED_BYTES = 100_000
"""Of keys that outlive a crash: they share an item of 400 KB with the checkpoints."""


class Doubt(msgspec.Struct, gc=False):
    """One key. Times are the monotonic clock's, in seconds."""

    since: float
    until: float
    look_at: float
    birth_until: float = 0.0
    """Until then a lost creation of the item may take effect."""
    sequence: SequenceNumber | None = None
    """Of the change that was settled last; None when that is not known."""
    image: Image | None = None
    """What that change left in the replica, without metadata. None: nothing, or it is not kept."""
    is_deleted: bool = False
    """The change that was settled last left nothing there."""


class Doubts:
    """Owned by one flow; `Requests` notes keys, the sink notes what is settled, `SecondLooks` looks."""

    def __init__(self, clock: Clock, *, lease_seconds: float = 0.0) -> None:
        self._clock = clock
        self.seconds = max(DOUBT_SECONDS, LEASES * lease_seconds)
        self._keys: dict[ItemKey, Doubt] = {}
        self._some = asyncio.Event()
        self._image_bytes = 0
        self._crashed_at = self._crash_counts_until = 0.0

    async def wait(self) -> None:
        """Until there is a key in doubt."""
        if not self._keys:
            self._some.clear()
            await self._some.wait()

    def __len__(self) -> int:
        return len(self._keys)

    def __contains__(self, key: ItemKey) -> bool:
        return key in self._keys

    def get(self, key: ItemKey) -> Doubt | None:
        return self._keys.get(key)

    def note(self, keys: Iterable[ItemKey], *, is_birth: bool = False) -> None:
        """A request for these keys was given up just now. `is_birth`: on the condition that no item is there."""
        now = self._clock.monotonic()
        for key in keys:
            doubt = self._keys.pop(key, None) or Doubt(now, now, now + FIRST_LOOKS_SECONDS[0])
            doubt.since, doubt.until = now, now + self.seconds
            doubt.look_at = min(doubt.look_at, now + FIRST_LOOKS_SECONDS[0])
            if is_birth:
                doubt.birth_until = now + BIRTH_SECONDS
            self._keys[key] = doubt  # at the end: the first is the oldest
            self._some.set()

    def settled(self, change: Change, write: ItemWrite) -> None:
        """This is what the replica has to show of the key from now on; nothing for a key that is not in doubt."""
        doubt = self._keys.get(change.key)
        if doubt is None:
            return
        self._forget_image(doubt)
        doubt.sequence, doubt.is_deleted = change.sequence, not isinstance(write, Put)
        if isinstance(write, Put) and self._image_bytes + len(write.item) <= MAX_IMAGE_BYTES:
            doubt.image = write.item
            self._image_bytes += len(write.item)

    def unsettled(self, key: ItemKey) -> None:
        """Something else was found, or written, there: what the replica has to show is the source's to tell."""
        doubt = self._keys.get(key)
        if doubt is not None:
            self._forget_image(doubt)
            doubt.sequence, doubt.is_deleted = None, False

    def birth_seconds(self, key: ItemKey) -> float:
        """How long a lost creation of this item may still take effect; 0.0 when there is none."""
        doubt = self._keys.get(key)
        return 0.0 if doubt is None else max(0.0, doubt.birth_until - self._clock.monotonic())

    def due(self) -> list[ItemKey]:
        """Keys to look at now; each is due again some seconds later, until it is let go."""
        now = self._clock.monotonic()
        surplus = len(self._keys) - MAX_KEYS
        oldest = set(itertools.islice(self._keys, surplus)) if surplus > 0 else set()
        chosen = [key for key, doubt in self._keys.items() if doubt.look_at <= now or key in oldest]
        for key in chosen:
            doubt = self._keys[key]
            if key in oldest:
                doubt.until = now
            ages = (*FIRST_LOOKS_SECONDS, *itertools.takewhile(lambda age: age <= self.seconds, _later_looks()))
            doubt.look_at = min((at for age in ages if (at := doubt.since + age) > now), default=doubt.until)
        return chosen

    def looked_at(self, key: ItemKey, asked_at: float) -> None:
        """The key was right when, or made right after, it was looked at at that moment of the monotonic clock."""
        doubt = self._keys.get(key)
        if doubt is not None and asked_at >= doubt.until:
            self._forget_image(doubt)
            del self._keys[key]

    def _forget_image(self, doubt: Doubt) -> None:
        if doubt.image is not None:
            self._image_bytes -= len(doubt.image)
            doubt.image = None

    def inherit(self, former: Doubts) -> None:
        """What a former flow of this process left in doubt: judged by the source from here on."""
        now = self._clock.monotonic()
        for key, left in former._keys.items():
            self.note([key])
            doubt = self._keys[key]
            doubt.since, doubt.until, doubt.look_at = left.since, left.until, now
            doubt.birth_until = left.birth_until

    # --- over a crash

    def after_crash(self, crashed_at: float) -> None:
        """A former owner stopped at this moment (seconds since the epoch) with requests under way."""
        self._crashed_at, self._crash_counts_until = crashed_at, crashed_at + self.seconds

    @property
    def may_be_formers(self) -> bool:
        """A request of a former owner, which died, may still take effect."""
        return bool(self._crashed_at) and self._clock.now() < self._crash_counts_until

    def note_repeated(self, change: Change) -> None:
        """This change is applied again after a crash: a former owner's write of its key may be on its way."""
        if change.created_at < self._crashed_at and self.may_be_formers and len(self._keys) < MAX_KEYS:
            self.note_formers([change.key])

    def note_formers(self, keys: Iterable[ItemKey]) -> None:
        """A former owner may have written these keys right before it died."""
        now, left = self._clock.monotonic(), self._crash_counts_until - self._clock.now()
        for key in keys:
            if key not in self._keys:
                self.note([key])
                self._keys[key].until = now + max(0.0, min(self.seconds, left))

    def saved(self) -> KeysInDoubt | None:
        """What a successor has to know; None without any key in doubt."""
        if not self._keys:
            return None
        kept: list[ItemKey] = []
        size = 0
        for key in reversed(self._keys):
            size += len(key)
            if len(kept) == MAX_SAVED_KEYS or size > MAX_SAVED_BYTES:
                break
            kept.append(key)
        left = max(doubt.until for doubt in self._keys.values()) - self._clock.monotonic()
        until = self._clock.now() + max(0.0, left)
        return KeysInDoubt(tuple(kept), until - until % 10 + 10, len(self._keys) - len(kept))

    def restore(self, saved: KeysInDoubt) -> None:
        """Keys that a former owner left in doubt: looked at soon, also when the time for it is over by now."""
        now = self._clock.monotonic()
        self.note(saved.keys)
        for key in saved.keys:
            doubt = self._keys[key]
            doubt.since = doubt.look_at = now
            doubt.until = now + max(0.0, min(saved.until - self._clock.now(), self.seconds))


def _later_looks() -> Iterable[float]:
    return itertools.count(FIRST_LOOKS_SECONDS[-1] + LOOK_EVERY_SECONDS, LOOK_EVERY_SECONDS)
