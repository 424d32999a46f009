"""Virtual time: an event loop whose clock jumps to the next timer instead of waiting for it.

    run_virtual(lambda: scenario(), seed=7)      # in a synchronous test, such as hypothesis's

Everything that asyncio times is virtual too: `asyncio.sleep`, `asyncio.timeout`, `loop.call_later`. Time moves only
while nothing is ready to run, so what takes no timer takes no time. A wait that nothing can end is an AssertionError
that names who waits.
"""

from __future__ import annotations

import asyncio
import heapq
import itertools
import random
import selectors
from collections.abc import Callable, Coroutine
from typing import Any, TypeVar

T = TypeVar("T")

EPOCH = 1_750_000_000.0
"""The wall clock's start: any moment, a whole second and no whole minute."""
_START = 1000.0  # a monotonic clock starts anywhere, but never at a value that is false
_SPINS = 200_000  # loop turns without any time passing; the longest honest test stays far below


class VirtualTimeLoop(asyncio.SelectorEventLoop):
    """A selector loop on virtual time. Threads are waited for in real time, while virtual time stands still."""

    def __init__(self) -> None:
        self._virtual_now = _START
        self._limit = float("inf")
        self._spins = 0
        self._threads = 0
        self.on_turn: Callable[[], None] = lambda: None
        """Called at each turn of the loop, between whatever runs: for what must hold at every moment."""
        super().__init__(_JumpingSelector(self))
        self._born = itertools.count()
        self.set_task_factory(self._ordered_task)

    def _ordered_task(self, _: asyncio.AbstractEventLoop, work: Any, **more: Any) -> asyncio.Task[Any]:
        return _OrderedTask(next(self._born), work, loop=self, **more)

    def time(self) -> float:
        return self._virtual_now

    @property
    def elapsed(self) -> float:
        """Virtual seconds since the loop was made."""
        return self._virtual_now - _START

    def limit_to(self, seconds: float) -> None:
        """From now on, fail instead of letting more than so many virtual seconds pass."""
        self._limit = self._virtual_now + seconds

    def run_in_executor(self, executor: Any, func: Any, *args: Any) -> Any:  # type: ignore[override]  # any types
        self._threads += 1
        future = super().run_in_executor(executor, func, *args)
        future.add_done_callback(self._thread_ended)
        return future

    def _thread_ended(self, _: Any) -> None:
        self._threads -= 1

    @property
    def waits_for_threads(self) -> bool:
        return self._threads > 0 or self._executor_shutdown_called  # type: ignore[attr-defined]  # asyncio's own

    def pass_time(self, seconds: float | None) -> None:
        """Called when nothing is ready; `None` means that no timer is set either."""
        if seconds is None:
            raise AssertionError(f"a hang: nothing is ready and no timer is set; waiting:\n{_who_waits(self)}")
        if seconds == 0:
            self._spins += 1
            if self._spins > _SPINS:
                self._spins = 0
                raise AssertionError(f"{_SPINS} turns without time passing: a busy loop?\n{_who_waits(self)}")
            return
        self._spins = 0
        if self._virtual_now + seconds > self._limit:
            self._limit = float("inf")
            raise AssertionError(f"still running after {self.elapsed:.0f} virtual seconds:\n{_who_waits(self)}")
        self._virtual_now += seconds


class _OrderedTask(asyncio.Task[Any]):
    """asyncio keeps tasks in sets, and goes through them when it cancels: by birth rather than by address in memory,
    or a seed would not bring the same interleaving again."""

    def __init__(self, number: int, work: Any, **more: Any) -> None:
        self._number = number
        super().__init__(work, **more)

    def __hash__(self) -> int:
        return self._number


class _JumpingSelector(selectors.DefaultSelector):
    """Asks the loop to move its time where others would wait."""

    def __init__(self, loop: VirtualTimeLoop) -> None:
        super().__init__()
        self._loop = loop

    def select(self, timeout: float | None = None) -> Any:
        self._loop.on_turn()
        if self._loop.waits_for_threads and timeout != 0:
            return super().select(None)
        ready = super().select(0)
        if not ready:
            self._loop.pass_time(timeout)
        return ready


def _who_waits(loop: VirtualTimeLoop) -> str:
    lines = []
    for task in sorted(asyncio.all_tasks(loop), key=lambda task: task.get_name()):
        frames = task.get_stack()
        where = f"{frames[-1].f_code.co_qualname} line {frames[-1].f_lineno}" if frames else "?"
        lines.append(f"  {task.get_name()}: {where}")
    return "\n".join(lines) or "  (no task)"


def run_virtual(
    scenario: Callable[[], Coroutine[Any, Any, T]], seed: int = 0, *, limit_seconds: float = 1_000_000
) -> T:
    """Run to the end on a fresh virtual loop, with the global random generator seeded for its while.

    Raises AssertionError for a hang, a busy loop, or more virtual seconds than the limit.
    """
    state = random.getstate()
    random.seed(seed)
    try:
        with asyncio.Runner(loop_factory=VirtualTimeLoop) as runner:
            loop = runner.get_loop()
            assert isinstance(loop, VirtualTimeLoop)
            loop.limit_to(limit_seconds)
            return runner.run(scenario())
    finally:
        random.setstate(state)


class FakeClock:
    """ports.Clock on the virtual loop that runs it. `skew` sets its wall clock apart from the others'."""

    def __init__(self, skew: float = 0.0) -> None:
        self._skew = skew
        self.known_offset: float | None = None
        self._last = _START

    def now(self) -> float:
        return EPOCH + self._skew + self.monotonic() - _START

    def offset(self) -> float | None:
        return self.known_offset

    def monotonic(self) -> float:
        """The running loop's time; outside of any loop, where it stood last."""
        try:
            loop = asyncio.get_running_loop()
        except RuntimeError:
            return self._last
        assert isinstance(loop, VirtualTimeLoop), "a FakeClock runs on a VirtualTimeLoop; elsewhere use a ManualClock"
        self._last = loop.time()
        return self._last

    async def sleep(self, seconds: float) -> None:
        await asyncio.sleep(seconds)

    async def advance(self, seconds: float) -> None:
        """Let so much time pass; whoever sleeps meanwhile wakes in order, and all that it starts runs on."""
        await asyncio.sleep(seconds)
        await settle()

    def shift_wall(self, seconds: float) -> None:
        """Set the wall clock forwards or back, as a time server does; `monotonic` does not notice."""
        self._skew += seconds


class ManualClock:
    """ports.Clock on any loop: time moves by `advance` alone."""

    def __init__(self) -> None:
        self._elapsed = 0.0
        self._sleepers: list[tuple[float, int, asyncio.Future[None]]] = []
        self._order = itertools.count()

    def now(self) -> float:
        return EPOCH + self._elapsed

    def offset(self) -> float | None:
        return None

    def monotonic(self) -> float:
        return _START + self._elapsed

    async def sleep(self, seconds: float) -> None:
        if seconds <= 0:
            await asyncio.sleep(0)
            return
        woken: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        heapq.heappush(self._sleepers, (self._elapsed + seconds, next(self._order), woken))
        await woken

    async def advance(self, seconds: float) -> None:
        """Wake, in order, all that sleep less than so long; each runs on before the next one wakes."""
        await settle()
        end = self._elapsed + seconds
        while self._sleepers and self._sleepers[0][0] <= end:
            at, _, woken = heapq.heappop(self._sleepers)
            self._elapsed = at
            if not woken.done():
                woken.set_result(None)
                await settle()
        self._elapsed = end

    @property
    def sleepers(self) -> int:
        """How many sleep now."""
        return sum(not woken.done() for _, _, woken in self._sleepers)


async def settle(turns: int = 50) -> None:
    """Let everything that is ready run on, without any time passing."""
    for _ in range(turns):
        await asyncio.sleep(0)


class Jitter:
    """Random waiting from a seed, so that every seed is another interleaving. Without a seed: one turn of the loop."""

    def __init__(self, seed: int | None = None, *, max_seconds: float = 0.05) -> None:
        self._random = None if seed is None else random.Random(seed)
        self._max_seconds = max_seconds

    async def pause(self) -> None:
        if self._random is None:
            await asyncio.sleep(0)
        elif self._random.random() < 0.5:
            for _ in range(self._random.randint(0, 3)):
                await asyncio.sleep(0)
        else:
            await asyncio.sleep(self._random.random() * self._max_seconds)
