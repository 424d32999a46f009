"""Random histories: what happens to a source and to the processes that replicate it, as steps that a stage plays.

Few keys and few contents, so that a key is often written, deleted and brought back with a content it had before.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from hypothesis import settings
from hypothesis import strategies as st

from service.model import ViewType

Step = tuple[Any, ...]
"""A kind and what it needs: `("put", 2, 1)` writes content 1 under key 2."""

WRITES = ("put", "put", "put", "delete", "wait")
RESHARDS = ("roll", "split")
CRASHES = ("crash", "crash", "kill", "stop")
RIVALS = ("rival", "cut", "freeze")
EXPIRIES = ("expire", "expire")
LOSSES = ("lose_stream", "lose_history", "lose_replica")
OPERATIONS = ("snapshot", "pause", "resume")
WAITS = (0.0, 0.05, 0.3, 1.0, 4.0, 12.0)


@dataclass(frozen=True)
class Setting:
    """The world of a history, and how the service is configured in it."""

    seed: int = 0
    start_at: str = "trim_horizon"
    write_mode: str = "auto"
    view_type: ViewType = ViewType.NEW_AND_OLD_IMAGES
    shards: int = 1
    has_sequence: bool = True
    has_faults: bool = False
    is_late: bool = True
    """The stream runs behind, cuts its pages, and lists its children late."""
    writers: int = 4
    preset: int = 0
    """Items that are there before the stream begins."""


def settings_of(**fixed: Any) -> st.SearchStrategy[Setting]:
    """Any setting, but for what is fixed: by a value, or by a strategy."""
    free: dict[str, Any] = {
        "seed": st.integers(0, 2**32 - 1),
        "start_at": st.sampled_from(["trim_horizon", "snapshot", "latest"]),
        "write_mode": st.sampled_from(["auto", "strict"]),
        "view_type": st.sampled_from([ViewType.NEW_AND_OLD_IMAGES, *ViewType]),
        "shards": st.integers(1, 3),
        "has_faults": st.booleans(),
        "writers": st.sampled_from([1, 4, 16]),
        "preset": st.integers(0, 6),
    }
    given = {name: value if isinstance(value, st.SearchStrategy) else st.just(value) for name, value in fixed.items()}
    return st.builds(Setting, **(free | given))


@st.composite
def steps(draw: st.DrawFn, kinds: Sequence[str], keys: int, contents: int) -> Step:
    kind = draw(st.sampled_from(kinds))
    key = st.integers(0, keys - 1)
    match kind:
        case "put":
            return kind, draw(key), draw(st.integers(0, contents - 1))
        case "delete" | "expire":
            return kind, draw(key)
        case "lose_stream" | "lose_history" | "lose_replica":
            return kind, draw(st.lists(steps(("put", "put", "delete"), keys, contents), max_size=4))
        case "wait":
            return kind, draw(st.sampled_from(WAITS))
        case "roll" | "split":
            return kind, draw(st.integers(0, 3))
        case "crash":
            return kind, draw(st.integers(1, 25)), draw(st.sampled_from(["BEFORE", "MIDDLE", "AFTER"]))
        case "cut" | "freeze":
            return kind, draw(st.sampled_from([2.0, 8.0, 15.0]))
        case _:
            return (kind,)


def histories(
    *more: Sequence[str], keys: int = 4, contents: int = 3, min_size: int = 8, max_size: int = 70
) -> st.SearchStrategy[list[Step]]:
    """Writes, and the other kinds of steps that are named. Reshards and crashes are rarer than writes."""
    kinds = [*WRITES * max(1, len(more)), *[kind for group in more for kind in group]]
    return st.lists(steps(kinds, keys, contents), min_size=min_size, max_size=max_size)


def slow(share: int = 2) -> settings:
    """For tests whose examples are long: a part of the profile's number of examples."""
    return settings(max_examples=max(4, settings.default.max_examples // share))
