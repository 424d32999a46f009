"""service.adapters.at_start: a start outlives lost answers, and tells what a person must do at once."""

from __future__ import annotations

import random

import pytest

from service.adapters import SIGNATURE_CAUSES, START_SECONDS, at_start
from service.errors import AmbiguousError, HaltError, RefusedError, UnavailableError
from tests.fakes.clock import FakeClock, run_virtual


async def no_answer() -> None:
    raise UnavailableError("DescribeTable on the source table orders failed: no answer")


@pytest.mark.parametrize("seed", range(20))
def test_a_step_of_many_requests_is_done_although_one_answer_in_ten_is_lost(seed: int) -> None:
    luck = random.Random(seed)

    async def step() -> str:
        for _ in range(20):
            if luck.random() < 0.1:
                raise AmbiguousError("the answer is lost")
        return "done"

    assert run_virtual(lambda: at_start(FakeClock(), step), seed) == "done"


@pytest.mark.parametrize("error", [RefusedError("the table is missing"), HaltError("the keys differ")])
def test_a_clear_refusal_is_told_at_once(error: Exception) -> None:
    async def scenario() -> float:
        async def step() -> None:
            raise error

        clock = FakeClock()
        began = clock.monotonic()
        with pytest.raises(HaltError, match=str(error)):
            await at_start(clock, step)
        return clock.monotonic() - began

    assert run_virtual(scenario) == 0


@pytest.mark.parametrize("code", sorted(SIGNATURE_CAUSES))
def test_a_signature_that_is_refused_for_its_time_is_tried_again_at_the_time_that_the_answer_told(code: str) -> None:
    tries = 0

    async def step() -> str:
        nonlocal tries
        tries += 1
        if tries == 1:
            raise RefusedError("the signature is not yet current", code)
        return "done"

    assert run_virtual(lambda: at_start(FakeClock(), step)) == "done"


def test_a_signature_that_stays_refused_is_told_soon_with_both_clocks() -> None:
    async def scenario() -> float:
        async def step() -> None:
            raise RefusedError("the signature has expired", "InvalidSignatureException")

        clock = FakeClock()
        clock.known_offset = 3600.0
        began = clock.monotonic()
        with pytest.raises(HaltError, match=r"clock shows 2025-06-15 14:06:40 UTC, AWS's 2025-06-15 15:06:40.*NTP"):
            await at_start(clock, step)
        return clock.monotonic() - began

    assert run_virtual(scenario) < 3


def test_a_start_that_nobody_answers_ends_in_time_and_says_what_it_asked() -> None:
    async def scenario() -> float:
        clock = FakeClock()
        began = clock.monotonic()
        with pytest.raises(HaltError, match="the source table orders"):
            await at_start(clock, no_answer)
        return clock.monotonic() - began

    assert START_SECONDS - 1 <= run_virtual(scenario) <= START_SECONDS
