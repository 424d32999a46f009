"""Where the time of a hot path goes: the product under cProfile, its time summed by the module that it was spent in.

The profiler costs time itself, most where functions are small: read the shares, not the times. What a run with hardly
any records takes, which is the start, is left out.
"""

from __future__ import annotations

import pstats
import sys
import tempfile
from collections import Counter
from dataclasses import replace
from pathlib import Path

from benchmarks import measuring
from benchmarks.workload import Workload

PATHS: dict[str, tuple[Workload, dict[str, object]]] = {
    "auto": (Workload(records=40_000), {}),
    "hot keys": (Workload(records=80_000, is_hot=True), {}),
    "strict": (Workload(records=8000), {"WRITE_MODE": "strict"}),
}
SHOWN = 14
_LIBRARIES = ("asyncio", "msgspec", "aiobotocore", "botocore", "aiohttp", "uvicorn", "json")


def tables(behind: str) -> str:
    """One table a path, as Markdown."""
    return "\n\n".join(f"### {name}\n\n{_table(_shares(behind, *PATHS[name]))}" for name in PATHS)


def _shares(behind: str, workload: Workload, settings: dict[str, object]) -> list[tuple[str, float]]:
    spent = _spent(behind, workload, settings)
    spent.subtract(_spent(behind, replace(workload, records=40), settings))
    whole = sum(seconds for seconds in spent.values() if seconds > 0)
    return [(room, seconds / whole) for room, seconds in spent.most_common(SHOWN)]


def _spent(behind: str, workload: Workload, settings: dict[str, object]) -> Counter[str]:
    """Seconds, by the room that they were spent in."""
    with tempfile.TemporaryDirectory() as folder:
        found = Path(folder) / "profile"
        command = [sys.executable, "-m", "cProfile", "-o", str(found), "-m", "service", "run"]
        measuring.product(workload, behind, command, **settings)
        stats = pstats.Stats(str(found)).stats  # type: ignore[attr-defined]  typeshed leaves it out
    spent: Counter[str] = Counter()
    for (file, _, function), (_, _, own, _, callers) in stats.items():
        if file != "~":
            spent[_room(file)] += own
        elif "poll" not in function:  # waiting is no work
            for (caller, _, _), (*_, share, _) in callers.items():
                spent[_room(caller)] += share
    return spent


def _room(file: str) -> str:
    """`service/aws/http/wire.py`, or the library; Python's own modules are `others`."""
    parts = Path(file).parts
    for top in ("service", "api"):
        if top in parts:
            return "/".join(parts[len(parts) - parts[::-1].index(top) - 1 :])
    return next((library for library in _LIBRARIES if library in parts), "others")


def _table(shares: list[tuple[str, float]]) -> str:
    rows = "\n".join(f"| {room} | {share:.1%} |" for room, share in shares)
    return f"| where | share of the time |\n|---|---|\n{rows}"
