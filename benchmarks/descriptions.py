"""How the stub describes its stream and its tables, and the errors that it answers when there is trouble."""

from __future__ import annotations

from typing import Any

from benchmarks.workload import Stream, answer, iterator


def _refusal(code: bytes, message: bytes) -> bytes:
    return answer(
        b'{"__type":"com.amazonaws.dynamodb.v20120810#%b","message":"%b"}' % (code, message), b"400 Bad Request"
    )


THROTTLED = _refusal(b"ProvisionedThroughputExceededException", b"too fast")
TRIMMED = _refusal(b"TrimmedDataAccessException", b"too old")
REFUSED_WRITES = {"throttled": THROTTLED, "poisoned": _refusal(b"ValidationException", b"a value is invalid")}


def described_stream(stream: Stream, asked: dict[str, Any]) -> dict[str, Any]:
    shards = []
    for line in stream.lines:
        ids = line.shard_ids()
        for generation, shard_id in enumerate(ids):
            start, end = line.range_of(generation)
            numbers = {"StartingSequenceNumber": str(line.sequence(start - 1))}
            if generation < len(ids) - 1:
                numbers["EndingSequenceNumber"] = str(line.sequence(end - 1))
            shard = {"ShardId": shard_id, "SequenceNumberRange": numbers}
            if generation:
                shard["ParentShardId"] = ids[generation - 1]
            shards.append(shard)
    # At most 100 shards in one answer (API reference, DescribeStream).
    after = asked.get("ExclusiveStartShardId")
    first = next((index + 1 for index, shard in enumerate(shards) if shard["ShardId"] == after), 0)
    some = shards[first : first + 100]
    described: dict[str, Any] = {
        "StreamArn": stream.arn,
        "StreamStatus": "ENABLED",
        "StreamViewType": "NEW_AND_OLD_IMAGES",
        "TableName": stream.table,
        "KeySchema": [{"AttributeName": "pk", "KeyType": "HASH"}],
        "Shards": some,
    }
    if first + 100 < len(shards):
        described["LastEvaluatedShardId"] = some[-1]["ShardId"]
    return {"StreamDescription": described}


def iterator_of(stream: Stream, asked: dict[str, Any]) -> dict[str, Any]:
    _, generation, number = asked["ShardId"].split("-")
    line = stream.lines[int(number, 16)]
    start, _ = line.range_of(int(generation))
    if "SequenceNumber" in asked:
        start = (int(asked["SequenceNumber"]) - line.sequence(-1)) // 1000
    elif asked["ShardIteratorType"] == "LATEST":
        start = len(line.keys)
    return {"ShardIterator": iterator(line.number, start, stream.mark).decode()}


def described_table(stream: Stream, table: str, items: int) -> dict[str, Any]:
    described: dict[str, Any] = {
        "TableName": table,
        "TableStatus": "ACTIVE",
        "TableArn": f"arn:aws:dynamodb:us-west-2:123456789012:table/{table}",
        "TableId": f"of-{table}",
        "KeySchema": [{"AttributeName": "pk", "KeyType": "HASH"}],
        "AttributeDefinitions": [{"AttributeName": "pk", "AttributeType": "S"}],
        "ItemCount": items,
    }
    if table == stream.table:
        described["LatestStreamArn"] = stream.arn
        described["StreamSpecification"] = {"StreamEnabled": True, "StreamViewType": "NEW_AND_OLD_IMAGES"}
    return described
