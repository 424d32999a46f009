"""Knows which jobs leave every item in the shape of the present settings.

A snapshot and a repair of all keys bring them to it; a verification of all keys that finds them equal proves it.

Such a job carries the fingerprint of the settings that it began under. It counts if nothing else has run it meanwhile.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from service.configuration.settings import Settings
from service.events import Observer, WarningEnded
from service.replication.job_flow import JobFlow
from service.replication.writing.fingerprint import TOPIC, shape_fingerprint

SHAPE = "shape_fingerprint"


def resumed(place: Mapping[str, Any], settings: Settings) -> Mapping[str, Any]:
    """The place of a job that goes on: under other settings than it began, its end says nothing of all items."""
    return place if place.get(SHAPE) == shape_fingerprint(settings) else {**place, SHAPE: None}


async def note_reshaped(flow: JobFlow, fingerprint: str | None, observer: Observer) -> None:
    """The job with that fingerprint is done. Called before its end is saved: a crash between repeats the end."""
    if fingerprint in (None, flow.checkpoints.record.shape_fingerprint):
        return
    flow.checkpoints.reshaped(fingerprint)
    await flow.requests.read(flow.checkpoints.save_once, "control")
    observer.observe(WarningEnded(TOPIC))
