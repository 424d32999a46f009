"""Lambda's entry point: an event of a DynamoDB Streams event source mapping, applied to the replica.

What is kept between invocations lives here: one event loop, the connections, the engine. The function's handler is
`service.lambda_handler.handler`; the mapping needs `ReportBatchItemFailures`, or what is answered counts for nothing.
"""

from __future__ import annotations

import asyncio
from contextlib import AsyncExitStack
from typing import Any, Protocol

from service.adapters import SystemClock, at_start, new_owner, open_world
from service.configuration.settings import load_settings
from service.defects import told
from service.errors import DynamirrorError, HaltError
from service.events import Observers
from service.lambda_mode.dead_letter_metric import DeadLetterMetric
from service.lambda_mode.engine import Engine
from service.lambda_mode.events import understood
from service.observability.log_observer import LogObserver
from service.observability.log_records import record_log
from service.observability.log_setup import configure_log

ANSWER_SECONDS = 0.5
"""Kept of the invocation's time for the answer, or a twentieth of a shorter time."""


class Context(Protocol):
    """What Lambda's runtime tells of an invocation."""

    def get_remaining_time_in_millis(self) -> int: ...


class Function:
    """The function's process: one event loop and one engine for all of its invocations, which come one by one."""

    def __init__(self) -> None:
        self._loop = asyncio.new_event_loop()
        self._stack = AsyncExitStack()
        self._engine: Engine | None = None
        self._clock: SystemClock | None = None

    def invoke(self, event: object, seconds: float) -> dict[str, Any]:
        """The answer to Lambda, within so many seconds. Raises DynamirrorError."""
        return self._loop.run_until_complete(self._answer(event, self._loop.time() + seconds))

    async def _answer(self, event: object, deadline: float) -> dict[str, Any]:
        invocation = understood(event)
        if not invocation.records:
            return {"batchItemFailures": []}
        if self._clock is not None:
            self._clock.forget()  # between two invocations the process is frozen, its steady clock with it
        engine = self._engine or await self._start(deadline)
        lowest = await engine.apply(invocation.records, deadline - self._loop.time())
        if lowest is not None and not invocation.comes_again:
            raise HaltError(
                f"not all of this failed batch was settled, from {lowest} on: invoke it again; the log says why"
            )
        return {"batchItemFailures": [] if lowest is None else [{"itemIdentifier": str(lowest)}]}

    async def _start(self, deadline: float) -> Engine:
        """The first invocation pays for the connections, the checks of both tables and the migrations.

        One that fails leaves nothing open: the next one starts anew, and finds what was mended meanwhile.
        """
        try:
            async with asyncio.timeout_at(deadline), AsyncExitStack() as stack:
                engine = await self._opened(stack)
                self._stack = stack.pop_all()
        except TimeoutError as error:
            raise HaltError(
                "the tables did not answer before the function's time was over: look at the network (a VPC needs an "
                "endpoint for DynamoDB), or raise the function's time-out; a table that is being created needs some "
                "seconds, and the next invocation finds it"
            ) from error
        self._engine = engine
        return engine

    async def _opened(self, stack: AsyncExitStack) -> Engine:
        settings = load_settings()
        configure_log(settings)
        world = await stack.enter_async_context(open_world(settings))
        self._clock = clock = world.clock
        outside = await at_start(clock, world.look)
        await at_start(clock, lambda: world.migrate(new_owner()))
        observers = Observers(
            LogObserver(pipeline=settings.pipeline_name), DeadLetterMetric(settings.pipeline_name, clock.now)
        )
        return Engine(settings, outside, observers, record_log(settings))

    def close(self) -> None:
        """End the connections; for tests, since Lambda just freezes or ends the process."""
        self._loop.run_until_complete(self._stack.aclose())
        self._loop.close()


_function: Function | None = None


def handler(event: object, context: Context) -> dict[str, Any]:
    """Answers `{"batchItemFailures": [{"itemIdentifier": "SEQUENCE"}]}`, empty when all is settled.

    Raises when nothing can be applied at all (settings, tables, a foreign event): Lambda then sends the batch again,
    by the mapping's rules, and the error's text is in the log.
    """
    global _function  # noqa: PLW0603  Lambda keeps a process, and so its module, between invocations
    if _function is None:
        _function = Function()
    left = context.get_remaining_time_in_millis() / 1000
    try:
        return _function.invoke(event, left - min(ANSWER_SECONDS, left / 20))
    except DynamirrorError as error:
        raise RuntimeError(str(error)) from None
    except Exception as error:  # Lambda's runtime would log its text, which may hold an item's values
        raise RuntimeError(f"an unexpected error, which is a defect: {told(error)}") from None


def forget() -> None:
    """Let the next invocation be a first one; for tests."""
    global _function  # noqa: PLW0603  see handler
    if _function is not None:
        _function.close()
    _function = None
