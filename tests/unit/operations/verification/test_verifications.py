"""A verification in the running service: what it finds, what is no difference, and what it repairs."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from service.errors import ChangeError, ThrottledError
from service.model import Delete
from service.operations.console import InvalidError
from service.operations.documents.jobs import JobState
from service.operations.verification.comparison import is_in_sample
from tests.fakes.service import Service
from tests.fakes.world import World
from tests.support.damaged_tables import damage, differing, filled, findings
from tests.support.invariants import check_all
from tests.support.numbered_items import item, key


async def test_equal_tables_have_no_differences():
    async with Service(World()) as service:
        await filled(service)
        job = await service.verify()
        assert job.state is JobState.DONE
        assert findings(job) == {}
        assert job.items_compared == 20
        assert job.items_read == 40


async def test_exactly_the_damaged_items_are_found():
    async with Service(World()) as service:
        await filled(service)
        expected = damage(service.world)
        job = await service.verify()
        assert findings(job) == {"missing": 1, "extra": 1, "different": 2}
        assert differing(job) == expected
        assert job.items_compared == 21
        assert not service.world.replica.writes[service.world.replica.key(key(1))] > 1, "it only looked"


async def test_a_repair_mends_exactly_what_differs_and_a_second_look_finds_nothing():
    async with Service(World()) as service:
        await filled(service)
        expected = damage(service.world)
        before = dict(service.world.replica.writes)
        job = await service.verify(repair=True)
        assert findings(job) == {"missing": 1, "extra": 1, "different": 2, "repaired": 4}
        changed = [
            name.decode() for name, count in service.world.replica.writes.items() if count != before.get(name, 0)
        ]
        assert sorted(changed) == sorted(f'{{"key":{{"S":"{name}"}}}}' for name in expected)
        assert findings(await service.verify()) == {}
    check_all(service.world)


@pytest.mark.parametrize("sample", [0.0, -0.5, 1.01, float("nan")])
async def test_a_sample_is_a_fraction(sample):
    async with Service(World()) as service:
        with pytest.raises(InvalidError):
            await service.verify(sample=sample)


async def test_a_sample_looks_at_its_keys_in_both_tables_and_at_no_others():
    async with Service(World()) as service:
        await filled(service, 100)
        world = service.world
        for number in range(50):
            world.replica.lose(key(number))
            world.replica.preset(item(1000 + number))
        job = await service.verify(sample=0.5)
        chosen = {
            name: kind
            for number in range(50)
            for name, kind in ((f"key{number}", "missing"), (f"key{1000 + number}", "extra"))
            if is_in_sample(world.source.key({"key": {"S": name}}), 0.5)
        }
        assert differing(job) == chosen
        assert 10 < len(chosen) < 90
        assert service.report.status().last_verification is None, "a sample tells nothing of the whole"


async def test_only_the_first_hundred_keys_are_listed():
    async with Service(World()) as service:
        await filled(service, 150)
        for number in range(150):
            service.world.replica.lose(key(number))
        job = await service.verify()
        assert job.missing == 150
        assert len(job.differing_keys) == 100


async def test_the_same_value_in_another_spelling_is_no_difference():
    async with Service(World()) as service:
        await service.flow()
        service.world.source.put(item(1, "1.50", tags={"SS": ["a", "b"]}, sizes={"NS": ["1", "2.0"]}))
        await asyncio.sleep(3)
        service.world.replica.preset(item(1, "15E-1", tags={"SS": ["b", "a"]}, sizes={"NS": ["2", "1.0"]}))
        assert findings(await service.verify()) == {}


async def test_projection_and_transform_are_applied_before_comparing():
    transform = "tests.support.transforms:without_drafts"
    async with Service(World(), exclude_attributes="secret", transform=transform) as service:
        await service.flow()
        service.world.source.put(item(1, secret={"S": "x"}))
        service.world.source.put(item(2, draft={"BOOL": True}))
        service.world.source.put(item(3, **{"aws:rep:updatetime": {"N": "5"}}))
        await asyncio.sleep(3)
        assert findings(await service.verify()) == {}
        service.world.replica.preset(item(1, secret={"S": "x"}, copied={"BOOL": True}))
        assert differing(await service.verify()) == {"key1": "different"}


@pytest.mark.parametrize("skip_ttl_deletes", [False, True])
async def test_an_item_that_the_transform_leaves_out_is_extra_and_a_repair_removes_it(skip_ttl_deletes):
    transform = "tests.support.transforms:without_drafts"
    async with Service(World(), transform=transform, skip_ttl_deletes=skip_ttl_deletes) as service:
        await service.flow()
        service.world.source.put(item(1, draft={"BOOL": True}))
        service.world.source.put(item(2, draft={"BOOL": True}))
        await asyncio.sleep(3)
        service.world.replica.preset(item(2, "9"))
        assert findings(await service.verify()) == {"extra": 1}
        assert findings(await service.verify(repair=True)) == {"extra": 1, "repaired": 1}
        assert not service.world.replica.items


async def test_an_item_that_the_transform_chokes_on_differs():
    async with Service(World(), transform="tests.support.transforms:choking") as service:
        await service.flow()
        service.world.source.put(item(1, choke={"BOOL": True}))
        await asyncio.sleep(3)
        job = await service.verify(repair=True)
        assert findings(job) == {"missing": 1}


async def test_items_that_only_the_replica_keeps_are_right_where_ttl_deletes_are_skipped():
    async with Service(World(), skip_ttl_deletes=True) as service:
        await filled(service)
        service.world.source.delete(key(1), is_ttl=True)
        await asyncio.sleep(3)
        service.world.replica.lose(key(2))
        job = await service.verify(repair=True)
        assert findings(job) == {"missing": 1, "repaired": 1}
        assert job.items_read == 19
        assert service.world.replica.item(key(1)) is not None


async def test_a_key_with_a_dead_letter_differs_and_can_not_be_repaired():
    async with Service(World()) as service:
        await filled(service)
        poisoned = service.world.replica.key(key(1))

        def refuse(write: Any) -> ChangeError | None:
            is_poison = write.key == poisoned and not isinstance(write, Delete)
            return ChangeError("no") if is_poison else None

        service.world.replica.poison = refuse
        service.world.source.put(item(1, "2"))
        await asyncio.sleep(3)
        assert (await service.flow()).dead_letters.counted.value == 1
        job = await service.verify(repair=True)
        assert findings(job) == {"different": 1}


async def test_reads_that_fail_for_a_while_are_waited_out():
    async with Service(World()) as service:
        await filled(service)
        expected = damage(service.world)
        for call in ("source.scan", "replica.scan", "source.get_many", "replica.get_many"):
            service.world.plan.fail_next(call, ThrottledError("slow down"), times=5)
        assert differing(await service.verify()) == expected
