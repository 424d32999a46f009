"""A pipeline whose state the test knows, for what the status tells of it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from service.errors import UnavailableError
from tests.fakes.clock import run_virtual
from tests.fakes.service import Service
from tests.fakes.world import World

LOST = UnavailableError("no connection", "EndpointConnectionError")
PORTS = ("streams", "source", "replica", "control")


def unready(service: Service) -> str | None:
    return service.report.not_ready_reason()


def put(world: World, count: int = 1) -> None:
    for number in range(count):
        world.source.put({"key": {"S": f"k{number}"}, "value": {"N": str(number)}})


def play(scenario: Callable[[World], Awaitable[None]]) -> None:
    async def run() -> None:
        await scenario(World())

    run_virtual(run)


async def outage(world: World, port: str, seconds: float) -> None:
    now = world.clock.now()
    world.plan.outage(port, now, now + seconds)


def refuse_all(world: World, seconds: float) -> None:
    now = world.clock.now()
    for port in PORTS:
        world.plan.outage(port, now, now + seconds, LOST)
