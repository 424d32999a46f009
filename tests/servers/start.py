"""The servers by name, which of them a run of the tests uses, and how each is started.

TEST_SERVERS names the ones for the tests of "each server", as `moto,dynoxide`. Without it they are moto, ministack, and
dynoxide where it is built or cargo could build it. A test that asks for one server by its name gets it in any case.
"""

import os
import sys
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path

from tests.servers import dynoxide
from tests.servers.access import REGION
from tests.servers.endpoint import ENDPOINT
from tests.servers.process import Launch, Server, ServerError, child_server

VARIABLE = "TEST_SERVERS"


def running(name: str, port: int | None = None) -> AbstractContextManager[Server]:
    """Run the named server for the length of the block, on any free port unless one is given."""
    if ENDPOINT is not None and name == ENDPOINT.name:
        return nullcontext(Server(name, ENDPOINT.url, None))
    return child_server(name, _LAUNCHES[name], port)


def chosen(environment: Mapping[str, str], *, has_dynoxide: bool) -> tuple[str, ...]:
    """The servers for the tests of "each server". Raises ServerError for a name that is none."""
    named = [name.strip() for name in environment.get(VARIABLE, "").split(",") if name.strip()]
    if strangers := set(named) - set(ALL):
        raise ServerError(f"{', '.join(sorted(strangers))}: no such server; there are {', '.join(ALL)}")
    return tuple(name for name in ALL if (name in named if named else name != "dynoxide" or has_dynoxide))


def _moto(port: int) -> Launch:
    command = [str(Path(sys.executable).with_name("moto_server")), "-H", "127.0.0.1", "-p", str(port)]
    return Launch(command, {"AWS_DEFAULT_REGION": REGION})


def _ministack(port: int) -> Launch:
    settings = {
        "BIND_HOST": "127.0.0.1",
        "GATEWAY_PORT": str(port),
        "LOG_LEVEL": "WARNING",
        "MINISTACK_HOST": "127.0.0.1",
        "MINISTACK_REGION": REGION,
    }
    return Launch([sys.executable, "-m", "ministack"], settings)


_LAUNCHES: dict[str, Callable[[int], Launch]] = {
    "moto": _moto,
    "ministack": _ministack,
    "dynoxide": dynoxide.launch,
}
ALL = tuple(_LAUNCHES)
HAS_DYNOXIDE = dynoxide.is_built() or dynoxide.can_be_built()
NAMES = chosen(os.environ, has_dynoxide=HAS_DYNOXIDE) if ENDPOINT is None else (ENDPOINT.name,)
"""For the tests of "each server": with an endpoint of one's own, that one alone."""
