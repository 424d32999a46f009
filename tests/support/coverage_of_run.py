"""What a run of the tests covers: tests that their server can't do are left out, and the end of the output says all.

Nothing is skipped: a test runs, or it is named here with its reason.
"""

from __future__ import annotations

import importlib.util
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.support.thoroughness import IS_THOROUGH

TESTS = Path(__file__).parents[1]
WITHOUT_SERVERS = "tests/unit"
"""The folder that runs without what the servers need: for its tests nothing of them is imported."""
PARAMETERS = ("server", "stage", "store_for", "name", "on")
"""The parameters that may be a server's name."""
ANYWAY = "--anyway"
FEW = 4
"""Of the tests with one reason so many are named."""
LeftOut = dict[str, set[str]]
"""The tests by server and reason."""


def arguments_of(item: pytest.Item, mark: str) -> list[str]:
    return [argument for marker in item.iter_markers(mark) for argument in marker.args]


def servers_of(item: pytest.Item) -> Iterator[str]:
    """The servers that the test names: by its parameters, and by its fixtures."""
    if folder_of(item.nodeid) == WITHOUT_SERVERS:
        return
    from tests.servers.differences import strictest
    from tests.servers.start import ALL, NAMES

    known = {*ALL, *NAMES}
    parameters = item.callspec.params if isinstance(item, pytest.Function) and hasattr(item, "callspec") else {}
    yield from (parameters[each] for each in PARAMETERS if parameters.get(each) in known)
    fixtures = getattr(item, "fixturenames", ())
    yield from (name for name in fixtures if name in known)
    if "strict_server" in fixtures:
        yield strictest(NAMES, arguments_of(item, "needs"))


def why_not(servers: list[str], needs: list[str]) -> str | None:
    """Why a test on these servers is left out; None: it runs."""
    from tests.servers.differences import lacking
    from tests.servers.endpoint import ENDPOINT

    if ENDPOINT is not None and servers != [ENDPOINT.name]:
        others = " and ".join(name for name in servers if name != ENDPOINT.name)
        return f"tests of {others} itself" if others else "tests that no endpoint is asked in"
    reasons = [f"on {server}: {reason}" for server in servers if (reason := lacking(server, needs))]
    return reasons[0] if reasons else None


def library_lacking(libraries: Iterable[str]) -> str | None:
    """Why a test with these libraries is left out: pyproject.toml names some of them for certain machines alone."""
    missing = [name for name in libraries if importlib.util.find_spec(name) is None]
    return f"without {missing[0]}, which is not there for this machine" if missing else None


def thorough_alone(reasons: Iterable[str], is_thorough: bool) -> str | None:
    """Why a change's run leaves out a test with these reasons."""
    why = [] if is_thorough else list(reasons)
    return f"without TEST_THOROUGHLY=1: {why[0]}" if why else None


def folder_of(nodeid: str) -> str:
    """`tests/unit` of `tests/unit/aws/test_x.py::test_y`."""
    return "/".join(nodeid.partition("::")[0].split("/")[:2])


class CoverageOfRun:
    """A plugin; of the processes of one run, the first one prints."""

    def __init__(self) -> None:
        self._left_out: LeftOut = defaultdict(set)
        self._folders: Counter[str] = Counter()
        self._servers: Counter[str] = Counter()

    def pytest_collection_modifyitems(self, config: pytest.Config, items: list[pytest.Item]) -> None:
        left_out = set()
        for item in items:
            servers, needs = sorted(set(servers_of(item))), arguments_of(item, "needs")
            item.user_properties.append(("servers", servers))
            reason = library_lacking(arguments_of(item, "library")) or thorough_alone(
                arguments_of(item, "thorough"), IS_THOROUGH
            )
            if reason is None and folder_of(item.nodeid) != WITHOUT_SERVERS:
                reason = why_not(servers, [] if config.getoption(ANYWAY) else needs)
            if reason is not None:
                self._left_out[reason].add(item.nodeid)
                left_out.add(item)
        if left_out:
            items[:] = [item for item in items if item not in left_out]
            config.hook.pytest_deselected(items=list(left_out))

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        if not (report.when == "call" or (report.when == "setup" and report.failed)):
            return
        self._folders[folder_of(report.nodeid)] += 1
        self._servers.update(next((names for kind, names in report.user_properties if kind == "servers"), []))

    def pytest_sessionfinish(self, session: pytest.Session) -> None:
        output: dict[str, Any] | None = getattr(session.config, "workeroutput", None)
        if output is not None:
            output["left_out"] = {reason: sorted(tests) for reason, tests in self._left_out.items()}

    @pytest.hookimpl(optionalhook=True)
    def pytest_testnodedown(self, node: Any) -> None:
        for reason, tests in getattr(node, "workeroutput", {}).get("left_out", {}).items():
            self._left_out[reason].update(tests)

    def pytest_terminal_summary(self, terminalreporter: pytest.TerminalReporter) -> None:
        terminalreporter.section("what this run covered")
        for line in self._lines():
            terminalreporter.write_line(line)

    def _lines(self) -> Iterator[str]:
        yield from told(self._folders, folders(), self._servers, self._left_out)


def folders() -> list[str]:
    """Those with tests in them."""
    return sorted({f"tests/{path.relative_to(TESTS).parts[0]}" for path in TESTS.rglob("test_*.py")})


def told(run: Counter[str], there: Iterable[str], servers: Counter[str], left_out: LeftOut) -> Iterator[str]:
    yield "tests: " + (", ".join(f"{folder} {run[folder]}" for folder in sorted(run)) or "none")
    if missing := [folder for folder in there if folder not in run]:
        yield f"folders without a test in this run: {', '.join(missing)}"
    if not set(run) - {WITHOUT_SERVERS}:
        yield "servers: none"
        return
    from tests.servers.endpoint import ENDPOINT
    from tests.servers.start import ALL, HAS_DYNOXIDE, NAMES

    if ENDPOINT is not None:
        yield f"endpoint: {ENDPOINT.url or f'AWS in {ENDPOINT.region}'} {servers[ENDPOINT.name]}"
    else:
        yield "servers: " + ", ".join(f"{name} {servers[name]}" for name in ALL)
    if ENDPOINT is None and "dynoxide" not in NAMES:
        why = "TEST_SERVERS names others" if HAS_DYNOXIDE else "there is no cargo to build it with"
        yield f"left out: dynoxide, since {why}"
    for reason in sorted(left_out):
        tests = sorted(left_out[reason])
        yield f"left out {reason}"
        yield from (f"    {test}" for test in tests[:FEW])
        if len(tests) > FEW:
            yield f"    and {len(tests) - FEW} more"
