"""One measurement: a program against a fresh stub, from the moment the stream opens until its last state is written."""

from __future__ import annotations

import json
import statistics
import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path

from benchmarks.programs import (
    LAMBDA,
    LIMIT,
    OBVIOUS,
    PRODUCT,
    Program,
    RunningStub,
    ask_json,
    free_port,
    measured,
    output_of,
    product_settings,
    stub,
)
from benchmarks.workload import Workload

START_SECONDS = 40.0
RUN_SECONDS = 120.0
LOOK_EVERY_SECONDS = 0.02


class MeasuringError(Exception):
    """A program did not do its work; the message has the end of its log."""


@dataclass(frozen=True, slots=True)
class Measured:
    records: int
    seconds: float
    cpu_seconds: float
    waited_seconds: float
    peak_memory_bytes: int
    order_violations: int
    items_written: int
    requests: Mapping[str, int] = field(default_factory=dict)
    latencies: Sequence[float] = ()
    write_seconds: float = 0.0
    """How long the stub took for a write, where it was to take its time."""

    @property
    def rate(self) -> float:
        """Records a second, without the time in which others had the program's core."""
        return self.records / max(self.seconds - self.waited_seconds, self.cpu_seconds, 1e-9)

    @property
    def cpu_microseconds(self) -> float:
        """A record."""
        return self.cpu_seconds / self.records * 1e6 if self.records else 0.0

    def percentile(self, share: float) -> float | None:
        """Of the latencies, in seconds."""
        return (
            self.latencies[min(len(self.latencies) - 1, int(len(self.latencies) * share))] if self.latencies else None
        )


def product(workload: Workload, behind: str, command: list[str] | None = None, **settings: object) -> Measured:
    with stub(workload, behind) as server, tempfile.TemporaryDirectory() as folder:
        log = Path(folder) / "log"
        with measured(command or PRODUCT, product_settings(server.url, **settings), log) as program:
            return _run(server, program, workload, log)


def snapshot(workload: Workload, behind: str) -> Measured:
    """A first start: the whole source is copied, item by item, each where the replica has none."""
    with stub(workload, behind, counts_only=True) as server, tempfile.TemporaryDirectory() as folder:
        log = Path(folder) / "log"
        with measured(PRODUCT, product_settings(server.url, START_AT="snapshot"), log) as program:
            return _run(server, program, workload, log)


def obvious(workload: Workload, behind: str) -> Measured:
    with stub(workload, behind) as server, tempfile.TemporaryDirectory() as folder:
        log = Path(folder) / "log"
        with measured(OBVIOUS, {"BENCHMARK_URL": server.url}, log) as program:
            return _run(server, program, workload, log)


def limit(workload: Workload, behind: str, *, is_single: bool) -> Measured:
    given = {
        "BENCHMARK_WORKLOAD": json.dumps(asdict(workload)),
        "BENCHMARK_WRITES": "single" if is_single else "batch",
    }
    with stub(workload, behind, counts_only=True) as server, tempfile.TemporaryDirectory() as folder:
        log = Path(folder) / "log"
        with measured(LIMIT, given | {"BENCHMARK_URL": server.url}, log) as program:
            return _run(server, program, workload, log)


def _run(server: RunningStub, program: Program, workload: Workload, log: Path) -> Measured:
    """Let it read the empty stream first, so that its start is not measured."""
    _until(server, program, log, _is_reading(workload), START_SECONDS)
    time.sleep(0.3)
    before = program.used()
    server.go()
    report = _until(server, program, log, lambda report: report["is_complete"], RUN_SECONDS)
    used = program.used().since(before)
    return Measured(
        records=workload.records or workload.table_items,
        seconds=report["seconds"],
        cpu_seconds=used.cpu,
        waited_seconds=used.waited,
        peak_memory_bytes=program.peak_memory_bytes(),
        order_violations=report["order_violations"],
        items_written=report["items_written"],
        requests=report["requests"],
        latencies=report["latencies"],
        write_seconds=report["write_seconds"],
    )


def _until(server, program, log, is_so, seconds):
    give_up_at = time.monotonic() + seconds
    while True:
        report = server.report()
        if is_so(report):
            return report
        if program.process.poll() is not None or time.monotonic() > give_up_at:
            report.pop("latencies", None)
            raise MeasuringError(
                f"not done in {seconds:.0f} s (exit code {program.process.poll()}); {report}; its log ends: "
                f"{log.read_text(errors='replace')[-1500:]}"
            )
        time.sleep(LOOK_EVERY_SECONDS)


def idle(workload: Workload, behind: str, *, settle_seconds: float, seconds: float) -> float:
    """The share of a core that the product takes while nothing happens."""
    with stub(workload, behind) as server, tempfile.TemporaryDirectory() as folder:
        log = Path(folder) / "log"
        with measured(PRODUCT, product_settings(server.url), log) as program:
            _until(
                server,
                program,
                log,
                _is_reading(workload),
                START_SECONDS,
            )
            time.sleep(settle_seconds)
            before = program.used()
            time.sleep(seconds)
            return program.used().since(before).cpu / seconds


def verification(workload: Workload, behind: str) -> Measured:
    """Both tables are the same: the cost of looking."""
    with stub(workload, behind) as server, tempfile.TemporaryDirectory() as folder:
        log, port = Path(folder) / "log", free_port()
        with measured(PRODUCT, product_settings(server.url, ADMIN_PORT=port), log) as program:
            _until(server, program, log, _is_reading(workload), START_SECONDS)
            server.go()
            while ask_json(f"http://127.0.0.1:{port}/status")["state"] != "running":
                time.sleep(LOOK_EVERY_SECONDS)
            url, started, before = f"http://127.0.0.1:{port}/verify", time.monotonic(), program.used()
            job = ask_json(url, {})
            while job["state"] == "running" and time.monotonic() < started + RUN_SECONDS:
                time.sleep(5 * LOOK_EVERY_SECONDS)
                job = ask_json(f"http://127.0.0.1:{port}/verifications/{job['id']}")
            used = program.used().since(before)
            if job["state"] != "done" or job["items_compared"] != workload.table_items or job["different"]:
                raise MeasuringError(f"the verification is {job}")
            return Measured(
                records=workload.table_items,
                seconds=time.monotonic() - started,
                cpu_seconds=used.cpu,
                waited_seconds=used.waited,
                peak_memory_bytes=program.peak_memory_bytes(),
                order_violations=0,
                items_written=0,
                requests=server.report()["requests"],
            )


def lambda_batches(behind: str) -> list[float]:
    """Milliseconds of CPU that the handler takes for 1,000 records, warm; one figure a batch."""
    batches = 5
    with stub(Workload(records=0, table_items=(batches + 1) * 1000), behind, counts_only=True) as server:
        found: list[float] = json.loads(output_of([*LAMBDA, str(batches)], product_settings(server.url)))
        return found


def _is_reading(workload: Workload):
    return lambda report: report["requests"].get("GetRecords", 0) >= workload.lines


def median(values: Sequence[float]) -> float:
    return statistics.median(values)
