"""Runs one piece of work in an event loop, until it is done or a signal asks for its end."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Coroutine
from typing import Any, TypeVar

from service.errors import HaltError

Answer = TypeVar("Answer")
STOPPING = (signal.SIGTERM, signal.SIGINT)


def run_until_signal(work: Coroutine[Any, Any, Answer], if_stopped: str) -> Answer:
    """Its result. SIGTERM and SIGINT cancel it, which it answers in order; then HaltError says `if_stopped`.

    Work that takes the signals over for itself, as `app.serve` does, is left to it.
    """
    return asyncio.run(_until_signal(work, if_stopped))


async def _until_signal(work: Coroutine[Any, Any, Answer], if_stopped: str) -> Answer:
    loop = asyncio.get_running_loop()
    task = asyncio.ensure_future(work)
    for number in STOPPING:
        loop.add_signal_handler(number, task.cancel)
    try:
        return await task
    except asyncio.CancelledError:
        raise StoppedError(f"stopped: {if_stopped}") from None
    finally:
        for number in STOPPING:
            loop.remove_signal_handler(number)


class StoppedError(HaltError):
    """A signal ended the work before it was done."""
