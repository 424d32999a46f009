"""Runs one piece of work in an event loop, until it is done or a signal asks for its end.

A stop is over in time, whatever hangs: the work gets its time to end in order, then it is cancelled, and at last the
process ends without it, which is no more than a `kill -9` would do. A second signal ends the process at once.
"""

from __future__ import annotations

import asyncio
import os
import queue
import signal
import threading
from collections.abc import Callable, Coroutine, Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Any, TypeVar

from service.errors import HaltError
from service.observability.log_setup import logger

Answer = TypeVar("Answer")
STOPPING = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)

LEAST_SECONDS = 0.5
"""What a stop gets even where no time is set for it: a save and a release take some requests."""
# Both within the 2 s that the contract allows beyond the time that is set.
CANCEL_AFTER_SECONDS = 0.4
END_AFTER_SECONDS = 1.1
LAST_WORDS_SECONDS = 0.2


class Signals:
    """What SIGTERM and SIGINT do to this process while work runs. Used once, from the main thread.

    So does a terminal that is closed (SIGHUP), unless it is ignored by then: under nohup, or to reload a file.
    """

    def __init__(
        self, patience_seconds: float, *, code_if_cut: int = 1, end: Callable[[int], object] = os._exit
    ) -> None:
        """`patience_seconds`: what a stop has to end in order. `end` ends the process at once, with an exit code."""
        self._patience_seconds = max(patience_seconds, LEAST_SECONDS)
        self._code_if_cut = code_if_cut
        self._end = end
        self._stop: Callable[[], object] = lambda: None
        self._is_asked = False
        self._orders: queue.SimpleQueue[bool] = queue.SimpleQueue()  # its `put` may be interrupted by itself

    @contextmanager
    def answered_with(self, stop: Callable[[], object]) -> Iterator[None]:
        """Until the block ends, the first signal calls `stop`, in the event loop."""
        before, self._stop = self._stop, stop
        try:
            yield
        finally:
            self._stop = before

    @contextmanager
    def reload_with(self, reload: Callable[[], object]) -> Iterator[None]:
        """Until the block ends, each SIGHUP calls `reload`, in the event loop."""
        loop = asyncio.get_running_loop()
        before = signal.getsignal(signal.SIGHUP)
        loop.add_signal_handler(signal.SIGHUP, reload)
        try:
            yield
        finally:
            loop.remove_signal_handler(signal.SIGHUP)
            signal.signal(signal.SIGHUP, before)

    @contextmanager
    def caught(self, task: asyncio.Task[Any]) -> Iterator[None]:
        """Until the block ends. `task` is what `asyncio.run` waits for."""
        loop = asyncio.get_running_loop()

        def cut() -> None:
            if not task.done():
                self._say_last_words()
                task.cancel()

        def stop_in_time() -> None:
            self._stop()
            loop.call_later(self._patience_seconds + CANCEL_AFTER_SECONDS, cut)

        before = {number: signal.getsignal(number) for number in STOPPING}
        if before[signal.SIGHUP] is signal.SIG_IGN:
            del before[signal.SIGHUP]
        for number in before:
            loop.add_signal_handler(number, stop_in_time)  # it wakes the loop, whichever thread gets the signal
            signal.signal(number, self._note)  # and this one runs even while something blocks the loop
        try:
            yield
        finally:
            for number, handler in before.items():
                loop.remove_signal_handler(number)
                signal.signal(number, handler)

    def _note(self, number: int, frame: FrameType | None) -> None:
        if self._is_asked and number != signal.SIGHUP:  # a closed terminal sends it, and its shell once more
            self._end(self._code_if_cut)
        self._is_asked = True
        self._orders.put(True)

    @contextmanager
    def backstop(self) -> Iterator[None]:
        """Until the block ends, a stop that takes too long is ended from a thread of its own."""
        threading.Thread(target=self._watch, name="stop", daemon=True).start()
        try:
            yield
        finally:
            self._orders.put(False)

    def _watch(self) -> None:
        if not self._orders.get():
            return  # no signal came
        try:
            self._orders.get(timeout=self._patience_seconds + END_AFTER_SECONDS)
        except queue.Empty:
            saying = threading.Thread(target=self._say_last_words, daemon=True)  # who reads the log may hang, too
            saying.start()
            saying.join(LAST_WORDS_SECONDS)
            self._end(self._code_if_cut)

    def _say_last_words(self) -> None:
        logger().warning(
            "the stop did not end in time, and was cut short",
            seconds=self._patience_seconds,
            text="nothing is lost: what was not saved is done again at the next start",
        )


def run_until_signal(work: Coroutine[Any, Any, Answer], if_stopped: str, signals: Signals) -> Answer:
    """Its result. SIGTERM and SIGINT cancel it, which it answers in order; then HaltError says `if_stopped`.

    Work that takes the signals over for itself (`Signals.answered_with`), as `app.serve` does, is left to it.
    """
    with signals.backstop():
        return asyncio.run(_until_signal(work, if_stopped, signals))


async def _until_signal(work: Coroutine[Any, Any, Answer], if_stopped: str, signals: Signals) -> Answer:
    task = asyncio.ensure_future(work)
    with signals.answered_with(task.cancel), signals.caught(task):
        try:
            return await task
        except asyncio.CancelledError:
            raise StoppedError(f"stopped: {if_stopped}") from None


class StoppedError(HaltError):
    """A signal ended the work before it was done."""
