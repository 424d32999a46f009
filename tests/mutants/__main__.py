"""Plants each mistake of mistakes.toml in a copy of the sources and runs the tests that have to notice it.

python -m tests.mutants                  all of them; exit code 1 where one is not caught
python -m tests.mutants barrier lease    those with one of these words in their names or what they break
python -m tests.mutants --table          the table for tests/README.md
"""

from __future__ import annotations

import argparse
import os
import queue
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

from tests.mutants.mistakes import ROOT, Mistake, load, table

COPIED = ("service", "api", "schemas", "tests", "docs", "deploy", "pyproject.toml", "README.md")
END_AFTER_SECONDS = 600
"""Of one run of pytest; a test ends by its own time-out long before."""
PASSED, FAILED = 0, 1


@contextmanager
def copies(count: int) -> Iterator[queue.SimpleQueue[Path]]:
    """So many copies of the sources; whoever takes one gives it back as it was."""
    free: queue.SimpleQueue[Path] = queue.SimpleQueue()
    with tempfile.TemporaryDirectory(prefix="mutants-") as folder:
        for number in range(count):
            copy = Path(folder, str(number))
            for name in COPIED:
                source, target = ROOT / name, copy / name
                target.parent.mkdir(parents=True, exist_ok=True)
                if source.is_dir():
                    shutil.copytree(source, target, ignore=shutil.ignore_patterns("__pycache__"))
                else:
                    shutil.copy(source, target)
            free.put(copy)
        yield free


def run(folder: Path, tests: Sequence[str]) -> subprocess.CompletedProcess[str]:
    """These tests on that copy, with the examples of a change's run, the same ones each time."""
    settings = {"PYTHONPATH": str(folder), "PYTHONDONTWRITEBYTECODE": "1", "CI": "1", "TEST_SERVERS": "moto"}
    command = [sys.executable, "-m", "pytest", "-q", "-x", "-p", "no:cacheprovider", "--timeout", "120", *tests]
    return subprocess.run(
        command,
        cwd=folder,
        env=os.environ | settings,
        capture_output=True,
        text=True,
        timeout=END_AFTER_SECONDS,
        check=False,
    )


def noticed(mistake: Mistake, free: queue.SimpleQueue[Path]) -> bool:
    """Plant it, and tell in a line what came of it."""
    folder = free.get()
    try:
        before = mistake.plant(folder)
        try:
            done = run(folder, mistake.tests)
        finally:
            (folder / mistake.file).write_text(before)
    except (ValueError, subprocess.TimeoutExpired) as error:
        print(f"NOT CAUGHT  {mistake.name}: {error}", flush=True)
        return False
    finally:
        free.put(folder)
    if done.returncode == FAILED:
        failed = next((line for line in done.stdout.splitlines() if line.startswith("FAILED ")), "")
        print(f"caught      {mistake.name}: {failed.partition('::')[2].partition(' - ')[0]}", flush=True)
        return True
    why = "its tests pass" if done.returncode == PASSED else f"pytest can't run:\n{done.stdout[-2000:]}{done.stderr}"
    print(f"NOT CAUGHT  {mistake.name}: {why}", flush=True)
    return False


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.mutants", description=__doc__)
    parser.add_argument("words", nargs="*", help="only mistakes with one of these words")
    parser.add_argument("--table", action="store_true", help="print the table for tests/README.md")
    parser.add_argument("--at-once", type=int, default=os.cpu_count() or 1)
    asked = parser.parse_args()
    mistakes = [
        each for each in load() if not asked.words or any(word in f"{each.name} {each.keeps}" for word in asked.words)
    ]
    if asked.table:
        print(table(mistakes))
        return 0
    with copies(asked.at_once) as free:
        folder = free.get()
        as_it_is = run(folder, sorted({test for each in mistakes for test in each.tests}))
        free.put(folder)
        if as_it_is.returncode != PASSED:
            print(f"without a mistake, the tests are not green:\n{as_it_is.stdout[-4000:]}{as_it_is.stderr}")
            return 1
        with ThreadPoolExecutor(asked.at_once) as pool:
            caught = list(pool.map(lambda each: noticed(each, free), mistakes))
    print(f"{sum(caught)} of {len(caught)} mistakes caught")
    return 0 if all(caught) else 1


if __name__ == "__main__":
    sys.exit(main())
