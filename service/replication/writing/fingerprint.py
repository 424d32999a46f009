"""Recognises settings that shape the replica's items otherwise than the items there were shaped.

The fingerprint is kept with the pipeline's place in the stream. Once two different settings have shaped items, it is
MIXED, and each start warns of it, until everything was brought to the shape of one of them: going back to the former
settings mends nothing, since the stream has written items meanwhile.
"""

from __future__ import annotations

import hashlib
import json

from service.configuration.settings import Settings
from service.configuration.transform import transform_source
from service.events import Observer, Warned, WarningEnded

TOPIC = "filters changed"
MIXED = "mixed"
"""Equal to no fingerprint."""


def shape_fingerprint(settings: Settings) -> str:
    """The same for settings by which the same items go to the replica, with the same attributes; 32 hex digits.

    The transform counts with its reference and the text of its module's file, not with what that module imports.
    """
    named = [sorted({*settings.include_attributes}), sorted({*settings.exclude_attributes}), settings.transform]
    digest = hashlib.blake2b(json.dumps(named).encode(), digest_size=16)
    if settings.transform is not None:
        digest.update(transform_source(settings.transform))
    return digest.hexdigest()


def remembered(saved: str | None, present: str) -> str:
    """What to keep once something is written under the present settings. None was saved by a version without it."""
    return present if saved in (None, present) else MIXED


def tell(remembers: str, observer: Observer) -> None:
    """Warn where settings were mixed; else whatever was said before is over."""
    if remembers != MIXED:
        observer.observe(WarningEnded(TOPIC))
        return
    observer.observe(
        Warned(
            TOPIC,
            "what shapes the replica's items (the attribute filters or the transform) was changed since they were "
            "copied: items that were copied before are as the former settings made them; take a snapshot "
            "(POST /snapshot) or verify with repair",
        )
    )
