"""Batches of records, applied as Lambda would hand them over."""

from __future__ import annotations

from service.configuration.settings import load_settings
from tests.fakes.event_source import engine_on, event_record
from tests.fakes.images import item_of, key_of


def settings(**named):
    tables = {"source_table": "master-table", "replica_table": "replica-table"}
    return load_settings({f"DYNAMIRROR_{name.upper()}": value for name, value in (tables | named).items()})


def item(key="key1", value="1"):
    return {"key": {"S": key}, "value": {"N": value}}


def records(world):
    return [event_record(record.content) for shard in world.source.stream.shards.values() for record in shard.records]


def held(world, key="key1"):
    image = world.replica.items.get(key_of(item(key)))
    return None if image is None else item_of(image)


async def apply(world, batch, seconds=30.0, observers=(), **named):
    return await (await engine_on(world.process(), settings(**named), *observers)).apply(batch, seconds)


ARN = "arn:aws:dynamodb:us-west-2:111122223333:table/master-table/stream/2016-11-16T20:42:48.104"
