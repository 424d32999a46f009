"""What takes history away, or what was written: only a pipeline that heals gaps by itself gets over it."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

from tests.support.chaos.event_stage import HOUR, PATIENCE_SECONDS, EventStage
from tests.support.chaos.faults import Role
from tests.support.chaos.lineage import VirtualShard

LONG_STOP_SECONDS = 25 * HOUR
"""Records are kept for 24 hours."""
LOSSES = (
    "long stop",
    "long stop, position without a number",
    "gap in the midst of a snapshot",
    "stream created anew, lower numbers",
    "replica created anew",
)


class Losses:
    """Of one history."""

    def __init__(self, stage: EventStage, *, vanish: float) -> None:
        """`vanish` is the chance that a closed shard leaves the list with its last record.

        A shard counts as gone after a minute of lists without it, which a short history does not wait for.
        """
        self._stage = stage
        self._night, self._process, self._workload, self._dice = stage.night, stage.process, stage.workload, stage.dice
        self._vanish = vanish
        happen = (
            self._long_stop,
            self._long_stop_without_number,
            self._gap_in_snapshot,
            self._stream_anew,
            self._replica_anew,
        )
        self.all: dict[str, Callable[[], Awaitable[object]]] = dict(zip(LOSSES, happen, strict=True))

    async def _long_stop(self) -> None:
        await self._stage.end()
        await self._lose_history()
        await self._process.start()

    async def _lose_history(self) -> None:
        """It has ended, for longer than the stream keeps anything; what came meanwhile, or its first part, is gone."""
        stream = self._night.stream
        enough = stream.dealt + self._dice.randint(5, 60)
        await self._stage.until(lambda: stream.dealt >= enough)
        for shard in list(stream.lineage.shards.values()):
            self._trim(shard)
        self._night.proxy.plan.note(Role.STREAM, "trimmed")
        self._stage.move_clock(LONG_STOP_SECONDS)

    def _trim(self, shard: VirtualShard) -> None:
        """All of it, or what came before some record of an open one."""
        is_part = shard.is_open and len(shard.records) > 1 and self._dice.random() < 0.5
        through = self._dice.choice(shard.records[:-1]).number if is_part else None
        is_kept = self._dice.random() >= self._vanish
        self._night.stream.lineage.trim(shard.shard_id, through, is_kept=is_kept)

    async def _long_stop_without_number(self) -> str | None:
        """It waits at shards that never brought it a record."""
        lineage = self._night.stream.lineage
        async with self._workload.held():
            for shard in lineage.open_shards:
                lineage.roll(shard.shard_id)
            fresh = {shard.shard_id for shard in lineage.open_shards}
            is_met = await self._stage.until_status(
                lambda status: (
                    fresh <= {one["shard_id"] for one in status["shards"] if one["state"] == "reading"}
                    and not any(one["checkpoint"] for one in status["shards"] if one["shard_id"] in fresh)
                )
            )
            await asyncio.sleep(self._dice.uniform(0.3, 0.8))  # with a save in it, or not
            await self._stage.end()
        await self._lose_history()
        await self._process.start()
        return None if is_met else "long stop"

    async def _gap_in_snapshot(self) -> str | None:
        """Some segments are copied when the process ends; what follows is lost before they all are."""
        scans = 0

        async def hold(role: Role, operation: str, payload: dict[str, Any]) -> None:
            nonlocal scans
            if role is Role.SOURCE and operation == "Scan":
                scans += 1
                if scans > 1:
                    await asyncio.sleep(60)

        self._night.proxy.before_read = hold
        try:
            async with asyncio.timeout(PATIENCE_SECONDS):
                while scans < 2:
                    await self._stage.ask("/snapshot")
                    await asyncio.sleep(0.2)
        except TimeoutError:
            pass
        await self._stage.end()
        await self._lose_history()
        self._night.proxy.before_read = None
        await self._process.start()
        return None if scans > 1 else "long stop"

    async def _stream_anew(self) -> None:
        is_ended = self._dice.random() < 0.5
        if is_ended:
            await self._stage.end()
        async with self._workload.held():
            await self._night.stream_anew()
        if is_ended:
            await self._process.start()

    async def _replica_anew(self) -> None:
        is_ended = self._dice.random() < 0.5
        if is_ended:
            await self._stage.end()
        await self._night.replica_anew()
        if is_ended:
            await self._process.start()
