"""A server as a child process: started until it answers, stopped by its process id.

A crash of the test run itself leaves no server behind: the kernel ends the child with its parent.
"""

import ctypes
import os
import signal
import subprocess
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

from tests.servers.ports import free_port
from tests.support.patience import PATIENCE_SECONDS

STOP_SECONDS = 10.0
_PR_SET_PDEATHSIG = 1  # prctl(2)
_LIBC = ctypes.CDLL(None, use_errno=True)


class ServerError(Exception):
    """A server did not start; the message holds the last lines of its output."""


@dataclass(frozen=True)
class Server:
    """A running server. AWS itself has no URL, the SDK knows it, and no endpoint of one's own is a process here."""

    name: str
    endpoint_url: str | None
    process_id: int | None

    def settings(self, *sides: str) -> dict[str, str]:
        """The environment by which the product finds it as its `source`, its `replica`, or both unless named."""
        url = self.endpoint_url
        return {f"DYNAMIRROR_{side.upper()}_ENDPOINT_URL": url for side in sides or ("source", "replica") if url}


@dataclass(frozen=True)
class Launch:
    """What to run for a server on one port."""

    command: Sequence[str]
    environment: Mapping[str, str]


@contextmanager
def child_server(name: str, launch_on: Callable[[int], Launch], port: int | None = None) -> Iterator[Server]:
    """Run a server for the length of the block, on any free port unless one is given.

    Raises ServerError if it never answers.
    """
    port = port or free_port()
    launch = launch_on(port)
    with tempfile.TemporaryFile() as output, tempfile.TemporaryDirectory(prefix=f"{name}-") as folder:
        process = subprocess.Popen(
            launch.command,
            cwd=folder,
            env={**_clean_environment(), **launch.environment},
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            preexec_fn=_end_with_parent,
        )
        try:
            endpoint_url = f"http://127.0.0.1:{port}"
            if not _answers(process, endpoint_url):
                output.seek(0)
                tail = output.read().decode(errors="replace")[-4000:]
                raise ServerError(
                    f"{name} did not answer on {endpoint_url} within {PATIENCE_SECONDS:.0f} s "
                    f"(exit code {process.poll()}): {' '.join(launch.command)}\n{tail}"
                )
            yield Server(name=name, endpoint_url=endpoint_url, process_id=process.pid)
        finally:
            _stop(process)


def _clean_environment() -> dict[str, str]:
    """This process's environment without what would steer a server: AWS settings and proxies."""
    return {
        key: value
        for key, value in os.environ.items()
        if not key.startswith(("AWS_", "DYNAMIRROR_")) and not key.lower().endswith("_proxy")
    }


def _end_with_parent() -> None:
    # Also on kill -9 of a test run, which no fixture survives. Called between fork and exec.
    _LIBC.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)


def _answers(process: subprocess.Popen[bytes], endpoint_url: str) -> bool:
    """Wait for any HTTP answer, also an error: it proves that requests are read."""
    without_proxy = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    give_up_at = time.monotonic() + PATIENCE_SECONDS
    while process.poll() is None and time.monotonic() < give_up_at:
        try:
            without_proxy.open(endpoint_url, timeout=5).close()
        except urllib.error.HTTPError as answer:
            answer.close()
        except OSError:
            time.sleep(0.05)
            continue
        return True
    return False


def _stop(process: subprocess.Popen[bytes]) -> None:
    process.terminate()
    try:
        process.wait(STOP_SECONDS)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait(STOP_SECONDS)
