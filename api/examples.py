"""Examples of what the API takes and gives, for its OpenAPI document: by the name of the model, or of the parameter."""

from __future__ import annotations

import http
from typing import Any

from api.problems import TYPES

_ID = "20261123T101500000000-3f9c"
_LETTER_ID = "000001100000000017454423009"
_SHARD_ID = "shardId-00000001541626099285-f35f62ef"
_SEQUENCE = "1100000000017454423009"
_AT, _STARTED_AT = "2026-11-23T10:15:00Z", "2026-11-23T10:00:00Z"
_PIPELINE = "master-table--replica-table"

PARAMETERS: dict[str, Any] = {"id": _ID, "limit": 100, "cursor": _LETTER_ID, "since": _AT}
"""Of a path of dead letters, an `id` is a letter's."""

BODIES: dict[str, Any] = {
    "Nothing": {},
    "ReplicateRequest": {"keys": {"pk": {"S": "key1"}, "sk": {"N": "42"}}},
    "VerifyRequest": {"repair": True},
}

_JOB = {
    "id": _ID,
    "state": "running",
    "started_at": _AT,
    "started_by": "admin",
    "finished_at": None,
    "error": None,
    "per_second": 250.0,
    "seconds_left": 14.0,
}
_REPLAY = {
    **_JOB,
    "seconds_left": None,
    "sequence_number": None,
    "shard_id": None,
    "from_time": None,
    "from": "trim_horizon",
    "dry_run": False,
    "records_read": 1500,
    "records_applied": 20,
    "records_unchanged": 1480,
}
_SNAPSHOT = {**_JOB, "items_scanned": 1500, "items_written": 1400, "items_estimated": 5000, "needed": False}
_VERIFICATION = {
    **_JOB,
    "repair": False,
    "sample": None,
    "items_compared": 1500,
    "items_read": 1500,
    "items_estimated": 5000,
    "missing": 1,
    "extra": 0,
    "different": 0,
    "repaired": 0,
    "differing_keys": [{"kind": "missing", "key": {"pk": {"S": "key1"}}}],
}
_REDRIVE = {
    **_JOB,
    "redriven": 40,
    "superseded": 2,
    "failed": 1,
    "letters": 3543,
    "failures": [{"id": _LETTER_ID, "error": "the item is over DynamoDB's limit of 400 KB"}],
}
_LETTER = {
    "id": _LETTER_ID,
    "shard_id": _SHARD_ID,
    "sequence_number": _SEQUENCE,
    "event_name": "MODIFY",
    "keys": {"pk": {"S": "key1"}},
    "error": "the item is over DynamoDB's limit of 400 KB",
    "attempts": 1,
    "failed_at": _AT,
}
_STATUS = {
    "pipeline": _PIPELINE,
    "state": "running",
    "reason": None,
    "role": "active",
    "active": "mirror-7f9c-1-5e0c1a2b",
    "paused_since": None,
    "paused_by": None,
    "source": {
        "table": "master-table",
        "region": "us-west-2",
        "stream_arn": "arn:aws:dynamodb:us-west-2:123456789012:table/master-table/stream/2026-11-23T09:00:00.000",
        "stream_view_type": "NEW_AND_OLD_IMAGES",
    },
    "replica": {"table": "replica-table", "region": "eu-central-1"},
    "lag": {
        "seconds": 0.0,
        "unapplied_records": 0,
        "keys_in_doubt": 0,
        "oldest_unapplied_at": None,
        "caught_up": True,
    },
    "queue": {"records": 0, "bytes": 0, "max_records": 10000, "max_bytes": 67108864},
    "shards": [
        {
            "shard_id": _SHARD_ID,
            "parent_shard_id": None,
            "state": "reading",
            "checkpoint": _SEQUENCE,
            "last_read": _SEQUENCE,
            "lag_seconds": 0.0,
            "records_read": 12,
            "records_applied": 12,
        }
    ],
    "totals": {
        "records_read": 12,
        "records_applied": 12,
        "items_written": 11,
        "records_coalesced": 1,
        "records_skipped": 0,
        "records_dead_lettered": 0,
        "retries": 0,
    },
    "rates": {"records_read_per_second": 0.0, "records_applied_per_second": 0.0},
    "dead_letters": 0,
    "last_verification": None,
    "gaps": [],
    "warnings": [],
    "refused": {},
    "version": "1.2.3",
    "started_at": _STARTED_AT,
    "now": _AT,
    "clock_offset_seconds": 0.0,
}
_STEP = {
    "at": _AT,
    "seconds": 5.0,
    "state": "running",
    "lag_seconds": 0.2,
    "records_read_per_second": 12.0,
    "records_applied_per_second": 12.0,
    "latency_mean_seconds": 0.3,
    "latency_max_seconds": 0.6,
}
_SUMMARY: dict[str, Any] = {
    "name": "orders",
    "state": "running",
    "role": "active",
    "reason": None,
    "ready": True,
    "lag_seconds": 0.0,
    "caught_up": True,
    "dead_letters": 0,
    "warnings": [],
}
ANSWERS: dict[str, Any] = {
    "Pipelines": {"items": [_SUMMARY], "left_out": [{"table": "audit", "reason": "it has no stream"}]},
    "Reloaded": {"started": ["invoices"], "stopped": [], "restarted": ["orders"]},
    "Health": {"alive": True},
    "Readiness": {"ready": True},
    "Status": _STATUS,
    "History": {"items": [_STEP]},
    "EffectiveSettings": {"items": [{"name": "writers", "value": 16, "origin": "default"}]},
    "Outcome": {"outcome": "written"},
    "Replay": _REPLAY,
    "Replays": {"items": [_REPLAY]},
    "Snapshot": _SNAPSHOT,
    "Snapshots": {"items": [_SNAPSHOT]},
    "Verification": _VERIFICATION,
    "Verifications": {"items": [_VERIFICATION]},
    "Redriving": _REDRIVE,
    "Redrives": {"items": [_REDRIVE]},
    "DeadLetterPage": {"items": [_LETTER], "cursor": None},
    "DeadLetterDetail": {**_LETTER, "record": {"eventName": "MODIFY", "dynamodb": {"Keys": {"pk": {"S": "key1"}}}}},
    "Redriven": {"redriven": 42, "superseded": 1, "failed": 0},
}
_CANCELLED = {"state": "cancelled", "finished_at": _AT, "per_second": None, "seconds_left": None}
_TEXTS = {
    "text/plain": '# TYPE dynamirror_lag_seconds gauge\ndynamirror_lag_seconds{pipeline="orders"} 0.0\n',
    "text/html": "<!doctype html><title>dynamirror</title>",
}


def add_examples(path: str, method: str, operation: dict[str, Any]) -> None:
    """To every parameter, body and answer of a call that has none yet."""
    for parameter in operation.get("parameters", ()):
        if parameter["name"] in PARAMETERS:
            of_a_letter = parameter["name"] == "id" and "/dead-letters/" in path
            parameter["example"] = _LETTER_ID if of_a_letter else PARAMETERS[parameter["name"]]
    for content in operation.get("requestBody", {}).get("content", {}).values():
        if "examples" not in content:
            content["example"] = BODIES[_model(content["schema"])]
    for status, answer in operation["responses"].items():
        for media_type, content in answer.get("content", {}).items():
            content["example"] = _answer(media_type, content.get("schema", {}), method, status, answer["description"])


def _answer(media_type: str, schema: dict[str, Any], method: str, status: str, description: str) -> Any:
    if media_type in _TEXTS:
        return _TEXTS[media_type]
    if int(status) >= 400:
        kind, title = f"urn:dynamirror:problem:{TYPES[int(status)]}", http.HTTPStatus(int(status)).phrase
        return {"type": kind, "title": title, "status": int(status), "detail": description}
    found = ANSWERS[_model(schema)]
    return {**found, **_CANCELLED} if method == "DELETE" else found


def _model(schema: dict[str, Any]) -> str:
    """The name of the schema's model, or of the first one of several."""
    one: dict[str, Any] = schema if "$ref" in schema else schema["anyOf"][0]
    return str(one["$ref"]).rpartition("/")[2]
