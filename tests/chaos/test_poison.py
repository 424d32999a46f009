"""What can't be written or understood stands in nobody's way, and nothing of it is lost (I7)."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from tests.chaos.test_unfit_replica import ANight, put_some
from tests.support.chaos.faults import Role
from tests.support.chaos.verdict import check_witness
from tests.support.chaos.workload import BIG_BYTES


def is_poison(key: str) -> bool:
    return "poison" in key


async def test_a_refused_item_becomes_a_dead_letter_with_both_its_images(a_night: ANight) -> None:
    """Two images of nearly 400 KB in one record: more than an item of the control table holds."""
    async with a_night() as night:
        night.proxy.plan.of[Role.REPLICA].poison = re.compile("poison")
        await (await night.product.start()).until_running()
        for letter in "ab":
            await night.put(key={"S": "poison"}, n={"N": str(ord(letter))}, pad={"S": letter * BIG_BYTES})
            await put_some(night, letter)
        await night.until_applied(but=is_poison)
        await night.product.until(lambda status: status["lag"]["caught_up"] and status["dead_letters"] == 1)

        letters = await night.dead_letters()
        assert [letter["keys"] for letter in letters] == [{"key": {"S": "poison"}}]
        assert letters[0]["attempts"] == 2
        assert BIG_BYTES not in map(len, map(str, letters)), "a list tells no item's values"
        whole: dict[str, Any] = (await night.product.get(f"/dead-letters/{letters[0]['id']}")).json()
        assert len(str(whole)) > 2 * BIG_BYTES

        night.proxy.plan.of[Role.REPLICA].poison = None
        answer = await night.redrive()
        assert answer["failed"] == 0
        assert answer["redriven"] + answer["superseded"] == 1
        assert await night.check_equal() == 11
        assert await night.dead_letters() == []
        check_witness(night.proxy.witness)
        assert await night.product.stop() == 0


async def test_one_refused_item_of_a_batch_costs_only_itself(a_night: ANight) -> None:
    async with a_night(writers=1) as night:
        night.proxy.plan.of[Role.REPLICA].poison = re.compile("poison")
        await put_some(night, "before")
        await night.put(key={"S": "poison"}, n={"N": "1"})
        await put_some(night, "after")
        await night.until_seen()
        await night.product.start()
        await night.until_applied(but=is_poison)
        await night.product.until(lambda status: status["dead_letters"] > 0)
        assert [letter["keys"] for letter in await night.dead_letters()] == [{"key": {"S": "poison"}}]
        assert await night.check_equal(is_poison) == 11
        assert await night.product.stop() == 0


async def test_a_redrive_does_not_take_back_what_came_later(a_night: ANight) -> None:
    async with a_night() as night:
        night.proxy.plan.of[Role.REPLICA].poison = re.compile("poison")
        await (await night.product.start()).until_running()
        await night.put(key={"S": "poison"}, n={"N": "1"})
        await night.product.until(lambda status: status["dead_letters"] == 1)
        night.proxy.plan.of[Role.REPLICA].poison = None
        await night.put(key={"S": "poison"}, n={"N": "2"})
        await night.until_applied()
        answer = await night.redrive()
        assert (answer["redriven"], answer["superseded"], answer["failed"]) == (0, 1, 0)
        await night.check_equal()
        check_witness(night.proxy.witness)
        assert await night.product.stop() == 0


async def test_records_that_nobody_can_read_are_kept_and_stop_nothing(a_night: ANight) -> None:
    """E33."""
    spoiled: list[bytes | dict[str, Any]] = []

    def spoil(record: dict[str, Any]) -> dict[str, Any] | bytes | None:
        if record["dynamodb"]["Keys"]["key"]["S"] != "poison":
            return None
        number = record["dynamodb"]["SequenceNumber"]
        place = {"SequenceNumber": number}
        kinds: list[bytes | dict[str, Any]] = [
            {**record, "eventName": "EXPLODE"},
            {**record, "dynamodb": {**record["dynamodb"], "Keys": {}}},
            {**record, "dynamodb": place},
            {**record, "dynamodb": {**record["dynamodb"], "NewImage": 7}},
        ]
        spoiled.append(kinds[len(spoiled) % len(kinds)])
        return spoiled[-1]

    async with a_night() as night:
        night.stream.spoil = spoil
        await (await night.product.start()).until_running()
        for number in range(4):
            await night.put(key={"S": "poison"}, n={"N": str(number)})
            await put_some(night, f"k{number}-")
        await night.until(lambda: len(night.proxy.witness.source) == 20, what="the stream shows the others")
        await night.until(lambda: night.proxy.witness.oldest_unapplied_at() is None, what="the others are applied")
        await night.check_equal(is_poison)
        status = await night.product.until(lambda status: status["dead_letters"] == 4)
        assert status["state"] == "running"
        assert len(spoiled) == 4
        assert await night.product.stop() == 0


def refuses_poison(item: dict[str, Any]) -> dict[str, Any] | None:
    """A transform that some items are too much for."""
    if "poison" in item["key"]["S"]:
        raise LookupError("this one is too much")
    return item


async def test_a_transform_that_raises_costs_the_other_keys_no_request(a_night: ANight) -> None:
    """I7: the others go in the same batches as if nothing had happened."""
    path = {"PYTHONPATH": str(Path(__file__).parents[2])}
    async with a_night(transform=f"{__name__}:{refuses_poison.__name__}", more=path, lease_seconds=30) as night:
        for number in range(400):
            await night.put(key={"S": f"k{number}" if number % 4 else f"poison{number}"}, n={"N": "1"})
        await night.until_seen()
        await night.product.start()
        await night.until_applied(but=is_poison)
        await night.product.until(lambda status: status["dead_letters"] == 100)
        status = await night.product.until(lambda status: status["totals"]["records_applied"] >= 300)
        assert status["totals"]["records_applied"] == 300
        writes = [one for one in night.proxy.witness.since(0, Role.REPLICA, writes_only=True) if one.outcome == "200"]
        # 300 items in batches of up to 25 need 12 requests; 16 lanes share them.
        assert len(writes) < 60, f"{len(writes)} requests"
        assert await night.check_equal(is_poison) == 400
        letters = await night.dead_letters()
        assert all("LookupError" in letter["error"] for letter in letters), letters[0]
        assert await night.product.stop() == 0
