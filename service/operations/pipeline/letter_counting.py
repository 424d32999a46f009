"""Keeps the number of dead letters known while a flow runs, those of a former version counted."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from service.events import Observer
from service.ports import Adapters
from service.replication.job_flow import JobFlow
from service.replication.letter_adoption import LetterAdoption
from service.replication.letter_count import LetterCount


async def count_letters(
    flow: JobFlow,
    adapters: Adapters,
    counted: LetterCount,
    observer: Observer,
    retrying: Callable[[Callable[[], Awaitable[None]]], Awaitable[None]],
) -> None:
    """Before a flow runs: returns when the number is known, or is being counted beside the flow."""
    flow.dead_letters.counted = counted
    adoption = LetterAdoption(adapters.control, adapters.clock, counted, observer)
    await retrying(adoption.begin)
    if not adoption.is_done:
        flow.start_early(adoption.go_on(flow.requests.read), "dead letters of a former version")
    flow.start_early(counted.look_periodically(), "dead letters")
