"""Pipelines that want one replica."""

from __future__ import annotations

from typing import Any

from tests.fakes.service import Service
from tests.fakes.world import World
from tests.support.damaged_tables import filled


def service_of(world: World, pipeline: str, **more: Any) -> Service:
    """A process of the pipeline of that name; the world has one source and one replica."""
    return Service(world, world.process(pipeline), pipeline=pipeline, **more)


async def world_of(pipeline: str) -> World:
    """Its pipeline has replicated, and stopped."""
    world = World()
    async with service_of(world, pipeline) as service:
        await filled(service)
    return world
