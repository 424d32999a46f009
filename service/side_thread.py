"""One thread beside the event loop, for a user's code that may take its time.

Calls run one after the other, so that the code meets no race with itself. The thread is a daemon: a call that never
returns holds up no end of the process. It ends by itself when nothing was asked for a while.
"""

from __future__ import annotations

import asyncio
import contextlib
import queue
import threading
from collections.abc import Callable
from typing import Any, TypeVar

Answer = TypeVar("Answer")
IDLE_SECONDS = 5.0


class SideThread:
    """`run` is called from event loops only."""

    def __init__(self) -> None:
        self._calls: queue.SimpleQueue[tuple[Callable[[], Any], asyncio.Future[Any]]] = queue.SimpleQueue()
        self._lock = threading.Lock()
        self._is_alive = False

    async def run(self, call: Callable[[], Answer]) -> Answer:
        """Its result. Cancelled, a call that has not begun is not made; one that has begun goes on unheard."""
        future: asyncio.Future[Answer] = asyncio.get_running_loop().create_future()
        with self._lock:
            self._calls.put((call, future))
            if not self._is_alive:
                self._is_alive = True
                threading.Thread(target=self._work, name="transform", daemon=True).start()
        return await future

    def _work(self) -> None:
        while True:
            try:
                call, future = self._calls.get(timeout=IDLE_SECONDS)
            except queue.Empty:
                with self._lock:
                    if self._calls.empty():
                        self._is_alive = False
                        return
                continue
            if not future.cancelled():
                _answer(call, future)


def _answer(call: Callable[[], Any], future: asyncio.Future[Any]) -> None:
    answer, error = None, None
    try:
        answer = call()
    except BaseException as raised:  # told to who asked
        error = raised
    with contextlib.suppress(RuntimeError):  # the loop has ended meanwhile: nobody waits any more
        future.get_loop().call_soon_threadsafe(_tell, future, answer, error)


def _tell(future: asyncio.Future[Any], answer: Any, error: BaseException | None) -> None:
    if future.done():
        return
    if error is None:
        future.set_result(answer)
    else:
        future.set_exception(error)
