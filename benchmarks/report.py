"""The figures as a table, as JSON, and as RESULTS.md with the machine that they were measured on."""

from __future__ import annotations

import json
import os
import platform
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path

from benchmarks.cases import OUT_OF_REACH, Figure

RESULTS, FLEET = (Path(__file__).with_name(name) for name in ("RESULTS.md", "FLEET.md"))


def table(figures: list[Figure]) -> str:
    rows = [("case", "figure", "value", "target", "")]
    rows += [(each.case, each.what, _number(each), _target(each), each.verdict or "") for each in figures]
    widths = [max(len(row[column]) for row in rows) for column in range(5)]
    lines = [
        "| " + " | ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)) + " |" for row in rows
    ]
    lines.insert(1, "|" + "|".join("-" * (width + 2) for width in widths) + "|")
    return "\n".join(lines)


def _number(figure: Figure) -> str:
    digits = 0 if figure.value >= 100 or figure.value == int(figure.value) else 1 if figure.value >= 10 else 3
    return f"{figure.value:,.{digits}f} {figure.unit}".strip()


def _target(figure: Figure) -> str:
    if figure.target is None:
        return ""
    return f"{'at most' if figure.is_ceiling else 'at least'} {figure.target:,g}"


def as_json(figures: list[Figure]) -> str:
    found = [asdict(each) | {"verdict": each.verdict} for each in figures]
    return json.dumps({"machine": machine(), "measured_at": _now(), "figures": found}, indent=2)


def machine() -> dict[str, str]:
    processor = platform.processor() or platform.machine()
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            processor = line.partition(":")[2].strip()
            break
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    return {
        "processor": f"{processor}, {len(os.sched_getaffinity(0))} cores to run on",
        "memory": f"{memory:.0f} GiB",
        "system": f"{platform.system()} {platform.release()}",
        "python": platform.python_version(),
        "load": f"{os.getloadavg()[1]:.1f} (five minutes, at the end)",
    }


def write_results(figures: list[Figure], profiles: str) -> None:
    known = "\n".join(f"- {why}" for why in OUT_OF_REACH)
    RESULTS.write_text(
        "# Results\n\nMade by `python -m benchmarks --write-results`; the program under measurement has one core, the "
        "stub another.\nRatios compare programs that ran in turns; times and rates are this machine's.\n\n"
        f"{_measured(figures)}\n\n## Not met, as known\n\n{known}\n\n"
        "## Where the time goes\n\nUnder the profiler, which costs time itself, most where functions are small: read "
        f"the shares.\n\n{profiles}\n"
    )


def write_fleet(figures: list[Figure]) -> None:
    FLEET.write_text(f"{_ABOUT_FLEET}\n{_measured(figures)}\n")


_ABOUT_FLEET = """# Many pipelines in one process

Made by `python -m benchmarks --fleet --write-results`; the program has one core, the stub and the control table's
emulator another. Each pipeline has 4 shards, and 4 changes a second where it is steady. A latency is counted from the
moment when the change can be read, and has the wait for the next poll of its shard in it, up to 250 ms; "from the read
on" is without that wait. Ratios compare what ran in turns.
"""


def _measured(figures: list[Figure]) -> str:
    about = "\n".join(f"- {name}: {value}" for name, value in machine().items())
    return f"Measured at {_now()} on:\n\n{about}\n\n{table(figures)}"


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")
