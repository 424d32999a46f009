"""The control table is read consistently: an older lease, pause or checkpoint would be believed."""

from __future__ import annotations

import json

from service.aws.control.table import ControlTable
from tests.support.scripted_http import ScriptedHttp, wire_on


async def test_one_item_is_read_consistently():
    http = ScriptedHttp(b"{}")

    await ControlTable(wire_on(http), "control", "p").get("lease")

    assert json.loads(http.requests[0][0])["ConsistentRead"] is True


async def test_every_page_of_items_is_read_consistently():
    first = {"Items": [{}], "Count": 1, "LastEvaluatedKey": {"pipeline": {"S": "p"}, "item": {"S": "job#1"}}}
    http = ScriptedHttp(json.dumps(first).encode(), b'{"Items": [], "Count": 0}')

    assert [found async for found in ControlTable(wire_on(http), "control", "p").query("job#")] == [{}]

    assert [json.loads(body)["ConsistentRead"] for body, _, _ in http.requests] == [True, True]
