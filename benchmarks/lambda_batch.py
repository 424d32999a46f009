"""What a batch of Lambda costs: the handler gets 1,000 new items at a time, and says how much CPU each batch took.

    python -m benchmarks.lambda_batch 6

prints the milliseconds of each of six batches. The first one, which pays for the start, is not among them.
"""

from __future__ import annotations

import json
import sys
import time

from benchmarks.workload import Line, Stream, Workload
from service.lambda_handler import forget, handler

BATCH = 1000


class Context:
    """An invocation that has as much time as Lambda gives at most."""

    @staticmethod
    def get_remaining_time_in_millis() -> int:
        return 15 * 60 * 1000


def events(batches: int) -> list[object]:
    """Insertions of keys that follow each other, as Lambda's runtime has parsed them."""
    workload = Workload(records=0)
    stream = Stream(workload, time.time())
    line = Line(0, list(range(batches * BATCH)), workload)
    records = [json.loads(stream.record(line, place, time.time())) for place in range(batches * BATCH)]
    return [{"Records": records[start : start + BATCH]} for start in range(0, len(records), BATCH)]


def main() -> None:
    first, *others = events(int(sys.argv[1]) + 1)
    milliseconds = []
    for event in (first, *others):
        before = time.process_time()
        answer = handler(event, Context())
        milliseconds.append((time.process_time() - before) * 1000)
        if answer != {"batchItemFailures": []}:
            raise SystemExit(f"not settled: {answer}")
    forget()
    print(json.dumps(milliseconds[1:]))


if __name__ == "__main__":
    main()
