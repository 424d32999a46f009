"""A console that shows the situations which the dashboard is made for."""

from __future__ import annotations

import math
from datetime import datetime, timedelta
from typing import Any

from service.operations.documents.jobs import JobState, Replay, Snapshot, Verification
from service.operations.documents.status import (
    GapStatus,
    History,
    HistoryStep,
    LagStatus,
    PipelineState,
    QueueStatus,
    RatesStatus,
    Role,
    ShardState,
    ShardStatus,
    Status,
)
from tests.fakes.console import NOW, FakeConsole

NUMBER = "1100000000017454423009"
GAP = (
    "The stream's history of shard shardId-00000001541626099285-f35f62ef was trimmed before it was read: what changed "
    "in about 40 minutes is missing in the replica. A snapshot mends it: dynamirror snapshot."
)
RETENTION = (
    "Replication is 19 h behind; the stream keeps 24 h. In 5 h history begins to be lost: resume, or speed it up."
)
_REASONS = (
    "The item is 412 KB with its metadata; DynamoDB's limit is 400 KB.",
    "The replica refuses the item: One or more parameter values were invalid: Type mismatch for Index Key status "
    "Expected: S Actual: N IndexName: by-status",
)


class Stage(FakeConsole):
    """`shown` overrides fields of the status document. `refusal` refuses changes; what is only read is answered."""

    def __init__(self) -> None:
        super().__init__()
        self.shown: dict[str, Any] = {}
        self.steps: list[HistoryStep] = []

    def _ask(self, name: str, **values: Any) -> None:
        if name in ("pause", "resume", "replay", "snapshot", "verify", "redrive", "discard"):
            super()._ask(name, **values)

    def status(self) -> Status:
        return super().status().model_copy(update=self.shown)

    def history(self) -> History:
        return History(items=self.steps)

    def has_history(self, state: PipelineState = PipelineState.RUNNING, hours: float = 24, lag: float = 0.4) -> None:
        """Ten-minute steps, then minutes; busy by day, with a peak six hours ago and ten minutes off an hour ago."""
        steps, at = [], NOW - timedelta(hours=hours)
        while at < NOW:
            ago = (NOW - at) / timedelta(minutes=1)
            seconds = 600 if ago > 120 else 60
            load = 900 + 700 * math.sin(ago / 130) + 90 * math.sin(ago)
            if not 55 <= ago < 65:
                steps.append(self.step(at, seconds, state, lag + (41.6 if 365 < ago < 375 else 0), load))
            at += timedelta(seconds=seconds)
        self.steps = steps

    def step(
        self, at: datetime, seconds: float, state: PipelineState, lag: float | None, load: float = 900
    ) -> HistoryStep:
        """Nothing is read or written in most states."""
        is_flowing = state in (PipelineState.RUNNING, PipelineState.SNAPSHOTTING)
        return HistoryStep(
            at=at,
            seconds=seconds,
            state=state,
            lag_seconds=lag,
            records_read_per_second=load if is_flowing else 0.0,
            records_applied_per_second=load * 0.98 if is_flowing else 0.0,
            latency_mean_seconds=0.08 + load / 9000 if is_flowing else None,
            latency_max_seconds=0.3 + load / 2500 if is_flowing else None,
        )

    def catches_up(self) -> None:
        self.lags(0.0, unapplied=0)

    def lags(self, seconds: float | None, unapplied: int = 0) -> None:
        oldest = NOW - timedelta(seconds=seconds) if unapplied and seconds is not None else None
        caught_up = seconds is not None and seconds < 1 and not unapplied
        self.shown["lag"] = LagStatus(
            seconds=seconds, unapplied_records=unapplied, oldest_unapplied_at=oldest, caught_up=caught_up
        )

    def is_busy(self) -> None:
        """A healthy pipeline with work."""
        self.lags(0.4, unapplied=212)
        self.shown["rates"] = RatesStatus(records_read_per_second=1843.2, records_applied_per_second=1839.6)
        self.shown["queue"] = QueueStatus(records=212, bytes=318_400, max_records=10000, max_bytes=67108864)
        totals = super().status().totals
        self.shown["totals"] = totals.model_copy(
            update={
                "records_read": 4_812_334,
                "records_applied": 4_812_122,
                "items_written": 4_377_201,
                "records_coalesced": 434_921,
            }
        )
        self.shown["last_verification"] = Verification(
            id="20261123T090000-1a2b",
            state=JobState.DONE,
            started_at=NOW - timedelta(minutes=75),
            finished_at=NOW - timedelta(minutes=49),
            items_compared=1_204_112,
        )

    def fails_with_a_gap(self) -> None:
        self.state, self.reason = PipelineState.FAILED, GAP
        gap = GapStatus(
            shard_id="shardId-00000001541626099285-f35f62ef",
            after_sequence_number=NUMBER,
            detected_at=NOW,
            reason=GAP,
        )
        self.shown["gaps"] = [gap]

    def stands_by(self) -> None:
        self.state = PipelineState.STANDBY
        self.shown["lag"] = LagStatus(
            seconds=12.4, unapplied_records=None, keys_in_doubt=None, oldest_unapplied_at=None, caught_up=False
        )
        self.shown.update(role=Role.STANDBY, active="mirror-1-17-5e0c1a2b", shards=[])

    def knows_nothing(self) -> None:
        """A standby whose control table can't be read."""
        self.stands_by()
        self.lags(None)
        self.shown["lag"] = self.shown["lag"].model_copy(update={"unapplied_records": None, "keys_in_doubt": None})
        self.shown.update(active=None, dead_letters=None, last_verification=None)

    def fills_the_queue(self) -> None:
        self.shown["queue"] = QueueStatus(records=10000, bytes=61_200_000, max_records=10000, max_bytes=67108864)

    def has_shards(self, number: int, closed: int = 0) -> None:
        """Families of a parent and two children; the first `closed` parents are closed, the third shard has failed."""
        parents = (number + 2) // 3
        shards = []
        for at in range(number):
            family, place = divmod(at, 3)
            parent = None if place == 0 else _shard_id(family * 3)
            state = ShardState.READING if place == 0 else ShardState.WAITING_FOR_PARENT
            if family < min(closed, parents):
                state = ShardState.CLOSED if place == 0 else ShardState.READING
            elif place == 0 and family % 5 == 4:
                state = ShardState.DRAINED
            shards.append(_shard(at, parent, ShardState.FAILED if at == 2 else state))
        self.shown["shards"] = shards

    def has_letters(self, number: int) -> None:
        for at in range(number):
            letter_id = f"letter-{at:04d}"
            self.add_letter(letter_id)
            self.letters[letter_id] |= {
                "keys": {"customer": {"S": f"customer-{at:05d}"}, "order": {"N": str(1000 + at)}},
                "error": _REASONS[at % 2],
                "attempts": 1 + 9 * (at % 2),
                "event_name": ("MODIFY", "INSERT")[at % 2],
            }

    def has_jobs(self) -> None:
        """One of each kind that runs, and two that are over."""
        begun = {"started_at": NOW - timedelta(minutes=4), "state": JobState.RUNNING}
        ended = {"started_at": NOW - timedelta(hours=3), "finished_at": NOW - timedelta(hours=2, minutes=48)}
        differing = [{"kind": "missing", "key": {"customer": {"S": f"customer-{at:05d}"}}} for at in range(3)]
        for job in (
            Replay(
                id="r0",
                state=JobState.FAILED,
                error="The stream was re-created meanwhile.",
                from_="trim_horizon",
                **ended,
            ),
            Verification(
                id="v0", state=JobState.DONE, items_compared=120_400, missing=3, differing_keys=differing, **ended
            ),
            Verification(
                id="v1", repair=True, items_compared=80_000, items_read=161_000, items_estimated=240_000, **begun
            ),
            Snapshot(id="s1", items_scanned=312_000, items_written=287_114, items_estimated=1_204_000, **begun),
            Replay(id="r1", sequence_number=NUMBER, dry_run=True, records_read=5012, **begun),
        ):
            self.jobs_begun[job.id] = job


def _shard_id(number: int) -> str:
    return f"shardId-{1541626099285 + number:020d}-{number * 2654435761 % 2**32:08x}"


def _shard(number: int, parent: str | None, state: ShardState) -> ShardStatus:
    is_idle = state in (ShardState.WAITING_FOR_PARENT, ShardState.CLOSED)
    return ShardStatus(
        shard_id=_shard_id(number),
        parent_shard_id=parent,
        state=state,
        checkpoint=None if state is ShardState.WAITING_FOR_PARENT else f"11000000000{17454423009 + number * 7919}",
        last_read=None,
        lag_seconds=0.0 if is_idle else number % 7 / 10,
        records_read=0 if state is ShardState.WAITING_FOR_PARENT else 91_234 + number * 37,
        records_applied=0 if state is ShardState.WAITING_FOR_PARENT else 91_230 + number * 37,
    )
