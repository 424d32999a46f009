"""The stub and the measured programs as processes: where they run, what they cost, how they end."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass
from functools import cache
from pathlib import Path
from typing import Any

from benchmarks.workload import CONTROL, REPLICA, SOURCE, Workload
from tests.servers import environment

HERE = Path(__file__).resolve().parent.parent
_DIRECT = urllib.request.build_opener(urllib.request.ProxyHandler({}))
_ENDING_SECONDS = 30.0
_LONGEST_SECONDS = 120.0


@cache
def cores() -> tuple[int, int]:
    """The measured program's core, and the stub's; the same one on a machine that has no second."""
    found = sorted(os.sched_getaffinity(0))
    return found[0], found[-1]


@dataclass(frozen=True, slots=True)
class Used:
    """What a process took of its core, in seconds, and how long it waited for others to leave it."""

    cpu: float
    waited: float

    def since(self, before: Used) -> Used:
        return Used(self.cpu - before.cpu, self.waited - before.waited)


@dataclass(frozen=True, slots=True)
class Program:
    """A process that is measured."""

    process: subprocess.Popen[bytes]

    def used(self) -> Used:
        """So far, of all its threads, as the kernel's scheduler counts it (proc(5), schedstat: in nanoseconds)."""
        spent = waited = 0
        for thread in Path(f"/proc/{self.process.pid}/task").iterdir():
            with suppress(OSError):  # the thread has just ended
                ran, queued, _ = (thread / "schedstat").read_text().split()
                spent, waited = spent + int(ran), max(waited, int(queued))
        return Used(spent / 1e9, waited / 1e9)

    def peak_memory_bytes(self) -> int:
        for line in Path(f"/proc/{self.process.pid}/status").read_text().splitlines():
            if line.startswith("VmHWM:"):
                return int(line.split()[1]) * 1024
        raise RuntimeError("the kernel does not tell VmHWM")


@dataclass(frozen=True, slots=True)
class RunningStub:
    url: str

    def go(self, **which: object) -> None:
        self.ask("Go", **which)

    def report(self) -> dict[str, Any]:
        found: dict[str, Any] = json.loads(self.ask("Report"))
        return found

    def ask(self, what: str, **about: object) -> bytes:
        request = urllib.request.Request(self.url, json.dumps(about).encode(), {"X-Amz-Target": f"Bench.{what}"})
        with _DIRECT.open(request, timeout=60) as answer:
            body: bytes = answer.read()
        return body


@contextmanager
def stub(workload: Workload, behind: str, *, counts_only: bool = False) -> Iterator[RunningStub]:
    """`counts_only`: a program's work is done when it has written as many items as there are records."""
    given = {"workload": asdict(workload), "behind": behind, "counts_only": counts_only}
    with _stub("benchmarks.stub", given) as running:
        yield running


@contextmanager
def fleet_stub(workloads: Sequence[Workload], behind: str) -> Iterator[RunningStub]:
    """One source and replica for each."""
    with _stub("benchmarks.fleet_stub", {"workloads": [asdict(each) for each in workloads], "behind": behind}) as found:
        yield found


@contextmanager
def _stub(module: str, given: Mapping[str, object]) -> Iterator[RunningStub]:
    process = _started([sys.executable, "-m", module, json.dumps(given)], cores()[1], {}, stdout=subprocess.PIPE)
    assert process.stdout is not None
    try:
        port = process.stdout.readline().decode().strip()
        if not port:
            raise RuntimeError("the stub did not start")
        yield RunningStub(f"http://127.0.0.1:{port}")
    finally:
        process.kill()
        process.wait()
        process.stdout.close()


@contextmanager
def on_stub_core() -> Iterator[None]:
    """What is started meanwhile without a core of its own gets the stub's: the measured one is the program's alone."""
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {cores()[1]})
    try:
        yield
    finally:
        os.sched_setaffinity(0, before)


@contextmanager
def measured(command: list[str], given: Mapping[str, str], log: Path | None = None) -> Iterator[Program]:
    """Run the command on the measured core until the block ends."""
    with open(log or os.devnull, "wb") as errors:
        process = _started(command, cores()[0], given, stderr=errors)
    try:
        yield Program(process)
    finally:
        with suppress(ProcessLookupError):
            process.send_signal(signal.SIGTERM)
        try:
            process.wait(_ENDING_SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def output_of(command: list[str], given: Mapping[str, str]) -> bytes:
    """What a command prints that ends by itself, on the measured core."""
    process = _started(command, cores()[0], given, stdout=subprocess.PIPE)
    printed, _ = process.communicate(timeout=_LONGEST_SECONDS)
    if process.returncode:
        raise RuntimeError(f"{command} ended with {process.returncode}")
    return printed


def _started(command: list[str], core: int, given: Mapping[str, str], **pipes: Any) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        ["taskset", "-c", str(core), *command],  # a process of its own: its children stay on that core too
        cwd=HERE,
        env=environment() | dict(given),
        stdin=subprocess.DEVNULL,
        **({"stdout": subprocess.DEVNULL} | pipes),
    )


def product_settings(url: str, **settings: object) -> dict[str, str]:
    """The environment of `dynamirror run`; each run has a control table of its own, where nobody claims the replica."""
    given: dict[str, object] = {
        "SOURCE_TABLE": SOURCE,
        "REPLICA_TABLE": REPLICA,
        "CONTROL_TABLE": f"{CONTROL}-{time.time_ns()}",
        "SOURCE_ENDPOINT_URL": url,
        "REPLICA_ENDPOINT_URL": url,
        "PIPELINE": "bench",
        "START_AT": "trim_horizon",
        "ADMIN_PORT": 0,
        "LOG_FORMAT": "json",
    }
    return {f"DYNAMIRROR_{name}": str(value) for name, value in (given | settings).items()}


PRODUCT = [str(Path(sys.executable).with_name("dynamirror")), "run"]
OBVIOUS = [sys.executable, "-m", "benchmarks.obvious"]
LAMBDA = [sys.executable, "-m", "benchmarks.lambda_batch"]
LIMIT = [sys.executable, "-m", "benchmarks.limit"]


def free_port() -> int:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        port: int = taken.getsockname()[1]
        return port


def ask_json(url: str, body: object = None) -> dict[str, Any]:
    """Of the product's admin API."""
    given = None if body is None else json.dumps(body).encode()
    with _DIRECT.open(urllib.request.Request(url, given, {"Content-Type": "application/json"}), timeout=60) as answer:
        found: dict[str, Any] = json.load(answer)
    return found
