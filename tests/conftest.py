"""What every run of the tests has: servers that start when they are first asked for, and an account of what it covered.

tests/unit needs no server and runs without what the servers need: so nothing here imports them before a test does.
"""

from __future__ import annotations

import gc
from collections.abc import Callable, Generator, Iterator
from contextlib import ExitStack
from typing import TYPE_CHECKING

import pytest

from tests.support.coverage_of_run import ANYWAY, CoverageOfRun

if TYPE_CHECKING:
    from tests.servers import Server


def pytest_addoption(parser: pytest.Parser, pluginmanager: pytest.PytestPluginManager) -> None:
    parser.addoption(ANYWAY, action="store_true", help="run also the tests that a server's differences leave out")
    if not pluginmanager.hasplugin("timeout"):
        parser.addini("timeout", "of pytest-timeout, without which tests/unit runs as well")


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", "needs(promise): what AWS does and not every server; see servers/differences.py")
    config.addinivalue_line("markers", "thorough(why): played with TEST_THOROUGHLY=1 alone")
    config.addinivalue_line("markers", "library(name): of pyproject.toml, but not for every machine")
    config.pluginmanager.register(CoverageOfRun())


@pytest.hookimpl(wrapper=True)
def pytest_collection() -> Generator[None, object, object]:
    """What is collected stays for the whole run: no collection of garbage walks it, neither now nor later."""
    gc.disable()
    collected = yield
    gc.collect()
    gc.freeze()
    gc.enable()
    return collected


@pytest.fixture(scope="session")
def server_named() -> Iterator[Callable[[str], Server]]:
    """The running server of a name, started when it is first asked for. A server lives for the whole run."""
    from tests.servers import running

    servers: dict[str, Server] = {}
    with ExitStack() as stack:

        def started(name: str) -> Server:
            if name not in servers:
                servers[name] = stack.enter_context(running(name))
            return servers[name]

        yield started
