"""The clock is AWS's: the installed command on a machine whose clock is minutes or hours off."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from tests.servers import Server, create_streamed_table, sdk_client
from tests.support.installed.command import ran
from tests.support.installed.middlebox import Middlebox
from tests.support.installed.product import Product
from tests.support.installed.replica_history import until_equal
from tests.support.thoroughness import played


@pytest.mark.parametrize("seconds_ahead", played([120.0, -150.0, -26 * 3600.0, 5 * 3600.0], every=2))
async def test_a_machine_whose_clock_is_off_replicates_and_says_so(
    ministack: Server, unique_name: Callable[[str], str], seconds_ahead: float
) -> None:
    source, replica = unique_name("source"), unique_name("replica")
    async with (
        sdk_client(ministack.endpoint_url) as dynamodb,
        Middlebox(ministack, seconds_ahead=seconds_ahead) as box,
    ):
        await create_streamed_table(dynamodb, source)
        await create_streamed_table(dynamodb, replica, view_type=None)
        async with Product(box.server, (source, replica), start_at="latest") as product:
            await (await product.start()).until_running()
            for number in range(30):
                await dynamodb.put_item(TableName=source, Item={"key": {"S": str(number)}, "n": {"N": "1"}})
            status = await product.until(lambda status: status["totals"]["records_applied"] >= 30)
            status = await product.until_caught_up()
            assert abs(status["clock_offset_seconds"] - seconds_ahead) < 10  # a late answer tells it less exactly
            (warning,) = [told for told in status["warnings"] if "clock" in told]
            assert ("behind AWS's" if seconds_ahead > 0 else "ahead of AWS's") in warning
            assert "NTP" in warning
            await product.kill()

            await product.start()
            await dynamodb.put_item(TableName=source, Item={"key": {"S": "last"}, "n": {"N": "2"}})
            assert await until_equal(dynamodb, source, replica) == 31
            assert await product.stop() == 0
    assert "unexpected" not in product.errors.decode()


async def test_a_clock_that_agrees_is_not_spoken_of(moto: Server, unique_name: Callable[[str], str]) -> None:
    source, replica = unique_name("source"), unique_name("replica")
    async with sdk_client(moto.endpoint_url) as dynamodb:
        await create_streamed_table(dynamodb, source)
        await create_streamed_table(dynamodb, replica, view_type=None)
        async with Product(moto, (source, replica)) as product:
            await (await product.start()).until_running()
            status = await product.until_caught_up()
            assert status["clock_offset_seconds"] == 0
            assert not [told for told in status["warnings"] if "clock" in told]
            assert await product.stop() == 0


async def test_a_signature_that_stays_refused_is_told_in_one_line_with_both_clocks(
    moto: Server, unique_name: Callable[[str], str]
) -> None:
    async with Middlebox(moto, seconds_ahead=7200.0) as box:
        box.refuses_all = True
        ended = await ran(
            "run",
            source_table=unique_name("source"),
            replica_table=unique_name("replica"),
            source_endpoint_url=box.server.endpoint_url,
            replica_endpoint_url=box.server.endpoint_url,
        )
    assert ended.code == 1
    assert ended.err.count("\n") == 1
    assert "this machine's clock shows" in ended.err
    assert "AWS's" in ended.err
    assert "NTP" in ended.err
