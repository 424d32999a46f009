"""A change as its stream record in JSON again, for a dead letter: as it came, with all that it said."""

from __future__ import annotations

import msgspec

from service.model import Change, Effect, ViewType

# What userIdentity says of a delete by Time to Live (API reference, Record).
TTL_PRINCIPAL = "dynamodb.amazonaws.com"


def record_of(change: Change) -> bytes:
    """The change's stream record in JSON, as it came; `RecordReader.read` makes the same change of it."""
    if change.record is not None:
        return change.record
    stream = {
        "ApproximateCreationDateTime": change.created_at,
        "Keys": msgspec.Raw(change.keys or change.key),
        "NewImage": msgspec.Raw(change.image) if change.image is not None else None,
        "OldImage": msgspec.Raw(change.old_image) if change.old_image is not None else None,
        "SequenceNumber": str(change.sequence),
        "SizeBytes": change.size_bytes,
        "StreamViewType": change.view_type or _view_type_of(change),
    }
    record = {
        "eventID": change.event_id,
        "eventName": change.event_name,
        "eventVersion": change.event_version,
        "eventSource": "aws:dynamodb",
        "awsRegion": change.aws_region,
        "dynamodb": {name: value for name, value in stream.items() if value is not None},
        "userIdentity": msgspec.Raw(change.identity) if change.identity else None,
    }
    if change.is_ttl_delete and not change.identity:
        record["userIdentity"] = {"type": "Service", "principalId": TTL_PRINCIPAL}
    return msgspec.json.encode({name: value for name, value in record.items() if value is not None})


def _view_type_of(change: Change) -> ViewType:
    """A view type with which the change's effect reads back as it is."""
    if change.effect is Effect.LOOK_UP:
        return ViewType.KEYS_ONLY if change.old_image is None else ViewType.OLD_IMAGE
    return ViewType.NEW_IMAGE if change.old_image is None else ViewType.NEW_AND_OLD_IMAGES
