"""Keeps the number of dead letters known while a flow runs.

Those of a former version are counted once, slowly, beside the flow; until then their number is not known. Each is given
its identity in the same request that counts it: whoever begins again, after a crash or beside another process, counts
none twice.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import TypeVar

from service.errors import HaltError
from service.events import Observer, Warned
from service.pipeline_state import DeadLetter
from service.ports import Adapters, Clock, DeadLetterStore
from service.replication.dead_letters import MAX_TOGETHER, identity_of, identity_of_record
from service.replication.job_flow import JobFlow
from service.replication.letter_count import LetterCount

Answer = TypeVar("Answer")
PAUSE_SECONDS = 0.25
"""Between two pages of letters that have to be counted: some 100 a second, which takes 100,000 of them 20 minutes."""


class LetterAdoption:
    """`is_done` once all are counted."""

    def __init__(self, store: DeadLetterStore, clock: Clock, counted: LetterCount, observer: Observer) -> None:
        self._store = store
        self._clock = clock
        self._counted = counted
        self._observer = observer
        self._cursor: str | None = None
        self.is_done = False

    async def begin(self) -> None:
        """Look whether there is anything to do, and do the first page of it. May be repeated. Raises RetryableError."""
        if await self._store.count_dead_letters() is None:
            await self._step()
        else:
            self.is_done = True
        await self._counted.refresh()

    async def go_on(self, retrying: Callable[[Callable[[], Awaitable[bool]], str], Awaitable[bool]]) -> None:
        """Until all are counted."""
        while not self.is_done:
            if await retrying(self._step, "control"):
                await self._clock.sleep(PAUSE_SECONDS)
        await self._counted.refresh()

    async def _step(self) -> bool:
        """One page; whether there was anything to count in it."""
        try:
            letters, following = await self._store.list_dead_letters(MAX_TOGETHER, self._cursor)
            former = {letter.id: await self._identity(letter) for letter in letters if not letter.identity}
        except HaltError as error:
            self._observer.observe(Warned("dead letters", f"the dead letters can't be counted: {error}"))
            self.is_done = True
            return False
        if former:
            await self._store.adopt_dead_letters(former)
        if following is None:
            await self._store.finish_adopting()
            self.is_done = True
        self._cursor = following
        return bool(former)

    async def _identity(self, letter: DeadLetter) -> str:
        if letter.key is not None and not letter.comes_again:
            return identity_of(letter.key, letter.error)
        whole = await self._store.get_dead_letter(letter.id)
        return identity_of_record(whole.record if whole is not None else letter.id.encode())


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
