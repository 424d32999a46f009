"""The servers by name, and how each is started."""

import sys
from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path

from tests.servers import dynamodb_local
from tests.servers.access import REGION
from tests.servers.process import Launch, Server, child_server


def running(name: str, port: int | None = None) -> AbstractContextManager[Server]:
    """Run the named server for the length of the block, on any free port unless one is given."""
    return child_server(name, _LAUNCHES[name], port)


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
    "dynamodb-local": dynamodb_local.launch,
}
NAMES = tuple(_LAUNCHES)
