"""service.aws.calls: what an answer lacks is never taken for "none"."""

import json

import pytest

from service.aws.calls import ask_sdk
from service.aws.control.schema import DynamoSchemaStore
from service.aws.control.table import ControlTable
from service.aws.error_codes import Call
from service.aws.tables import describe_table
from service.errors import AmbiguousError, RefusedError, UnavailableError
from tests.fakes.clock import ManualClock
from tests.support.scripted_http import ScriptedHttp, wire_on


class AnsweringClient:
    """Answers every call alike."""

    def __init__(self, answer: object) -> None:
        self._answer = answer

    def __getattr__(self, name: str):
        async def answered(**_: object) -> object:
            if isinstance(self._answer, Exception):
                raise self._answer
            return self._answer

        return answered


TABLE = {
    "TableName": "orders",
    "TableArn": "arn:aws:dynamodb:us-west-2:123456789012:table/orders",
    "AttributeDefinitions": [{"AttributeName": "k", "AttributeType": "S"}],
    "KeySchema": [{"AttributeName": "k", "KeyType": "HASH"}],
    "StreamSpecification": {"StreamEnabled": True, "StreamViewType": "NEW_IMAGE"},
    "LatestStreamArn": "arn:aws:dynamodb:us-west-2:123456789012:table/orders/stream/1",
    "ItemCount": 3,
    "TableStatus": "ACTIVE",
}


def described_as(answer: object):
    return wire_on(ScriptedHttp(json.dumps(answer).encode()))


async def test_a_table_is_described_by_what_it_must_have():
    assert (await describe_table(described_as({"Table": TABLE}), "orders", "source")).item_count == 3

    plain = {name: value for name, value in TABLE.items() if name not in ("StreamSpecification", "LatestStreamArn")}
    assert (await describe_table(described_as({"Table": plain}), "orders", "source")).stream_arn is None


@pytest.mark.parametrize("lacking", [name for name in TABLE if name not in ("StreamSpecification", "TableStatus")])
async def test_a_description_of_a_table_that_lacks_something_is_none(lacking):
    kept = {name: value for name, value in TABLE.items() if name != lacking}

    with pytest.raises(UnavailableError):
        await describe_table(described_as({"Table": kept}), "orders", "source")
    with pytest.raises(UnavailableError):
        await describe_table(described_as({}), "orders", "source")


@pytest.mark.parametrize("answer", [{}, {"Count": 0}, {"Items": []}, {"Items": [], "Count": 2}])
async def test_a_page_of_the_control_table_without_its_items_is_no_empty_page(answer):
    table = ControlTable(wire_on(ScriptedHttp(json.dumps(answer).encode())), "control", "p")

    with pytest.raises(UnavailableError):
        [found async for found in table.query("job#")]


async def test_a_changed_item_that_is_not_there_is_not_guessed():
    table = ControlTable(wire_on(ScriptedHttp(b"{}")), "control", "p")

    with pytest.raises(AmbiguousError):
        await table.update("lease", "SET #owner = :mine", {":mine": {"S": "me"}})


async def test_a_control_table_that_is_not_described_is_not_taken_for_missing():
    with pytest.raises(UnavailableError):
        await DynamoSchemaStore(described_as({}), "control", ManualClock()).keys()


@pytest.mark.parametrize("error", [KeyError("Credentials"), TypeError("x"), AttributeError("x"), ValueError("x")])
async def test_what_the_sdk_trips_over_is_a_lost_answer(error):
    with pytest.raises(AmbiguousError, match="can't be read"):
        await ask_sdk(AnsweringClient(error), "put_item", Call("PutItem", "the control table"), dict)
    with pytest.raises(UnavailableError, match="can't be read"):
        await ask_sdk(AnsweringClient(error), "query", Call("Query", "the control table"), dict)


async def test_credentials_that_stay_expired_refuse_a_call_of_the_sdk():
    error = RuntimeError("Credentials were refreshed, but the refreshed credentials are still expired.")

    with pytest.raises(RefusedError, match="still expired"):
        await ask_sdk(AnsweringClient(error), "put_item", Call("PutItem", "the control table"), dict)


@pytest.mark.parametrize("made", [1793527200.0, 1793527200, "2026-11-01T10:00:00Z", "2026-11-01T19:00:00+09:00"])
async def test_a_creation_time_that_stands_in_for_an_id_is_the_same_however_it_is_told(made):
    described = await describe_table(described_as({"Table": TABLE | {"CreationDateTime": made}}), "orders", "source")
    assert described.table_id == "created 2026-11-01T10:00:00+00:00"
