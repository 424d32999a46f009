"""What Lambda's function is invoked with: an event of the mapping, or the record of a batch that was given up. Pure.

Such a record goes to the mapping's on-failure destination (Lambda Developer Guide, "Retain discarded records for a
DynamoDB event source": `requestContext`, `responseContext`, `DDBStreamBatchInfo`). In S3 it has the whole event as
text in `payload`, too; in SQS and SNS it only tells where in the stream the changes were.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from service.errors import HaltError

Records = list[Mapping[str, Any]]
_BATCH = "DDBStreamBatchInfo"


@dataclass(frozen=True, slots=True)
class Invocation:
    records: Records
    comes_again: bool
    """Lambda sends again what is answered as not settled. Nobody does that with a record of a batch it gave up."""


def understood(event: object) -> Invocation:
    """Raises HaltError, with what to do, for an event that holds no records of a stream."""
    if isinstance(event, Mapping) and _BATCH in event:
        return Invocation(_records_of(_payload(event)), comes_again=False)
    records = _records_of(event)
    for record in records[:1]:
        _check_service(record)
    return Invocation(records, comes_again=True)


def _records_of(event: object) -> Records:
    records = event.get("Records") if isinstance(event, Mapping) else None
    if not isinstance(records, list) or not all(isinstance(record, Mapping) for record in records):
        raise HaltError('this function takes events of a DynamoDB stream: {"Records": […]}')
    return records


def _payload(failed: Mapping[str, Any]) -> object:
    payload = failed.get("payload")
    if payload is None:
        raise HaltError(_without_records(failed))
    if not isinstance(payload, str):
        return payload
    try:
        return json.loads(payload)  # as Lambda's runtime reads an event
    except ValueError as error:
        raise HaltError("the payload of this record of a failed batch is no JSON: take the whole object") from error


def _without_records(failed: Mapping[str, Any]) -> str:
    batch = failed[_BATCH] if isinstance(failed[_BATCH], Mapping) else {}
    shard, first, last = (batch.get(name) for name in ("shardId", "startSequenceNumber", "endSequenceNumber"))
    return (
        f"this record of a failed batch (shard {shard}, sequence numbers {first} to {last}) holds none of its changes: "
        "Lambda puts them into it only in S3. Copy what is missing from the source: POST /verify "
        '{"repair": true} beside Lambda, or within 24 hours, with a container instead of Lambda, '
        f'POST /replay {{"sequence_number": "{first}"}}'
    )


def _check_service(record: Mapping[str, Any]) -> None:
    """What a queue, a topic or a bucket with such records sends, if the function is mapped to that."""
    sender = record.get("eventSource") or record.get("EventSource")
    if sender == "aws:s3":
        raise HaltError(
            "this is S3's note of an object: invoke the function with the object's content instead (aws s3 cp "
            "s3://BUCKET/KEY record.json, then aws lambda invoke --payload fileb://record.json)"
        )
    if sender == "aws:sqs":
        message = record.get("body")
    elif sender == "aws:sns":
        message = record["Sns"].get("Message") if isinstance(record.get("Sns"), Mapping) else None
    else:
        return
    try:
        told = json.loads(message) if isinstance(message, str) else None
    except ValueError:
        return
    if isinstance(told, Mapping) and _BATCH in told:
        raise HaltError(_without_records(told))
