"""The stub for many pipelines: a source, its stream and a replica for each, behind one address.

    python -m benchmarks.fleet_stub '{"workloads": [{...}, …], "behind": "http://127.0.0.1:5000"}'

The tables of pipeline 3 are those of the plain stub with `-3` behind their names. `Bench.Go` opens the streams that it
names, `Bench.Trouble` makes trouble for one pipeline, `Bench.Report` tells of all together, `Bench.Samples` when each
pipeline's changes were made and written.
"""

from __future__ import annotations

import asyncio
import json
import re
import sys
from collections import Counter
from collections.abc import Callable
from typing import Any

from benchmarks.stub import Stub
from benchmarks.stub_connection import Awake, serve
from benchmarks.workload import CONTROL, REPLICA, SOURCE, Workload, answer

_WHOSE = re.compile(rb'"?(?:%b|%b)-(\d+)[/"]|"it-\d+-\d+--(\d+)\.' % (SOURCE.encode(), REPLICA.encode()))
_OF_CONTROL = b'"%b-' % CONTROL.encode()
_DONE = answer(b"{}")


class FleetStub:
    def __init__(self, workloads: list[Workload], behind: str) -> None:
        self._stubs = [Stub(each, behind, False, mark=f"-{number}") for number, each in enumerate(workloads)]

    def handle(self, target: str, body: bytes, reply: Callable[[bytes], None]) -> None:
        if target.startswith("bench."):
            reply(self._steered(target.rpartition(".")[2], json.loads(body or b"{}")))
        elif _OF_CONTROL in body or (found := _WHOSE.search(body)) is None:
            self._stubs[0].pass_on(target, body, reply)
        else:
            self._stubs[int(found[1] or found[2])].handle(target, body, reply)

    def _steered(self, operation: str, asked: dict[str, Any]) -> bytes:
        if operation == "go":
            for number in asked.get("pipelines", range(len(self._stubs))):
                self._stubs[number].handle("bench.go", b"{}", lambda _: None)
        elif operation == "trouble":
            self._stubs[asked["pipeline"]].trouble = asked["kind"]
        elif operation == "samples":
            return answer(json.dumps([each.samples for each in self._stubs]).encode())
        else:
            return answer(json.dumps(self._report()).encode())
        return _DONE

    def _report(self) -> dict[str, Any]:
        reports = [each.report() for each in self._stubs]
        requests: Counter[str] = Counter()
        for each in reports:
            requests.update(each["requests"])
        began = min((each.first_read_at for each in self._stubs if each.first_read_at), default=0.0)
        return {
            "is_complete": all(each["is_complete"] for each in reports),
            "seconds": max(each.replica.last_write_at for each in self._stubs) - began,
            "items_written": sum(each["items_written"] for each in reports),
            "order_violations": sum(each["order_violations"] for each in reports),
            "requests": dict(requests),
            "latencies": [],
            "write_seconds": 0.0,
        }


def main(given: dict[str, Any]) -> None:
    workloads = [Workload(**each) for each in given["workloads"]]
    # Where changes come one by one, the control table's emulator needs the core more than the stub.
    is_busy = not any(each.per_second for each in workloads)
    with asyncio.Runner(loop_factory=lambda: asyncio.SelectorEventLoop(Awake() if is_busy else None)) as runner:
        runner.run(serve(FleetStub(workloads, given["behind"])))


if __name__ == "__main__":
    main(json.loads(sys.argv[1]))
