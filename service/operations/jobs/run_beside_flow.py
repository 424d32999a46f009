"""Carries out an operator's request beside the flow: it ends when the flow does, and never waits for a dead one."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import TypeVar

from service.errors import DynamirrorError, HaltError, LeaseLostError, first_of
from service.operations.console import ConflictError
from service.replication.job_flow import JobFlow

Answer = TypeVar("Answer")


async def beside(flow: JobFlow, work: Callable[[], Awaitable[Answer]], name: str) -> Answer:
    """What the work returns or raises. Raises ConflictError when the flow ends before the work is done."""
    done: asyncio.Future[Answer] = asyncio.get_running_loop().create_future()

    async def carry() -> None:
        try:
            done.set_result(await work())
        except BaseExceptionGroup as errors:
            error = first_of(errors)
            if not isinstance(error, DynamirrorError):
                raise
            done.set_exception(error)
        except DynamirrorError as error:
            done.set_exception(error)
        finally:
            done.cancel()  # nothing, unless the flow ended first

    if not flow.start_job(carry(), name, is_awaited=True):
        raise ConflictError("the pipeline is stopping: ask again when it runs")
    await asyncio.wait([done])
    if done.cancelled():
        raise ConflictError("the pipeline stopped meanwhile: ask again when it runs")
    try:
        return done.result()
    except (LeaseLostError, HaltError) as error:
        raise ConflictError(f"the pipeline stopped meanwhile: {error}") from error
