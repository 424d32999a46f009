"""One process with many pipelines against the fleet's stub: started, steered from phase to phase, and measured."""

from __future__ import annotations

import json
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks.measuring import LOOK_EVERY_SECONDS, RUN_SECONDS, START_SECONDS, Measured, MeasuringError
from benchmarks.programs import (
    PRODUCT,
    Program,
    RunningStub,
    ask_json,
    fleet_stub,
    free_port,
    measured,
    product_settings,
)
from benchmarks.workload import REPLICA, SOURCE, Workload


@dataclass(frozen=True, slots=True)
class Sample:
    """One change of one pipeline: seconds from the opening of its stream, then how long it took to be written."""

    pipeline: int
    due: float
    latency: float
    """Since it could be read."""
    after_read: float
    """Since it was read: without the wait for the next poll."""


@dataclass(frozen=True, slots=True)
class Fleet:
    """The process under measurement, and what it speaks to."""

    stub: RunningStub
    program: Program
    port: int
    file: Path
    log: Path

    def reload(self, pipelines: Mapping[str, Mapping[str, object]]) -> None:
        """With these pipelines instead; what is the same is not touched."""
        self.file.write_text(toml_of(pipelines))
        ask_json(f"http://127.0.0.1:{self.port}/reload", {})

    def pipelines(self) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = ask_json(f"http://127.0.0.1:{self.port}/pipelines")["items"]
        return found

    def until(self, is_so: Callable[[list[dict[str, Any]]], bool], seconds: float = START_SECONDS) -> None:
        """Until it is so of the process's pipelines."""
        give_up_at = time.monotonic() + seconds
        while True:
            try:
                found = self.pipelines()
            except OSError:
                found = []
            if found and is_so(found):
                return
            if self.program.process.poll() is not None or time.monotonic() > give_up_at:
                raise MeasuringError(f"{found}; the log ends: {self.log.read_text(errors='replace')[-1500:]}")
            time.sleep(0.25)

    def samples(self) -> list[Sample]:
        found = json.loads(self.stub.ask("Samples"))
        return [Sample(pipeline, *each) for pipeline, some in enumerate(found) for each in some]


def settings_of(number: int) -> dict[str, object]:
    return {"source_table": f"{SOURCE}-{number}", "replica_table": f"{REPLICA}-{number}"}


def toml_of(pipelines: Mapping[str, Mapping[str, object]]) -> str:
    return "\n".join(
        f"[pipelines.{name}]\n" + "".join(f"{key} = {json.dumps(value)}\n" for key, value in settings.items())
        for name, settings in pipelines.items()
    )


@contextmanager
def running(workloads: Sequence[Workload], behind: str, first: int | None = None) -> Iterator[Fleet]:
    """A pipeline for each workload, or for the first so many; each has read its empty stream. Until the block ends."""
    numbers = range(len(workloads) if first is None else first)
    with fleet_stub(workloads, behind) as stub, tempfile.TemporaryDirectory() as folder:
        log, file, port = Path(folder) / "log", Path(folder) / "fleet.toml", free_port()
        given = product_settings(stub.url, ADMIN_PORT=port)
        for of_one in ("SOURCE_TABLE", "REPLICA_TABLE", "PIPELINE"):
            del given[f"DYNAMIRROR_{of_one}"]
        file.write_text(toml_of({f"p{number}": settings_of(number) for number in numbers}))
        with measured([*PRODUCT, "--config", str(file)], given, log) as program:
            fleet = Fleet(stub, program, port, file, log)
            fleet.until(
                lambda found: len(found) == len(numbers) and all(each["caught_up"] for each in found),
                START_SECONDS + len(numbers),
            )
            yield fleet


def idle(pipelines: int, behind: str, *, settle_seconds: float, seconds: float) -> tuple[float, int]:
    """The share of a core that one process with so many pipelines takes while nothing happens, and its peak memory."""
    with running([Workload(records=0)] * pipelines, behind) as fleet:
        time.sleep(settle_seconds)
        before = fleet.program.used()
        time.sleep(seconds)
        return fleet.program.used().since(before).cpu / seconds, fleet.program.peak_memory_bytes()


def steady(pipelines: int, per_second: float, behind: str, seconds: float) -> tuple[list[Sample], float]:
    """So many changes a second of each pipeline: the samples, and the share of a core that they took."""
    workload = Workload(records=round(per_second * (seconds + 20)), per_second=per_second)
    with running([workload] * pipelines, behind) as fleet:
        time.sleep(2)
        fleet.stub.go()
        time.sleep(2)
        before = fleet.program.used()
        time.sleep(seconds)
        used = fleet.program.used().since(before)
        return [each for each in fleet.samples() if each.due > 2], used.cpu / seconds


def busy(pipelines: int, records: int, behind: str) -> Measured:
    """So many records in all, which are in the streams from the start."""
    workload = Workload(records=records // pipelines)
    with running([workload] * pipelines, behind) as fleet:
        time.sleep(2)
        before, give_up_at = fleet.program.used(), time.monotonic() + RUN_SECONDS
        fleet.stub.go()
        while not (report := fleet.stub.report())["is_complete"]:
            if time.monotonic() > give_up_at:
                raise MeasuringError(f"not done: {report}; {fleet.log.read_text(errors='replace')[-1500:]}")
            time.sleep(LOOK_EVERY_SECONDS * 5)
        used = fleet.program.used().since(before)
        return Measured(
            records=workload.records * pipelines,
            seconds=report["seconds"],
            cpu_seconds=used.cpu,
            waited_seconds=used.waited,
            peak_memory_bytes=fleet.program.peak_memory_bytes(),
            order_violations=report["order_violations"],
            items_written=report["items_written"],
            requests=report["requests"],
        )


HEALTHY = 9
BACKLOG_RECORDS = 500_000
SETTLE_SECONDS = 3.0
TROUBLES: dict[str, dict[str, object]] = {
    "healthy": {},
    "throttled": {},
    "poisoned": {},
    "gapped": {},
    "transform raises": {"transform": "benchmarks.fleet:raising"},
    "fails at its start": {"replica_table": f"{REPLICA}-missing", "create_replica": False},
    "full backlog": {},
}
"""What befalls the tenth pipeline, and the settings that it has then. The stub makes the others."""


def raising(item: object) -> object:
    raise ValueError("this transform always raises")


@dataclass(frozen=True, slots=True)
class Phase:
    samples: list[Sample]
    """Of the nine."""
    of_core: float
    """Of all ten."""


def troubles(per_second: float, behind: str, seconds: float) -> dict[str, list[Phase]]:
    """Nine healthy pipelines, and a tenth one that is new in each phase; by what befalls it.

    Every trouble comes between two phases in which all are healthy, so that a noisy minute meets both.
    """
    phases = ["healthy"]
    for name in list(TROUBLES)[1:]:
        phases += [name, "healthy"]
    whole = len(phases) * (seconds + SETTLE_SECONDS + 10)
    healthy = Workload(records=round(per_second * whole), per_second=per_second)
    tenths = [Workload(records=BACKLOG_RECORDS) if name == "full backlog" else healthy for name in phases]
    found: dict[str, list[Phase]] = {name: [] for name in TROUBLES}
    with running([healthy] * HEALTHY + tenths, behind, HEALTHY) as fleet:
        nine = {f"p{number}": settings_of(number) for number in range(HEALTHY)}
        began = time.monotonic()
        fleet.stub.go(pipelines=list(range(HEALTHY)))
        for number, name in enumerate(phases, HEALTHY):
            fleet.reload(nine | {f"p{number}": settings_of(number) | TROUBLES[name]})
            if name != "fails at its start":
                fleet.until(lambda pipelines: all(each["state"] == "running" for each in pipelines))
            time.sleep(SETTLE_SECONDS)  # its start is over, and so is the end of the one before
            fleet.stub.ask("Trouble", pipeline=number, kind=name)
            start, before = time.monotonic() - began, fleet.program.used()
            fleet.stub.go(pipelines=[number])
            time.sleep(seconds)
            end, used = time.monotonic() - began, fleet.program.used().since(before)
            time.sleep(1.0)  # what was made at its end is written
            in_phase = [each for each in fleet.samples() if each.pipeline < HEALTHY and start <= each.due < end]
            found[name].append(Phase(in_phase, used.cpu / (end - start)))
    return found
