"""The replica is created where it is missing, and nowhere else: at every start, whoever else starts with it."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from service.aws.error_codes import Call, fault
from service.aws.table_creation import CREATION_SECONDS, found_or_created
from service.errors import DynamirrorError, HaltError, RefusedError
from service.model import KeyAttribute, TableDescription
from tests.fakes.clock import FakeClock
from tests.support.scripted_http import WireTo

KEYS = (KeyAttribute("pk", "S"), KeyAttribute("sk", "N"))
SOURCE = TableDescription("orders", "arn:aws:dynamodb:us-west-2:123456789012:table/orders", "us-west-2", KEYS)


class Service:
    """DynamoDB, as far as one table's life goes: `status` None means that there is none."""

    def __init__(self, status: str | None = None, *, creation_looks: int = 2, unknown_looks: int = 0) -> None:
        """A creation is over after so many looks; so many looks of DescribeTable know nothing of it yet."""
        self.status = status
        self.created: list[dict[str, Any]] = []
        self.may_create = True
        self._left = creation_looks
        self._unknown = unknown_looks

    async def describe_table(self, TableName: str) -> dict[str, Any]:
        await asyncio.sleep(0)
        if self.status is None or (self.created and self._unknown > 0):
            self._unknown -= bool(self.created)
            raise _refused("ResourceNotFoundException", "DescribeTable")
        answer = {
            "TableName": TableName,
            "TableArn": f"arn:aws:dynamodb:us-west-2:123456789012:table/{TableName}",
            "TableStatus": self.status,
            "AttributeDefinitions": [{"AttributeName": key.name, "AttributeType": key.type} for key in KEYS],
            "KeySchema": [
                {"AttributeName": "pk", "KeyType": "HASH"},
                {"AttributeName": "sk", "KeyType": "RANGE"},
            ],
            "ItemCount": 0,
        }
        if self.status in ("CREATING", "DELETING"):
            self._left -= 1
            if not self._left:
                self.status, self._left = ("ACTIVE" if self.status == "CREATING" else None), 2
        return {"Table": answer}

    async def create_table(self, **request: Any) -> dict[str, Any]:
        await asyncio.sleep(0)
        if not self.may_create:
            raise _refused("AccessDeniedException", "CreateTable")
        if self.status is not None:
            raise _refused("ResourceInUseException", "CreateTable")
        self.status = "CREATING"
        self.created.append(request)
        return {"TableDescription": {}}


def _refused(code: str, operation: str) -> DynamirrorError:
    return fault(Call(operation, "the replica table copies"), code, "refused", 400)


async def found(service: Service, *, creates: bool = True) -> TableDescription:
    return await found_or_created(WireTo(service), "copies", SOURCE, FakeClock(), creates=creates)


async def test_a_missing_replica_is_created_with_the_sources_keys() -> None:
    service = Service()

    assert (await found(service)).status == "ACTIVE"
    (request,) = service.created
    assert request["KeySchema"] == [
        {"AttributeName": "pk", "KeyType": "HASH"},
        {"AttributeName": "sk", "KeyType": "RANGE"},
    ]
    assert request["BillingMode"] == "PAY_PER_REQUEST"


@pytest.mark.parametrize("status", ["ACTIVE", "UPDATING"])
async def test_one_that_exists_needs_no_right_to_create_tables(status: str) -> None:
    service = Service(status)
    service.may_create = False

    assert (await found(service)).status == status


@pytest.mark.parametrize("creates", [True, False])
async def test_one_that_is_being_created_is_waited_for(creates: bool) -> None:
    service = Service("CREATING")

    assert (await found(service, creates=creates)).status == "ACTIVE"
    assert service.created == []


async def test_one_that_is_being_deleted_is_created_anew_once_it_is_gone() -> None:
    service = Service("DELETING", creation_looks=3)

    assert (await found(service)).status == "ACTIVE"
    assert len(service.created) == 1


async def test_one_that_is_being_deleted_is_missing_then_where_none_is_to_be_created() -> None:
    with pytest.raises(HaltError, match="does not exist: create it with the key pk \\(S\\), sk \\(N\\), or set "):
        await found(Service("DELETING"), creates=False)


async def test_a_creation_that_the_description_does_not_know_yet_is_no_second_one() -> None:
    service = Service(unknown_looks=3)

    assert (await found(service)).status == "ACTIVE"
    assert len(service.created) == 1


async def test_of_processes_that_start_together_one_creates_it_and_all_find_it() -> None:
    service = Service(creation_looks=5)

    described = await asyncio.gather(*[found(service) for _ in range(5)])
    assert {table.status for table in described} == {"ACTIVE"}
    assert len(service.created) == 1


async def test_one_that_does_not_come_is_told_after_a_while() -> None:
    with pytest.raises(HaltError, match=f"copies is CREATING still after {CREATION_SECONDS:.0f} s"):
        await found(Service("CREATING", creation_looks=10**6))


async def test_one_that_takes_no_writes_is_told_at_once() -> None:
    with pytest.raises(HaltError, match="copies is INACCESSIBLE_ENCRYPTION_CREDENTIALS, and takes no writes"):
        await found(Service("INACCESSIBLE_ENCRYPTION_CREDENTIALS"))


async def test_the_right_to_create_it_is_asked_for_by_name() -> None:
    service = Service()
    service.may_create = False

    with pytest.raises(RefusedError, match="allow dynamodb:CreateTable"):
        await found(service)
