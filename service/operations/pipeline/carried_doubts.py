"""Hands the keys that one flow left in doubt to the next one of the same process.

A flow that is cut off saves nothing, and a heal begins at the tips: nothing is read again that would bring those keys
back. A request that was given up before takes effect all the same.
"""

from __future__ import annotations

from service.replication.doubts import Doubts
from service.replication.flow import Flow


class CarriedDoubts:
    """Told of each flow as it starts, before it reads, and as it has ended."""

    def __init__(self) -> None:
        self._left: Doubts | None = None

    def take_from(self, flow: Flow) -> None:
        self._left = flow.doubts

    def give_to(self, flow: Flow) -> None:
        if self._left is not None:
            flow.doubts.inherit(self._left)
