"""Who asks whom for what, so that processes with the same pipelines have even shares of them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Mapping
from zlib import crc32

AT_ONCE = 2
"""Pipelines that one process asks for at the same time."""


def may_move(of_owner: int, of_asker: int) -> bool:
    """One pipeline from the one to the other makes their shares more even. So no pipeline goes back and forth."""
    return of_owner - of_asker >= 2


def wanted(me: str, owners: Mapping[str, str], asked: Collection[str], refused: Collection[str]) -> list[str]:
    """The pipelines to ask for now, beside those that are `asked` for: each of the owner who has the most.

    `owners`: who has each pipeline, as `me` sees it. `refused`: what was not handed over lately.
    """
    has = Counter({me: 0})
    has.update(me if name in asked else owner for name, owner in owners.items())
    found: list[str] = []
    while len(asked) + len(found) < AT_ONCE:
        free = [each for each, owner in owners.items() if owner != me and each not in {*asked, *found, *refused}]
        if not free:
            break
        best = max(free, key=lambda name: (has[owners[name]], crc32(f"{me} {name}".encode()), name))
        if not may_move(has[owners[best]], has[me]):
            break
        has[owners[best]] -= 1
        has[me] += 1
        found.append(best)
    return found
