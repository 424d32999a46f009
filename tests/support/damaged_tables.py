"""A replicated table that is damaged, and what a verification finds of that."""

from __future__ import annotations

from service.operations.documents.jobs import Verification
from tests.fakes.service import Service, until
from tests.fakes.world import World
from tests.support.numbered_items import item, key

FINDINGS = ("missing", "extra", "different", "repaired")


def findings(job: Verification) -> dict[str, int]:
    """The counts that are not zero."""
    return {name: getattr(job, name) for name in FINDINGS if getattr(job, name)}


def differing(job: Verification) -> dict[str, str]:
    return {shown["key"]["key"]["S"]: shown["kind"] for shown in job.differing_keys}


async def filled(service: Service, items: int = 20) -> None:
    """Both tables hold these items, and the service has caught up."""
    await service.flow()
    for number in range(items):
        service.world.source.put(item(number))
    await until(lambda: len(service.world.replica.items) >= items)
    await service.until_caught_up()


def damage(world: World) -> dict[str, str]:
    """In four ways; returns what a verification ought to find."""
    world.replica.lose(key(1))
    world.replica.preset(item(2, "17"))
    world.replica.preset({"key": {"S": "key3"}, "value": {"S": "1"}})
    world.replica.preset({"key": {"S": "stranger"}, "value": {"N": "1"}})
    return {"key1": "missing", "key2": "different", "key3": "different", "stranger": "extra"}
