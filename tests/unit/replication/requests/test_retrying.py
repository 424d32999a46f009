"""Requests that fail are made again, later and later; and whose fault a refusal is: the change's, only if the replica
was fit to take it before and after."""

from __future__ import annotations

import pytest

from service.errors import ChangeError, UnavailableError
from service.model import KeyAttribute
from service.replication.guard_window import GuardWindow
from tests.fakes.images import STRING_KEY
from tests.support.workbench import Bench, item

OTHER_KEY = (KeyAttribute("other", "S"),)


class Recreated:
    """A replica that refuses everything until it is created anew, which happens while its answer is on the way."""

    def __init__(self, bench: Bench, refusals: int) -> None:
        self._replica = bench.world.replica
        self._left = refusals
        self._replica.described_keys = OTHER_KEY
        self._replica.poison = self.refuse

    def refuse(self, write) -> ChangeError | None:
        if not self._left:
            return None
        self._left -= 1
        if not self._left:
            self._replica.described_keys = STRING_KEY
        return ChangeError("One of the required keys was not given a value")


async def test_a_refusal_by_a_table_that_was_created_anew_meanwhile_is_no_poison_e52():
    bench = Bench()
    path = await bench.open()
    Recreated(bench, refusals=2)  # the batch, and the one item of it
    await path.sink.apply([[bench.put("a", "1")]])
    assert bench.letters == []
    assert bench.held("a") == item("a", "1")


async def test_a_replica_that_was_fit_and_lost_its_key_for_a_while_makes_no_dead_letter_e52():
    bench = Bench()
    path = await bench.open()
    bench.world.replica.poison = lambda write: ChangeError("refused")
    await path.sink.apply([[bench.put("poison", "1")]])
    assert len(bench.letters) == 1  # it was looked at for that one, and found fit
    Recreated(bench, refusals=3)
    await path.sink.apply([[bench.put("a", "1")]])
    assert len(bench.letters) == 1
    assert bench.held("a") == item("a", "1")


async def test_a_refusal_by_a_fit_replica_is_the_changes_own():
    bench = Bench()
    path = await bench.open()
    tries = []
    bench.world.replica.poison = lambda write: tries.append(write) or ChangeError("refused")
    await path.sink.apply([[bench.put("a", "1")]])
    assert len(bench.letters) == 1
    tries.clear()
    await path.sink.apply([[bench.put("b", "1")]])
    assert len(bench.letters) == 2
    assert len(tries) == 2, "once as a batch, once alone: the replica is known to be fit"


@pytest.mark.parametrize("call", ["replica.write_batch", "replica.put", "replica.get", "source.get_many"])
async def test_a_request_that_fails_is_made_again_after_waits_that_grow(call):
    is_guarded = call != "replica.write_batch"
    bench = Bench(window=GuardWindow(guards_all=is_guarded))
    path = await bench.open()
    bench.world.plan.fail_next(call, UnavailableError("down", "503"), times=7)
    began = bench.world.clock.now()
    if call == "replica.get":
        await path.guard.refresh(bench.put("a", "1").key)
    else:
        await path.sink.apply([[bench.put("a", "1")]])
    assert bench.held("a") == item("a", "1")
    # 0.05 s, twice as long each time, 3 s at most, and of each wait between half and all
    assert 0.5 * 6.15 <= bench.world.clock.now() - began <= 6.2
