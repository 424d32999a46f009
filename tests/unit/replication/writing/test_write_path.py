"""service.replication.writing.write_path: what the process allows a pipeline reaches its requests."""

from __future__ import annotations

from service.replication.allowance import Allowance
from service.replication.requests.turns import Turns, TurnShare
from tests.support.workbench import Bench


class CountedTurns(TurnShare):
    def __init__(self) -> None:
        super().__init__(Turns())
        self.count = 0

    async def wait(self) -> None:
        self.count += 1
        await super().wait()


async def test_a_pipeline_among_others_takes_its_turn_before_each_request():
    bench, turns = Bench(), CountedTurns()
    path = await bench.open(allowance=Allowance(queue_max_bytes=1_000_000, turns=turns))

    await path.gate.enter(1)

    assert turns.count == 1
