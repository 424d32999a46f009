"""The function's dead letters as a metric of CloudWatch's, since nobody scrapes a function.

A dead letter is one line on standard output, in the embedded metric format, from which CloudWatch makes the metric
(CloudWatch User Guide, "Specification: Embedded metric format"). It needs no right but that for the log, and where
nothing happens nothing is written, and nothing is paid. A crash here costs nothing: the batch comes again.
"""

from __future__ import annotations

import sys
from collections.abc import Callable

import orjson

from service.events import DeadLettered, Event

NAMESPACE = "dynamirror"
METRIC = "records_dead_lettered"


def write_line(line: str) -> None:
    """A log that can't be written must not end the replication."""
    try:
        sys.stdout.write(line + "\n")
        sys.stdout.flush()
    except (OSError, ValueError):
        return


class DeadLetterMetric:
    """Implements events.Observer."""

    def __init__(self, pipeline: str, now: Callable[[], float], write: Callable[[str], None] = write_line) -> None:
        self._pipeline = pipeline
        self._now = now
        self._write = write

    def observe(self, event: Event) -> None:
        if isinstance(event, DeadLettered):
            self._write(self._line())

    def _line(self) -> str:
        """The log has a line of its own about the letter; this one holds what the metric needs, and no item."""
        directive = {
            "Namespace": NAMESPACE,
            "Dimensions": [["pipeline"]],
            "Metrics": [{"Name": METRIC, "Unit": "Count"}],
        }
        metadata = {"Timestamp": round(self._now() * 1000), "CloudWatchMetrics": [directive]}
        return orjson.dumps({"_aws": metadata, "pipeline": self._pipeline, METRIC: 1}).decode()
