"""A change as its stream record in JSON again, for a dead letter: as it came, with all that it said."""

from __future__ import annotations

from typing import Any

import msgspec

from service.model import Change, Effect, ViewType

# What userIdentity says of a delete by Time to Live (API reference, Record).
TTL_PRINCIPAL = "dynamodb.amazonaws.com"


def record_of(change: Change) -> bytes:
    """The change's stream record in JSON, as it came; `RecordReader.read` makes the same change of it."""
    origin = change.origin
    if origin is None:
        return _made_anew(change)
    if origin.record is not None:
        return origin.record
    stream = {
        "ApproximateCreationDateTime": origin.created,
        "Keys": msgspec.Raw(origin.keys or change.key),
        "NewImage": msgspec.Raw(change.image) if change.image is not None else None,
        "OldImage": msgspec.Raw(change.old_image) if change.old_image is not None else None,
        "SequenceNumber": str(change.sequence),
        "SizeBytes": origin.size_bytes,
        "StreamViewType": origin.view_type or _view_type_of(change),
    }
    record = {
        "eventID": origin.event_id,
        "eventName": change.event_name,
        "eventVersion": origin.event_version,
        "eventSource": origin.event_source,
        "awsRegion": origin.aws_region,
        "dynamodb": {name: value for name, value in stream.items() if value is not None},
        "userIdentity": msgspec.Raw(origin.identity) if origin.identity else None,
        "eventSourceARN": origin.event_source_arn,
    }
    return msgspec.json.encode({name: value for name, value in record.items() if value is not None})


def _made_anew(change: Change) -> bytes:
    """Of a change that came from no record."""
    stream: dict[str, Any] = {
        "ApproximateCreationDateTime": change.created_at,
        "Keys": msgspec.Raw(change.key),
        "SequenceNumber": str(change.sequence),
        "StreamViewType": _view_type_of(change),
    }
    if change.image is not None:
        stream["NewImage"] = msgspec.Raw(change.image)
    if change.old_image is not None:
        stream["OldImage"] = msgspec.Raw(change.old_image)
    record: dict[str, Any] = {"eventName": change.event_name, "eventSource": "aws:dynamodb", "dynamodb": stream}
    if change.is_ttl_delete:
        record["userIdentity"] = {"type": "Service", "principalId": TTL_PRINCIPAL}
    return msgspec.json.encode(record)


def _view_type_of(change: Change) -> ViewType:
    """A view type with which the change's effect reads back as it is."""
    if change.effect is Effect.LOOK_UP:
        return ViewType.KEYS_ONLY if change.old_image is None else ViewType.OLD_IMAGE
    return ViewType.NEW_IMAGE if change.old_image is None else ViewType.NEW_AND_OLD_IMAGES
