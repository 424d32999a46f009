"""One request to a table, made again until it is answered: the only retry loop around the replica and the source.

Throttling and unavailability are waited out without end; a cause that concerns one change only is given a few tries.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import TypeVar

from service.errors import (
    AmbiguousError,
    BatchRefusedError,
    ChangeError,
    ItemTooLargeError,
    RefusedError,
    RetryableError,
    ThrottledError,
    TransientChangeError,
)
from service.events import Observer, Retried
from service.model import ItemKey, KeyAttribute, TableDescription
from service.ports import Clock, Table
from service.replication.doubts import Doubts
from service.replication.requests.backoff import Backoff
from service.replication.requests.replica_watch import ReplicaWatch
from service.replication.requests.write_gate import WriteLimiter

Answer = TypeVar("Answer")
FITNESS_COUNTS_FOR_SECONDS = 10.0
FAILURE_COUNTS_FOR_SECONDS = 30.0
TABLES = ("source", "replica")
TELL_READ_AFTER_SECONDS = 30.0
"""A read that nobody answers for so long is told as one that is refused: what keeps it may not pass by itself."""


class ReplicaFitness:
    """Whether the replica can take any item of the source: a table that can't makes no change a dead letter (E52)."""

    def __init__(
        self,
        replica: Table,
        keys: tuple[KeyAttribute, ...],
        clock: Clock,
        note: Callable[[TableDescription], None] = lambda found: None,
    ) -> None:
        """`note` is told of what was found."""
        self._replica = replica
        self._note = note
        self._keys = keys
        self._clock = clock
        self._fit_at = float("-inf")

    @property
    def is_known(self) -> bool:
        """It was found fit not long ago, and nobody has found otherwise since."""
        return self._clock.monotonic() - self._fit_at < FITNESS_COUNTS_FOR_SECONDS

    async def look(self) -> str | None:
        """None if it can now; otherwise why not. Raises RetryableError."""
        self._fit_at = float("-inf")
        asked_at = self._clock.monotonic()
        found = await self._replica.describe()
        self._note(found)
        if found.keys == self._keys:
            self._fit_at = asked_at
            return None
        expected = ", ".join(f"{key.name} ({key.type})" for key in self._keys)
        return f"{found.name} has the key {found.key_text}, the source has {expected}: create it anew with that key"


class Requests:
    """Shared by all lanes. `refusal` says why the replica or the source takes nothing at all, while that is so."""

    def __init__(
        self,
        *,
        clock: Clock,
        gate: WriteLimiter,
        observer: Observer,
        max_attempts: int,
        fitness: ReplicaFitness,
        doubts: Doubts,
        watch: ReplicaWatch | None = None,
    ) -> None:
        """`watch` tells whether the replica is still the table that was written; None: nobody asks."""
        self._clock = clock
        self._watch = watch
        self._gate = gate
        self._observer = observer
        self._fitness = fitness
        self._doubts = doubts
        self.max_attempts = max_attempts
        self.refusal: str | None = None
        self.refused_reads: dict[str, str] = {}
        """Why a table can't be read (`source`, `replica`, …), while that is so: a job that waits for it says so."""
        self._reads_failing: dict[str, float] = {}
        self._failing_since: float | None = None
        self._failed_at = float("-inf")
        self.failure: str | None = None
        """What the last request to the replica was told, if it failed."""

    @property
    def failing_since(self) -> float | None:
        """Wall clock: since when no request to the replica has succeeded although some were made; None if it is over.

        A request is made again within seconds: where none was, nobody tries any more, as in a pause.
        """
        is_tried = self._clock.now() - self._failed_at < FAILURE_COUNTS_FOR_SECONDS
        return self._failing_since if is_tried else None

    @property
    def reads_failing_since(self) -> float | None:
        """Wall clock: since when one of the tables can't be read, throttling aside; None if both can."""
        return min((since for target, since in self._reads_failing.items() if target in TABLES), default=None)

    def backoff(self) -> Backoff:
        return Backoff(self._clock)

    async def write(
        self, call: Callable[[], Awaitable[Answer]], key: ItemKey | None = None, *, is_birth: bool = False
    ) -> Answer:
        """One request to the replica, conditional or idempotent, so that it may be made again after a lost answer.

        `key` is in doubt after a lost answer; None where a late effect can do no harm. `is_birth`: the request has the
        condition that there is no such item. Raises ChangeError when the change itself is refused.
        """
        keys = () if key is None else (key,)
        backoff: Backoff | None = None
        refusals = 0
        while True:
            was_fit = self._fitness.is_known
            try:
                return await self._attempt(call, 1, keys, is_birth=is_birth)
            except TransientChangeError as error:
                refusals += 1
                if refusals >= self.max_attempts:
                    raise
                told = Retried("replica", "TransientChangeError", is_throttle=False, error=str(error))
                self._observer.observe(told)
            except ItemTooLargeError:
                raise
            except ChangeError:
                # The change is at fault only if the replica was fit before it was refused and is so after: a table
                # that was created anew meanwhile has not been asked yet.
                unfit = await self.read(self._fitness.look, "replica")
                if unfit is not None:
                    self._failed(RefusedError(unfit, "KeySchemaDiffers"))
                elif was_fit:
                    raise
                else:
                    continue
            except RetryableError:
                pass  # noted by _attempt
            backoff = backoff or self.backoff()
            await backoff.wait()

    async def write_batch(
        self,
        keys: Sequence[ItemKey],
        batch: Callable[[Sequence[ItemKey]], Awaitable[list[ItemKey]]],
        written: Callable[[Sequence[ItemKey]], None],
    ) -> None:
        """Write these in one request, and again what is left of them, until all are; `written` is told as they are.

        `batch` returns the keys that were left unprocessed (E38). Raises BatchRefusedError when one of those that are
        left is refused, and AmbiguousError when an answer was lost: what `written` was not told of then is unwritten,
        or in doubt.
        """
        backoff = self.backoff()
        refusals = 0
        left = list(keys)
        while left:
            try:
                unprocessed = set(await self._attempt(lambda: batch(left), len(left), left))  # noqa: B023 awaited here
            except AmbiguousError:
                raise
            except RetryableError:
                await backoff.wait()
                continue
            except TransientChangeError as error:
                refusals += 1
                if refusals >= self.max_attempts:
                    raise BatchRefusedError(str(error)) from error  # one of them, which the others need not wait for
                await backoff.wait()
                continue
            written([key for key in left if key not in unprocessed])
            left = [key for key in left if key in unprocessed]
            if left:
                self._left_unprocessed(len(left))
                await backoff.wait()

    async def _attempt(
        self,
        call: Callable[[], Awaitable[Answer]],
        items: int,
        keys: Sequence[ItemKey],
        *,
        is_birth: bool = False,
    ) -> Answer:
        """Once, through the gate, noting what came of it, and which keys are in doubt after it."""
        await self._gate.enter(items)
        try:
            if self._watch is not None and self._watch.is_unsure:
                await self._watch.make_sure()
            answer = await call()
        except RetryableError as error:
            if isinstance(error, AmbiguousError):
                self._doubts.note(keys, is_birth=is_birth)
            self._failed(error)
            raise
        except asyncio.CancelledError:
            self._doubts.note(keys, is_birth=is_birth)
            raise
        finally:
            self._gate.leave()
        self._gate.succeeded(items)
        self.refusal = None
        self._failing_since = self.failure = None
        return answer

    def _failed(self, error: RetryableError) -> None:
        is_throttle = isinstance(error, ThrottledError)
        if self._watch is not None:
            self._watch.heard(error)
        if is_throttle:
            self._gate.throttled()
        if isinstance(error, RefusedError):
            self.refusal = str(error)
        if not is_throttle:
            self._failing_since = self.failing_since or self._clock.now()
            self._failed_at, self.failure = self._clock.now(), str(error)
        self._observer.observe(Retried.after("replica", error))

    def _left_unprocessed(self, items: int) -> None:
        """The replica did not take so many items of a batch: it asks for less."""
        self._gate.throttled(items)
        told = f"BatchWriteItem on the replica left {items} items unprocessed"
        self._observer.observe(Retried("replica", "UnprocessedItems", is_throttle=True, error=told))

    async def read(self, call: Callable[[], Awaitable[Answer]], target: str = "source") -> Answer:
        """One read of the source or the replica, made again until it is answered."""
        backoff = self.backoff()
        began = self._clock.monotonic()
        while True:
            try:
                if target == "replica" and self._watch is not None:
                    await self._watch.make_sure()
                answer = await call()
            except RetryableError as error:
                if target == "replica" and self._watch is not None:
                    self._watch.heard(error)
                is_throttle = isinstance(error, ThrottledError)
                is_long = self._clock.monotonic() - began > TELL_READ_AFTER_SECONDS
                if isinstance(error, RefusedError) or (is_long and not is_throttle):
                    self.refused_reads[target] = str(error)
                if not is_throttle:
                    self._reads_failing.setdefault(target, self._clock.now())
                self._observer.observe(Retried.after(target, error))
            else:
                self.refused_reads.pop(target, None)
                self._reads_failing.pop(target, None)
                return answer
            await backoff.wait()
