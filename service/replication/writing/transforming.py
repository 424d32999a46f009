"""Runs the user's transform: beside the event loop where it can be foreseen, on the spot where it can't.

A whole batch of images is transformed ahead, in a thread, and the results wait for `of`. They are kept for a short
while and in bounded memory; what was pushed out is made again. The user's code never runs twice at a time.
"""

from __future__ import annotations

import threading
import time
import traceback
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import msgspec

from service.configuration.transform import Transform
from service.dynamodb_json import items
from service.errors import ChangeError
from service.events import Observer, Warned
from service.model import Image
from service.side_thread import SideThread

AT_ONCE = 25
"""Images in one hop to the thread: as many as a batch of writes has."""
MAX_MADE = 4000
MAX_MADE_BYTES = 16 * 1024 * 1024
SLOW_SECONDS = 0.005
"""An average from which on a person is told: one thread takes at most 200 items a second then."""
MEASURED_AFTER = 100
"""Items that the average is taken over."""

Made = Image | ChangeError | None


class Transforming:
    """Owned by one Shape."""

    def __init__(
        self, transform: Transform, *, key_names: tuple[str, ...], observer: Observer, aside: SideThread | None
    ) -> None:
        """Without `aside`, everything is made on the spot."""
        self._transform = transform
        self._key_names = key_names
        self._observer = observer
        self._aside = aside
        self._lock = threading.Lock()
        self._made: dict[Image, Made] = {}
        self._made_bytes = 0
        self._measured = (0, 0.0)

    def of(self, image: Image) -> Image | None:
        """The item that the transform makes; None when it leaves the item out. Raises ChangeError."""
        made = self._made[image] if image in self._made else self._make(image)
        if isinstance(made, ChangeError):
            raise ChangeError(str(made)) from made
        return made

    async def prepare(self, images: Sequence[Image]) -> None:
        """Make these ahead, so that `of` finds them."""
        if self._aside is None:
            return
        wanted = [image for image in dict.fromkeys(images) if image not in self._made]
        for start in range(0, len(wanted), AT_ONCE):
            some = wanted[start : start + AT_ONCE]
            made, seconds = await self._aside.run(self._making(some))
            for image, one in zip(some, made, strict=True):
                self._keep(image, one)
            self._measure(len(some), seconds)

    def _making(self, images: Sequence[Image]) -> Callable[[], tuple[list[Made], float]]:
        def make() -> tuple[list[Made], float]:
            began = time.perf_counter()
            return [self._make(image) for image in images], time.perf_counter() - began

        return make

    def _keep(self, image: Image, made: Made) -> None:
        if image in self._made:
            return
        self._made[image] = made
        self._made_bytes += len(image)
        while len(self._made) > MAX_MADE or self._made_bytes > MAX_MADE_BYTES:
            oldest = next(iter(self._made))
            del self._made[oldest]
            self._made_bytes -= len(oldest)

    def _measure(self, count: int, seconds: float) -> None:
        count, seconds = self._measured[0] + count, self._measured[1] + seconds
        self._measured = (count, seconds)
        if count < MEASURED_AFTER:
            return
        self._measured = (0, 0.0)
        average = seconds / count
        if average > SLOW_SECONDS:
            self._observer.observe(
                Warned(
                    "transform",
                    f"the transform takes {average * 1000:.0f} ms an item: at most {1 / average:.0f} items a second "
                    "pass it, whatever else is set; make it quicker",
                )
            )

    def _make(self, image: Image) -> Made:
        attributes = items.attributes(image)
        # A record's image may lack its key: the replica refuses that, as without a transform.
        keys = {name: msgspec.json.decode(attributes.get(name, b"null")) for name in self._key_names}
        try:
            with self._lock:
                after: Any = self._transform(msgspec.json.decode(image))  # its own objects: it may change them
        except BaseException as error:  # the user's code: what it raises, sys.exit() too, is this change's fault alone
            # The error's own text may hold the item's values, which go into no log.
            return ChangeError(f"the transform raised {type(error).__name__}{_place(error)}")
        if after is None:
            return None
        if not isinstance(after, dict):
            return ChangeError(f"the transform returned {type(after).__name__}, not an item (a dict) or None")
        if {name: after.get(name) for name in self._key_names} != keys:
            return ChangeError("the transform changed the item's key, which must stay as it is")
        try:
            items.check_values(after)
            return Image(msgspec.json.encode(after))
        except (TypeError, ValueError, msgspec.MsgspecError) as error:
            return ChangeError(f"the transform returned what is no item: {error}")


def _place(error: BaseException) -> str:
    """The line of the transform's own file that it came from; nothing where that has none."""
    _, *frames = ((frame.f_code.co_filename, line) for frame, line in traceback.walk_tb(error.__traceback__))
    lines = [line for file, line in frames if file == frames[0][0]]
    return f" at line {lines[-1]} of {Path(frames[0][0]).name}" if lines else ""
