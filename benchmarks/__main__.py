"""`python -m benchmarks`: all cases, some six minutes; `--fleet`: those of many pipelines, as long; `--quick`: once."""

from __future__ import annotations

import argparse
import sys
from contextlib import nullcontext
from pathlib import Path

from benchmarks import profile, report
from benchmarks.cases import Figure, Runner, Verdict, figures
from benchmarks.fleet_cases import fleet_figures
from benchmarks.programs import on_stub_core
from tests.servers import running


def main() -> int:
    """1 when a figure that decides is missed."""
    parser = argparse.ArgumentParser(prog="benchmarks", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="the ratios once")
    parser.add_argument("--fleet", action="store_true", help="many pipelines in one process, under load")
    parser.add_argument("--json", type=Path, help="write the figures to this file, too")
    parser.add_argument("--write-results", action="store_true", help="write benchmarks/RESULTS.md, or FLEET.md")
    parser.add_argument("--profile", action="store_true", help="only show where the time of the hot paths goes")
    given = parser.parse_args()
    if given.profile:
        with running("moto") as behind:
            print(profile.tables(behind.endpoint_url))
        return 0
    found: list[Figure] = []
    with on_stub_core() if given.fleet else nullcontext(), running("moto") as behind:
        runner = Runner(behind.endpoint_url, given.quick, lambda line: print(line, file=sys.stderr, flush=True))
        found.extend(fleet_figures(runner) if given.fleet else figures(runner))
        profiles = profile.tables(behind.endpoint_url) if given.write_results and not given.fleet else ""
    print(report.table(found))
    if given.json:
        given.json.write_text(report.as_json(found))
    if given.write_results and given.fleet:
        report.write_fleet(found)
    elif given.write_results:
        report.write_results(found, profiles)
    missed = [each for each in found if each.decides and each.verdict is Verdict.MISSED]
    for each in missed:
        print(f"missed: {each.case}, {each.what}: {each.value:.3g}, target {each.target:g}", file=sys.stderr)
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main())
