"""Items whose sequence numbers another stream gave: they say nothing about the changes of this one."""

from __future__ import annotations

import pytest

from tests.chaos.test_unfit_replica import ANight
from tests.support.chaos.verdict import check_witness

HIGH = "9" + "0" * 39
"""Higher than any that the emulator gives; 40 digits, as the sequence attribute has."""


@pytest.mark.parametrize("write_mode", ["auto", "strict"])
@pytest.mark.parametrize("start_at", ["trim_horizon", "snapshot"])
async def test_numbers_of_another_stream_make_no_change_stale(a_night: ANight, write_mode: str, start_at: str) -> None:
    """I2: the replica was written from a stream before this one, whose numbers were higher."""
    async with a_night(write_mode=write_mode, start_at=start_at) as night:
        for number in range(30):
            item = {"key": {"S": f"k{number}"}, "n": {"N": "0"}}
            await night.put(**item)
            metadata = {"dynamirror_sequence": {"S": HIGH}, "timestamp": {"S": "2026-01-01T00:00:00Z"}}
            await night.dynamodb.put_item(TableName=night.replica, Item=item | metadata)
        await night.until_seen()
        for number in range(30):
            night.proxy.witness.took_effect(
                f'{{"key":{{"S":"k{number}"}}}}', {"key": {"S": f"k{number}"}, "n": {"N": "0"}}
            )
        for number in range(0, 10):
            await night.put(key={"S": f"k{number}"}, n={"N": "1"})
        await night.delete(key={"S": "k11"})
        await (await night.product.start()).until_running()
        for number in range(10, 20):
            await night.put(key={"S": f"k{number}"}, n={"N": "2"})
        await night.delete(key={"S": "k12"})
        await night.until_applied()
        await night.until_settled()
        await night.check_equal()
        check_witness(night.proxy.witness)
        assert await night.product.stop() == 0
